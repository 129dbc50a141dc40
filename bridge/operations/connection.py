"""Pausing a connection, and resuming one that was paused, or that was found not to do something."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.ledger import connection_health, outstanding_work, parking, probes
from bridge.ledger.database import Tx
from bridge.operations.desk import Desk


@dataclass(frozen=True, slots=True)
class ConnectionAct:
    """What pausing or resuming a connection is about, before it is done."""

    connection: str
    state: str
    """How the connection is now, in words; empty: it is in use."""
    syncs: list[str]
    """Those that it is a member of."""
    waiting: int
    """Pieces of its work that are outstanding."""
    parked: int
    """Pieces that are set aside, which neither act moves."""
    tried_again: list[str]
    """What it was found not to do, and is tried again once it is resumed."""


def look(desk: Desk, name: str) -> ConnectionAct:
    """Return what pausing or resuming is about now. Raises UnknownName."""
    desk.connection(name)
    with desk.ledger.read() as tx:
        waiting, parked = outstanding_work.count(tx, name)
        return ConnectionAct(
            connection=name,
            state=connection_health.get(tx, name).words(desk.now()),
            syncs=[sync.name for sync in desk.config.syncs.values() if name in sync.members],
            waiting=waiting,
            parked=parked,
            tried_again=sorted(_refusals(tx, name) - parking.told_of(tx, name)),
        )


def _refusals(tx: Tx, name: str) -> set[str]:
    return {finding for finding, works in probes.findings(tx, name).items() if not works}


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
