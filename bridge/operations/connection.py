"""Pausing a connection, and resuming one that was paused or whose key was refused."""

from __future__ import annotations

from bridge.ledger import connection_health
from bridge.operations.desk import Desk


def pause(desk: Desk, name: str, why: str = "") -> None:
    """Stop calling a connection until it is resumed; its webhooks are taken. Raises UnknownName."""
    desk.connection(name)
    reason = f"{desk.actor} paused it{f': {why}' if why else ''}"
    with desk.acting("connection pause", name, {"why": why}) as tx:
        connection_health.hold(tx, name, reason, desk.now())


def resume(desk: Desk, name: str) -> None:
    """Call a connection again. Raises UnknownName."""
    desk.connection(name)
    with desk.acting("connection resume", name) as tx:
        connection_health.resume(tx, name)
