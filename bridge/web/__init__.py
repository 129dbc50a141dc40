"""The HTTP server: receives webhooks, and shows health and metrics."""
