"""The plan: which calls bring a side level with the agreed state."""
