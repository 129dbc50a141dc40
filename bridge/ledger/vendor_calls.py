"""The last calls to vendors: kept in bulk, listed by keys, and forgotten by age and by number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, delete, func, select, update

from bridge.core.model.vendor_call import KeptBodies, VendorCall
from bridge.ledger import json_rows
from bridge.ledger.database import Tx, insert_for
from bridge.ledger.tables import vendor_call
from bridge.ledger.value_codec import storable

_GIVEN: Final = tuple(column for column in vendor_call.columns if column.name != "id")
_TOLD: Final = (
    *("why", "attempt", "path", "sent_bytes", "received_bytes", "retry_after", "request_id"),
    *("sent", "answered"),
)
"""What stands in the column of that name, in this order."""
AT_ONCE: Final = 100
"""Rows of one statement."""
NO_ANSWER: Final = "no answer"
FAILED: Final = "failed"
OUTCOMES: Final = ("2xx", "3xx", "4xx", "5xx", NO_ANSWER, FAILED)
"""How a call may have ended: by its status; `failed` is whatever is not well."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls are meant; what is empty leaves out none."""

    connection: str = ""
    link_id: str = ""
    outcome: str = ""
    """One of OUTCOMES."""
    method: str = ""
    slower_than: int = 0
    """Milliseconds."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as it is kept, with its number."""

    id: int
    call: VendorCall


def add_all(tx: Tx, calls: Sequence[VendorCall]) -> None:
    """Keep calls: there may be a thousand in a second, so in the way that costs least.

    SQLite takes rows by the hundred: a statement for each would hold its one writer for as long as
    a thread needs to get that many turns, and one text with all of them is read once a value.
    """
    dialect = tx.dialect.name
    if dialect != "sqlite":
        rows = [(call.at, *_values(call)) for call in calls]
        tx.execute(_insert(dialect), {json_rows.ROWS: orjson.dumps(rows).decode()})
        return
    for first in range(0, len(calls), AT_ONCE):
        some = calls[first : first + AT_ONCE]
        values = [
            value for call in some for value in (json_rows.sqlite_time(call.at), *_values(call))
        ]
        tx.exec_driver_sql(_insert_rows(len(some)), tuple(values))


@lru_cache(maxsize=AT_ONCE)
def _insert_rows(count: int) -> str:
    """Return the statement for so many rows; SQLAlchemy would name each of their values."""
    names = ", ".join(column.name for column in _GIVEN)
    rows = ", ".join([f"({', '.join('?' * len(_GIVEN))})"] * count)
    return f"INSERT INTO {vendor_call.name} ({names}) VALUES {rows}"  # noqa: S608 - names of ours


@cache
def _insert(dialect: str) -> Any:
    return insert_for(dialect, vendor_call).from_select(
        _GIVEN, json_rows.select_rows(dialect, _GIVEN)
    )


def _values(call: VendorCall) -> tuple[Any, ...]:
    """Return a row behind its time, in the order of the table, as databases store it."""
    told = (
        *(call.why, call.attempt, call.path, call.sent_bytes, call.received_bytes),
        *(call.retry_after, call.request_id, call.sent, call.answered),
    )
    return (
        *(call.connection, call.link_id, call.method, call.status, call.ms, call.code),
        storable(call.error) if call.error else "",
        orjson.dumps(told).decode(),
        None if call.kept is None else json.dumps(asdict(call.kept)),
    )


def page(
    tx: Tx, wanted: CallFilter, *, before: int | None, limit: int, within: int
) -> tuple[list[CallRow], int | None]:
    """Return calls, the newest first, and before which number it goes on; None: that was all.

    So many `within` are looked at, however few of them fit; of what connection or ticket narrow
    down by themselves that is as many rows of theirs.
    """
    call = vendor_call.c
    own = [call.link_id == wanted.link_id] if wanted.link_id else []
    own += [call.connection == wanted.connection] if wanted.connection else []
    own += [call.id < before] if before is not None else []
    looked_at = select(call.id).where(*own).order_by(call.id.desc())
    last = tx.execute(looked_at.offset(within - 1).limit(1)).scalar()
    fits = [*own, *_fits(wanted), call.id >= (0 if last is None else last)]
    rows = select(vendor_call).where(*fits).order_by(call.id.desc()).limit(limit + 1)
    found = [_row(row) for row in tx.execute(rows)]
    if len(found) > limit:
        return found[:limit], found[limit - 1].id
    if last is None:
        return found, None
    more = tx.execute(select(call.id).where(*own, call.id < last).limit(1)).scalar()
    return found, None if more is None else last


def _fits(wanted: CallFilter) -> list[ColumnElement[bool]]:
    call = vendor_call.c
    fits: list[ColumnElement[bool]] = []
    if wanted.outcome == NO_ANSWER:
        fits.append(call.status.is_(None))
    elif wanted.outcome == FAILED:
        fits.append(call.code != "")
    elif wanted.outcome:
        first = int(wanted.outcome[0]) * 100
        fits.append(call.status.between(first, first + 99))
    if wanted.method:
        fits.append(call.method == wanted.method)
    if wanted.slower_than:
        fits.append(call.ms > wanted.slower_than)
    return fits


def get(tx: Tx, number: int) -> CallRow | None:
    """Return one call."""
    row = tx.execute(select(vendor_call).where(vendor_call.c.id == number)).first()
    return None if row is None else _row(row)


def _row(row: Any) -> CallRow:
    told = dict(zip(_TOLD, json.loads(row.told), strict=True))
    plain = ("at", "connection", "link_id", "method", "status", "ms", "code", "error")
    given = {name: getattr(row, name) for name in plain}
    kept = None if row.kept is None else KeptBodies(**json.loads(row.kept))
    return CallRow(row.id, VendorCall(**given, **told, kept=kept))


def prune(tx: Tx, before: datetime, most: int, limit: int) -> int:
    """Forget calls of before a time, and all but the newest of each connection; return how many.

    No more than `limit` of either kind are forgotten at once: what is left can wait.
    """
    call = vendor_call.c
    oldest = select(call.id, call.at).order_by(call.id).limit(limit).subquery()
    old = select(oldest.c.id).where(oldest.c.at < before)
    gone = tx.execute(delete(vendor_call).where(call.id.in_(old))).rowcount
    for connection in _connections(tx):
        of_it = select(call.id).where(call.connection == connection)
        edge = of_it.order_by(call.id.desc()).offset(most).limit(1)
        last = tx.execute(edge).scalar()
        if last is not None:
            beyond = of_it.where(call.id <= last).order_by(call.id).limit(limit).subquery()
            gone += tx.execute(delete(vendor_call).where(call.id.in_(select(beyond.c.id)))).rowcount
    return int(gone)


def _connections(tx: Tx) -> list[str]:
    """Return the connections of which calls are kept, one step of the index for each."""
    found: list[str] = []
    last = select(func.min(vendor_call.c.connection))
    name = tx.execute(last).scalar()
    while name is not None:
        found.append(name)
        name = tx.execute(last.where(vendor_call.c.connection > name)).scalar()
    return found


def erase(tx: Tx, link_ids: Sequence[str]) -> int:
    """Forget the calls of tickets, and what others hold beyond their shape; return how many.

    What was sent and answered, and a vendor's words, may name the person in any of them.
    """
    call = vendor_call.c
    gone = 0
    for link_id in link_ids:
        gone += tx.execute(delete(vendor_call).where(call.link_id == link_id)).rowcount
    holds = call.kept.is_not(None) | (call.error != "")
    bare = update(vendor_call).where(holds).values(kept=None, error="")
    return int(gone + tx.execute(bare).rowcount)
