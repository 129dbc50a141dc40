"""Reading JSON that a vendor sent: single values, rows of a listing, and the body of a webhook.

Nothing in it is trusted. A single value that is not what it should be reads as None, a row that is
no record is left out; a listing or a webhook that does not hold together raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from bridge.connectors.contract import Hint, Parsed
from bridge.connectors.left_out import leave_out
from bridge.errors import Malformed, Unavailable
from bridge.foreign_json import REPLACED
from bridge.http.caller import Answer

Row = Mapping[str, Any]
"""One JSON object of a vendor's, as it came."""

MAX_ID_LENGTH = 200
"""Characters; also of an event's name."""
FUTURE = timedelta(days=1)
"""A time further ahead is none: clocks differ, but not by that much."""
MAX_TIME_LENGTH = 100
"""Characters; so much is no time, however many digits its seconds have."""
YEARS = range(1900, 9000)
"""Of a time that can be one."""
GENERIC_EVENT = "hint"
"""The event name under which a generic hint is recorded."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


# Single values


def value_at(body: Any, path: str) -> Any:
    """Follow a dotted path through objects; None where it leads nowhere."""
    for name in path.split("."):
        if not isinstance(body, Mapping):
            return None
        body = body.get(name)
    return body


def parse_time(value: Any) -> datetime | None:
    """Read an ISO time as aware UTC, also one without an offset; None when it is none.

    One at the very ends of the calendar is none: no span of time could be added to it.
    """
    return _parsed_time(value) if isinstance(value, str) and len(value) <= MAX_TIME_LENGTH else None


@lru_cache(maxsize=4096)
def _parsed_time(value: str) -> datetime | None:
    """Read a time once, however often it is asked for: a listing does for every row, and again."""
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    if time.year not in YEARS:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def known_time(value: str) -> datetime:
    """Read a time that has been read before. Raises ValueError when it is none."""
    time = parse_time(value)
    if time is None:
        raise ValueError(value)
    return time


def format_time(time: datetime) -> str:
    """Write a time as our cursors keep it and the vendors' parameters take it: ISO 8601, UTC, Z."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def same_text(left: Any, right: Any) -> bool:
    """Return whether two values are the same text but for outer spaces and case."""
    return (
        isinstance(left, str)
        and isinstance(right, str)
        and left.strip().casefold() == right.strip().casefold()
    )


def is_uuid(value: Any) -> bool:
    """Return whether a value is a UUID as text."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


# Rows of a listing


def row_id(row: Row) -> str:
    """Return a row's `id` as text; empty when it has none by which a record could be asked for."""
    value = row.get("id")
    if isinstance(value, str):
        return value if is_id(value) else ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def is_id(text: str) -> bool:
    """Return whether a text can be a record's id: short, printable, and as the vendor wrote it."""
    return 0 < len(text) <= MAX_ID_LENGTH and _is_name(text)


@lru_cache(maxsize=4096)
def _is_name(text: str) -> bool:
    """Look at an id once, however often it is asked for: a listing does for every row, thrice."""
    return (
        text.isprintable()
        and text.strip() == text
        and REPLACED not in text
        and text not in {".", ".."}  # in an address these are no names
    )


def is_row(value: Any) -> bool:
    """Return whether this is an object with an id by which it could be asked for."""
    return isinstance(value, dict) and bool(row_id(value))


def object_rows(connection: str, answer: Answer, key: str) -> list[Row]:
    """Return the rows with an id that a listing shows under a key.

    Other rows are left out (left_out.py). Raises Unavailable where there is no list of rows.
    """
    rows = answer.body.get(key) if isinstance(answer.body, dict) else None
    if not isinstance(rows, list):
        raise Unavailable(connection, f"a listing without rows under {key!r}", status=answer.status)
    return readable(rows, row_id)


def array_rows(connection: str, answer: Answer) -> list[Row]:
    """Return the rows with an id of a listing that is a bare array.

    Other rows are left out (left_out.py). Raises Unavailable where there is no array.
    """
    if not isinstance(answer.body, list):
        raise Unavailable(connection, "a listing that is no array of rows", status=answer.status)
    return readable(answer.body, row_id)


def readable(rows: list[Any], id_of: Callable[[Row], str]) -> list[Row]:
    """Return the rows that are objects with an id; the others are noted as left out."""
    good: list[Row] = []
    for position, row in enumerate(rows):
        if isinstance(row, dict) and id_of(row):
            good.append(row)
        else:
            leave_out(position, row)
    return good


def row_count(answer: Answer, key: str = "") -> int:
    """Return how many rows a listing shows, those that were left out included.

    Only this tells whether a page is full. `key`: that of `object_rows`; empty for an array.
    """
    rows = answer.body.get(key) if key else answer.body
    return len(rows)


def row_time(row: Row, column: str, answer: Answer) -> datetime | None:
    """Return a row's time of one column; None when it shows none, or one that is yet to come.

    A record of the year 8000 must not be what the next poll begins after.
    """
    time = parse_time(row.get(column))
    return None if time is None or time > _latest(answer) else time


def row_times(connection: str, rows: list[Row], column: str, answer: Answer) -> list[datetime]:
    """Return the rows' times of one column, without those that have none.

    Raises Unavailable unless they ascend. Paging by a column is only sound when the vendor really
    sorted by it, so that is checked here and not trusted.
    """
    latest = _latest(answer)
    shown = [time for row in rows if (time := parse_time(row.get(column))) is not None]
    times = [time for time in shown if time <= latest]
    if times != sorted(times):
        raise Unavailable(connection, f"the listing is not sorted by {column!r} as asked")
    return times


def _latest(answer: Answer) -> datetime:
    """Return, in the vendor's clock, the last time that a row of an answer can show."""
    return answer.sent_at + FUTURE - answer.clocks.least


def last_time(connection: str, times: Sequence[datetime], column: str) -> datetime:
    """Return the last time of a full page. Raises Unavailable where no row has one."""
    if not times:
        raise Unavailable(connection, f"no record of a whole page has a time in {column!r}")
    return times[-1]


def row_stamp(row: Row, column: str) -> str:
    """Return what a row shows in a column, to know it again by; empty when that is no text."""
    value = row.get(column)
    return value if isinstance(value, str) else ""


# Bodies of webhooks


def event_name(body: Any, path: str) -> str:
    """Read an event's name. Raises Malformed when it is not a short text."""
    name = value_at(body, path)
    if not isinstance(name, str) or not is_id(name.strip()):
        raise Malformed(f"no event name at {path!r}; check the connection's webhook.event")
    return name


def record_id(value: Any, path: str) -> str:
    """Read a record's id, a text or a number. Raises Malformed, naming its path, for others."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and is_id(value):
        return value
    raise Malformed(f"no record id at {path!r}; check the connection's webhook.id")


def generic_hint(body: Any, entities: Collection[str]) -> Parsed | None:
    """Read `{"entity": …, "id": …}`, which any automation may send; None when the body is not one.

    Every connection takes it, whatever its vendor. Raises Malformed when it is one but names no
    entity of this connection, or no id.
    """
    if not isinstance(body, Mapping) or set(body) != {"entity", "id"}:
        return None
    entity = body["entity"]
    if not isinstance(entity, str) or entity not in entities:
        raise Malformed(f"entity is {str(entity)[:40]!r}; allowed: {', '.join(sorted(entities))}")
    remote_id = record_id(body["id"], "id")
    return Parsed(
        hints=(Hint(entity, remote_id),),
        event=GENERIC_EVENT,
        projection={"entity": entity, "id": remote_id},
    )


def ignored_event(event: str, known: Collection[str]) -> Parsed:
    """Return an event as ignored: by choice (one of `known`), or because it is unknown."""
    why = f"event {event} is not used" if event in known else f"unknown event {event}"
    return Parsed(hints=(), event=event, ignored=why, projection={"event": event})
