"""The processes of the bridge that run, on any machine, and the files that they run by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, update

from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import process

GONE_AFTER: Final = timedelta(minutes=10)
"""A process of another machine that was not seen for so long does not count as running."""


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One process, as it said itself."""

    id: str
    """Its name; `engine.worker_identity` can tell from it whether it runs."""
    kind: str
    """`web`, `worker`, `clock`, or the command that works by itself."""
    revision: str
    """The revision of the files that it works by."""
    started_at: datetime
    seen_at: datetime


def started(tx: Tx, name: str, kind: str, revision: str, now: datetime) -> None:
    """Note that a process runs."""
    values = {"kind": kind, "revision": revision, "started_at": now, "seen_at": now}
    statement = insert(tx, process).values(id=name, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def seen(tx: Tx, name: str, now: datetime) -> None:
    """Note that a process is still at work."""
    tx.execute(update(process).where(process.c.id == name).values(seen_at=now))


def took_up(tx: Tx, name: str, revision: str) -> None:
    """Note that a process works by another revision of the files from now on."""
    tx.execute(update(process).where(process.c.id == name).values(revision=revision))


def ended(tx: Tx, name: str) -> None:
    """Note that a process has ended by itself."""
    tx.execute(delete(process).where(process.c.id == name))


IsAlive = Callable[[str], bool | None]
"""Says of a process's name whether it runs; None: that cannot be known from here."""


def running(tx: Tx, now: datetime, is_alive: IsAlive) -> list[ProcessRow]:
    """Return the processes that run, or may run on another machine, the oldest first."""
    return [each for each in _known(tx) if _runs(each, now, is_alive)]


def _known(tx: Tx) -> list[ProcessRow]:
    rows = tx.execute(select(process).order_by(process.c.started_at, process.c.id)).mappings()
    return [ProcessRow(**row) for row in rows]


def _runs(row: ProcessRow, now: datetime, is_alive: IsAlive) -> bool:
    alive = is_alive(row.id)
    return now - row.seen_at < GONE_AFTER if alive is None else alive


def forget_ended(tx: Tx, now: datetime, is_alive: IsAlive) -> None:
    """Delete the rows of processes that were killed, or that nobody has seen for long."""
    # Named one by one: another process may have begun since the rows were read.
    ended = [each.id for each in _known(tx) if not _runs(each, now, is_alive)]
    tx.execute(delete(process).where(process.c.id.in_(ended)))
