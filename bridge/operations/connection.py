"""Pausing a connection, and resuming one that was paused, or that was found not to do something."""

from __future__ import annotations

from bridge.ledger import connection_health, parking, probes
from bridge.operations.desk import Desk


def pause(desk: Desk, name: str, why: str = "") -> None:
    """Stop calling a connection until it is resumed; its webhooks are taken. Raises UnknownName."""
    desk.connection(name)
    reason = f"{desk.actor} paused it{f': {why}' if why else ''}"
    with desk.acting("connection pause", name, {"why": why}) as tx:
        connection_health.hold(tx, name, reason, desk.now())


def resume(desk: Desk, name: str) -> None:
    """Call a connection again, and have what it was found not to do tried again.

    But for words of which parked work tells: that is freed by itself. Raises UnknownName.
    """
    desk.connection(name)
    with desk.acting("connection resume", name) as tx:
        connection_health.resume(tx, name)
        probes.forget_refusals(tx, name, but=parking.told_of(tx, name))
