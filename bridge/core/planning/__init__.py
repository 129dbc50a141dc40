"""The plan: which calls, or which new record, bring a side level with the agreed state.

Rules named F1 to F22 stand in docs/merge-rules.md.
"""
