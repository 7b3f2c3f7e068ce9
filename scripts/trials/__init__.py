"""How often `gdbench compare` is right: on unchanged code, and on slowdowns of a known size."""
