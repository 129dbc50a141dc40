"""Dry runs: what would be written, found out by the code that writes, and exactly that applied."""
