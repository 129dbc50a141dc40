"""The lanes of work, by urgency, and how they share what a connection may be called."""

from __future__ import annotations

from typing import Final

LANES: Final = ("live", "operator", "retry", "reconcile", "backfill")
"""By urgency."""
SHARES: Final = {"live": 1.0, "operator": 0.9, "retry": 0.8, "reconcile": 0.7, "backfill": 0.6}
"""Lane -> the part of each rate's window that may be full for it still to call; the rest is kept for the others."""
