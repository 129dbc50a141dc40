"""Everything that uses RQ and Redis: the doorbell, the worker and the shared budget of calls.

Redis may be emptied at any moment: outstanding work is stored in the ledger and announced again.
"""
