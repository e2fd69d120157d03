"""Products, and where they come from."""
