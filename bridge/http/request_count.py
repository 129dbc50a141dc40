"""How many requests have been made: a call of a connector's may make several, and all of them count."""

from __future__ import annotations

import threading


class _Tally(threading.local):
    made = 0


_tally = _Tally()


def add() -> None:
    """Count one request of this thread."""
    _tally.made += 1


def made() -> int:
    """Give how many requests this thread has made so far."""
    return _tally.made
