"""A package, for relative imports."""
