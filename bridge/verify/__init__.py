"""The judge: checks the bridge's promises from vendors' records alone. It imports nothing of the rest."""
