"""What HTTP callers see: webhooks and health."""
