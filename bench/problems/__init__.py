"""The problems: what one is, the catalogue of those known by name, and how each is made or read."""
