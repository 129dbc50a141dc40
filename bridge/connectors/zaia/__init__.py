"""Zaia."""
