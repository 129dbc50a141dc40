"""The documented APIs running locally, for the demo and for tests."""
