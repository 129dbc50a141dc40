"""Loads, checks and compiles settings, mappings and syncs from YAML."""
