"""Declared field mappings, compiled into functions: from a vendor's record to canonical values and back."""
