"""Pure rules: entities, mapping, merge, plan, guard. No clock, no I/O, no framework."""
