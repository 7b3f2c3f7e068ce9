"""The gate: what must hold of a set of cells, and whether it does."""
