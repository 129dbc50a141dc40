"""Everything in one terminal: what `bridge up` and `bridge demo` start, watch and stop."""
