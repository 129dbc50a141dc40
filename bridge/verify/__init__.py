"""The judge of the bridge's promises, by the vendors' records alone. It imports nothing else."""
