"""The flow: one ticket's way from a hint over reading, merging and planning to a write."""
