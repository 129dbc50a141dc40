"""A count of HTTP requests, by thread: one call of a connector may make several."""

from __future__ import annotations

import threading


class _RequestCount(threading.local):
    made = 0


_count = _RequestCount()


def add() -> None:
    """Count one request of this thread."""
    _count.made += 1


def made() -> int:
    """Return how many requests this thread has made so far."""
    return _count.made
