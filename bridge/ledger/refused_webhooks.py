"""Webhooks that were refused: how many of each connection, why, since when. No row for each.

A refused webhook leaves nothing else behind, so that a stranger cannot fill the ledger. The counts
stand in the tally, by connection and reason, with the minutes of the first and the last one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, select

from bridge.ledger.database import Tx, advisory_lock, insert
from bridge.ledger.tables import inbox, tally

SHOWN_FOR: Final = timedelta(days=1)
"""After so long without another one they are forgotten."""
MENDED_AFTER: Final = timedelta(minutes=10)
"""So long after the last one, a webhook that was accepted shows that all is well again.

So does one that came after the receiver was restarted, with none refused since: somebody has put
the secret right.
"""
LOCK: Final = 0x7265_6675_7365
"""An advisory lock's number (the letters "refuse")."""
_COUNT, _FIRST, _LAST, _RESTARTED = "count", "first", "last", "restarted"
_PREFIX: Final = "refused:"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RefusedWebhooks:
    """The refusals of one connection for one reason."""

    connection: str
    """Empty: of addresses that belong to no connection."""
    reason: str
    count: int
    since: datetime
    last: datetime
    restarted: datetime | None = None
    """When the receiver was restarted since, for the first time."""


@dataclass(frozen=True, slots=True)
class AcceptedWebhooks:
    """The deliveries of a connection that were accepted since its refusals began."""

    count: int
    """No more than were asked for."""
    last: datetime | None
    """When one was accepted for the last time, be it before that."""


def note_restart(tx: Tx, now: datetime) -> None:
    """Note that no receiver runs any more of those that have refused webhooks so far."""
    for row in _all(tx).values():
        if row.restarted is None or row.restarted < row.last:
            minute = (now - _EPOCH) // timedelta(minutes=1)
            _store(tx, _name(_RESTARTED, row.reason, row.connection), minute)


def add(tx: Tx, connection: str, reason: str, number: int, now: datetime) -> None:
    """Count refusals; those of what was over by then are forgotten."""
    advisory_lock(tx, LOCK)  # receivers side by side count one after the other
    known = _all(tx).get((connection, reason))
    if known is not None and (now - known.last > SHOWN_FOR or _over(tx, known)):
        _forget(tx, connection, reason)
        known = None
    minute = (now - _EPOCH) // timedelta(minutes=1)
    values = {_COUNT: number + (known.count if known else 0), _LAST: minute}
    if known is None:
        values[_FIRST] = minute
    for part, value in values.items():
        _store(tx, _name(part, reason, connection), value)


def _store(tx: Tx, name: str, value: int) -> None:
    statement = insert(tx, tally).values(name=name, value=value)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def current(tx: Tx, now: datetime) -> list[RefusedWebhooks]:
    """Return what is refused these days, unless it is over: see MENDED_AFTER."""
    return [row for row, over in lately(tx, now) if not over]


def lately(tx: Tx, now: datetime) -> list[tuple[RefusedWebhooks, bool]]:
    """Return what was refused these days, each with whether it is over: see MENDED_AFTER."""
    return [(row, _over(tx, row)) for row in _all(tx).values() if now - row.last <= SHOWN_FOR]


def accepted(tx: Tx, row: RefusedWebhooks, most: int) -> AcceptedWebhooks:
    """Return how many were accepted since the first of these refusals, up to `most`."""
    newest = (
        select(inbox.c.received_at)
        .where(inbox.c.connection == row.connection)
        .order_by(inbox.c.id.desc())
        .limit(most)
    )
    times = tx.execute(newest).scalars().all()
    return AcceptedWebhooks(sum(at >= row.since for at in times), times[0] if times else None)


def _over(tx: Tx, row: RefusedWebhooks) -> bool:
    newest = (
        select(inbox.c.received_at)
        .where(inbox.c.connection == row.connection)
        .order_by(inbox.c.id.desc())
        .limit(1)
    )
    accepted: datetime | None = tx.execute(newest).scalar()
    well = row.last + MENDED_AFTER
    if row.restarted is not None and row.restarted >= row.last:
        well = row.restarted
    return accepted is not None and accepted > well


def _all(tx: Tx) -> dict[tuple[str, str], RefusedWebhooks]:
    named = select(tally.c.name, tally.c.value).where(tally.c.name.startswith(_PREFIX))
    parts: dict[tuple[str, str], dict[str, int]] = {}
    for name, value in tx.execute(named.order_by(tally.c.name)):
        part, reason, connection = name.removeprefix(_PREFIX).split(":", 2)
        parts.setdefault((connection, reason), {})[part] = value
    return {
        key: RefusedWebhooks(
            *key,
            found[_COUNT],
            _at(found[_FIRST]),
            _at(found[_LAST]),
            _at(found[_RESTARTED]) if _RESTARTED in found else None,
        )
        for key, found in parts.items()
        if found.keys() >= {_COUNT, _FIRST, _LAST}
    }


def _forget(tx: Tx, connection: str, reason: str) -> None:
    names = [_name(part, reason, connection) for part in (_COUNT, _FIRST, _LAST, _RESTARTED)]
    tx.execute(delete(tally).where(tally.c.name.in_(names)))


def _name(part: str, reason: str, connection: str) -> str:
    return f"{_PREFIX}{part}:{reason}:{connection}"


def _at(minute: int) -> datetime:
    return _EPOCH + timedelta(minutes=minute)
