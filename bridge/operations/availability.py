"""Connections that are not called for now, and what to say of them to somebody who waits for their work."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from bridge.ledger import connection_health
from bridge.ledger.database import Tx


def shut(tx: Tx, names: Collection[str], now: datetime) -> dict[str, str]:
    """Say of each of these connections that is stopped or paused that it is, and why."""
    known = connection_health.by_name(tx)
    found = {name: known[name] for name in names if name in known}
    return {
        name: f"{name} is {each.words(now)}"
        for name, each in found.items()
        if each.state(now) in {"paused", "stopped"}
    }


def halted(tx: Tx, names: Collection[str]) -> list[str]:
    """Give those of these connections that are not called again before somebody resumes them."""
    known = connection_health.by_name(tx)
    return sorted(name for name in names if name in known and known[name].halted)


def resume(names: Collection[str]) -> str:
    """Give the commands that end it."""
    return ", ".join(f"`bridge connection resume {name}`" for name in names)
