"""The values that everything speaks of: entities, links and sides, syncs, capabilities. No behaviour of their own."""
