"""The values that everything speaks of: entities, links and sides, syncs, capabilities.

They have no behaviour of their own.
"""
