"""Variants: the contract they keep, how they are found without importing them, and how they are selected."""
