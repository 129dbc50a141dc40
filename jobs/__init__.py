"""RQ entry points: thin functions that a worker may be asked to run, and no others."""
