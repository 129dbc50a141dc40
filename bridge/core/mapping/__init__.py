"""Declared field mappings, compiled into functions: vendor's values to canonical and back."""
