"""Connections that are not called for now, and what to tell somebody who waits for their work."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from bridge.ledger import connection_health
from bridge.ledger.database import Tx


def shut(tx: Tx, names: Collection[str], now: datetime) -> dict[str, str]:
    """Return those of these connections that are paused or stopped, each with why, in a line."""
    healths = connection_health.by_name(tx)
    return {
        name: f"{name} is {healths[name].words(now)}"
        for name in names
        if name in healths and healths[name].state(now) in {"paused", "stopped"}
    }


def halted(tx: Tx, names: Collection[str]) -> list[str]:
    """Return those of these connections that are not called again before somebody resumes them."""
    healths = connection_health.by_name(tx)
    return sorted(name for name in names if name in healths and healths[name].halted)


def resume(names: Collection[str]) -> str:
    """Return the commands that resume these connections."""
    return ", ".join(f"`bridge connection resume {name}`" for name in names)
