"""One file a system: protocol facts, and how to read and write its records."""
