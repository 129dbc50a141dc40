"""The only way out to the vendors: deadlines, error classes, clocks, counts."""
