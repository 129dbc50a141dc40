"""The lanes of work, by urgency, and the share of a connection's rate limit that each may use."""

from __future__ import annotations

from typing import Final

LANES: Final = ("live", "operator", "retry", "reconcile", "backfill")
"""By urgency, the most urgent first."""
SHARES: Final = {"live": 1.0, "operator": 0.9, "retry": 0.8, "reconcile": 0.7, "backfill": 0.6}
"""Lane -> the share of a rate limit's calls that it may use.

The rest is kept for the more urgent lanes.
"""
