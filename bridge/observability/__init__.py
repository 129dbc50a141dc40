"""Logging of all processes."""
