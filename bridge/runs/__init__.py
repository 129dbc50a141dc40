"""Long jobs: reconciliation, import, undo, and the schedule that starts them."""
