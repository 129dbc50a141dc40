"""Bridge keeps support tickets in step between systems that don't know each other."""

__version__ = "0.1.0"
