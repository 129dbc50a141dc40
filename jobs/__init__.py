"""RQ entry points: thin functions that a worker may be asked to run, and no others.

The bridge itself asks for `drain` alone. The others are for callers from outside and for jobs of
older versions that are still in a queue.
"""
