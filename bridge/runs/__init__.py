"""Long jobs: reconciliation, import, undo, and the schedule that starts them.

`bridge/clock_loop.py` asks the schedule. Rules named F1 to F22 stand in docs/merge-rules.md.
"""
