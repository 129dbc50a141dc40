"""PostHog Conversations."""
