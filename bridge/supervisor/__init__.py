"""Everything in one terminal: what `bridge up` and `bridge demo` start, look after and stop."""
