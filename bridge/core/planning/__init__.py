"""The plan: which calls, or which new record, bring a side level with the agreed state."""
