"""Rows of answers that show no record, noted for whoever asked: one call may list several times.

A listing of a hundred rows of which one is a text, or has no id, is a listing of ninety-nine
records. The others go on; what was left out is noted here, by thread, since a connector's methods
have no place for it in what they return. Whoever concludes something from what an answer lacks has
to look here first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bridge.connectors.contract import Connector, Intent, Record
from bridge.core.model.values import Ref
from bridge.errors import Unavailable

MAX_SHOWN_LENGTH = 7
"""Of what stands in a row: it may be a key of ours, and so few of its characters are harmless."""


class _Collected(threading.local):
    rows: list[str] | None = None


_collected = _Collected()


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collect what this thread leaves out meanwhile: in words, where each row was and why."""
    before, rows = _collected.rows, list[str]()
    _collected.rows = rows
    try:
        yield rows
    finally:
        _collected.rows = before


def leave_out(position: int, row: Any) -> None:
    """Note that a row of an answer shows no record; positions count from 0."""
    if _collected.rows is not None:
        _collected.rows.append(f"row {position + 1}: {_why(row)}")


def read_one(connector: Connector, ref: Ref) -> Record | None:
    """Read one record. Raises Unavailable where it may be among the rows that were left out."""
    with collected() as rows:
        record = connector.read(ref.entity, [ref.id])[ref.id]
    if record is None and rows:
        raise cannot_tell(ref.connection, ref.id, rows)
    return record


def find_made(connector: Connector, intent: Intent) -> list[Record]:
    """Return the records that bear an intent's marker.

    Raises Unavailable where none is shown, but one may be among the rows that were left out.
    """
    with collected() as rows:
        found = [each for each in connector.find(intent) if each.marker == intent.draft.marker]
    if rows and not found:
        raise cannot_tell(connector.connection.name, f"the {intent.draft.entity} in doubt", rows)
    return found


def cannot_tell(connection: str, remote_id: str, rows: list[str]) -> Unavailable:
    """Return the error for a record that an answer lacks which left rows out."""
    return Unavailable(
        connection,
        f"{remote_id} is not shown, but the answer has rows that cannot be read "
        f"({rows[0]}); look at the record there",
    )


def _why(row: Any) -> str:
    if isinstance(row, dict):
        return f"its id is {_shown(row['id'])}" if "id" in row else "it has no id"
    return "it is empty" if row is None else f"it is {_shown(row)} and no record"


def _shown(value: Any) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    shown = repr(value)
    return shown if len(shown) <= MAX_SHOWN_LENGTH else shown[:MAX_SHOWN_LENGTH] + "…"
