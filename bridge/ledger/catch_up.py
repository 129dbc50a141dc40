"""Connections that the ledger has to catch up with, because it is older than they are, or empty.

Records may be there that it once knew, copies of its own among them. So nothing is created at a
connection before a listing that began since has been worked off (flow/catching_up.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import Transaction, bindparam, delete, func, select, update

from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import catch_up, create_intent


@dataclass(frozen=True, slots=True)
class CatchUp:
    """One connection that the ledger has to catch up with."""

    connection: str
    since: datetime
    """Listings that began earlier do not count."""
    kind: str
    """`poll`: a poll will do, which goes on from the ledger's own watermark. `full`: a full run."""
    why: str


WHY_NEW: Final = "the ledger is new here"
"""There may never have been another one: as in a new home."""
_DONE = "done"
"""The kind of what was caught up with. The row stays: it says how old the ledger's knowledge is."""
_CARE = (_DONE, "poll", "full")
"""Kinds, by how much they ask for."""


def begin(tx: Tx, connections: Iterable[str], kind: str, why: str, now: datetime) -> None:
    """Have the ledger catch up with these; one that it has to catch up with already stays so."""
    _change(tx)
    for connection in connections:
        state = {"since": now, "kind": kind, "why": why}
        new = insert(tx, catch_up).values(connection=connection, **state)
        again = new.on_conflict_do_update(
            index_elements=["connection"], set_=state, where=catch_up.c.kind == _DONE
        )
        tx.execute(again)


def take_over(tx: Tx, old: str, new: str) -> None:
    """Give what there is to catch up with at OLD to NEW; the more careful of both rows stays."""
    _change(tx)
    rows = [
        row for name in (old, new) if (row := tx.execute(_ONE, {"of": name}).mappings().first())
    ]
    tx.execute(delete(catch_up).where(catch_up.c.connection.in_([old, new])))
    if rows:
        hardest = max(rows, key=lambda row: (_CARE.index(row["kind"]), row["since"]))
        since = max(row["since"] for row in rows)
        tx.execute(insert(tx, catch_up).values({**hardest, "connection": new, "since": since}))


_ALL = select(catch_up).order_by(catch_up.c.connection)
_ONE = select(catch_up).where(catch_up.c.connection == bindparam("of"))


_read: WeakKeyDictionary[Transaction, Mapping[str, CatchUp]] = WeakKeyDictionary()
"""What each open transaction has read: many tickets ask in one, several times each."""


def _rows(tx: Tx) -> Mapping[str, CatchUp]:
    """Return all rows, by connection. A transaction that changes them reads them anew each time."""
    transaction = tx.get_transaction()
    known = _read.get(transaction) if transaction is not None else None
    if known is not None:
        return known
    rows = {row["connection"]: CatchUp(**row) for row in tx.execute(_ALL).mappings()}
    if transaction is not None and transaction not in _changed:
        _read[transaction] = rows
    return rows


_changed: WeakSet[Transaction] = WeakSet()


def _change(tx: Tx) -> None:
    """Note that this transaction changes rows: a savepoint may take that back unseen."""
    transaction = tx.get_transaction()
    if transaction is not None:
        _changed.add(transaction)
        _read.pop(transaction, None)


def by_connection(tx: Tx) -> dict[str, CatchUp]:
    """Return what there is to catch up with, by connection."""
    return {name: row for name, row in _rows(tx).items() if row.kind != _DONE}


def get(tx: Tx, connection: str) -> CatchUp | None:
    """Return whether there is anything to catch up with at a connection, and since when."""
    row = _rows(tx).get(connection)
    return None if row is None or row.kind == _DONE else row


def knows_since(tx: Tx, connection: str) -> datetime | None:
    """Return since when the ledger knows of all that it makes on a connection; None: since ever."""
    row = _rows(tx).get(connection)
    return None if row is None else row.since


def was_another(tx: Tx, connection: str) -> bool:
    """Return whether it is certain that a ledger was there before this one, and knew more."""
    row = _rows(tx).get(connection)
    return row is not None and row.why != WHY_NEW


def end(tx: Tx, connections: Iterable[str]) -> None:
    """Record that the ledger has caught up with these."""
    _change(tx)
    ended = update(catch_up).where(catch_up.c.connection.in_(sorted(connections)))
    tx.execute(ended.values(kind=_DONE))


def newest_create(tx: Tx) -> int:
    """Return the number of the newest create on record: it only grows, unless the ledger is older.

    0: there is none.
    """
    return tx.execute(select(func.max(create_intent.c.number))).scalar() or 0
