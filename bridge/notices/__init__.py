"""Notices: what happened, told to other programs by webhooks of the bridge's own."""
