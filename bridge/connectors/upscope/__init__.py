"""Upscope."""
