"""What all JSON listings have in common: shapes that must hold, and times that must be read as UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from bridge.errors import Unavailable
from bridge.http.client import Answer


def moment(value: Any) -> datetime | None:
    """Read an ISO time as aware UTC (one without an offset is taken as UTC); None when it is none."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def past(value: str) -> datetime:
    """Read again a time that has been read before."""
    found = moment(value)
    if found is None:
        raise ValueError(value)
    return found


def same_text(one: Any, other: Any) -> bool:
    """Compare two texts as people do: outer spaces and case do not count."""
    return (
        isinstance(one, str)
        and isinstance(other, str)
        and one.strip().casefold() == other.strip().casefold()
    )


def stamp(at: datetime) -> str:
    """Write a time the way that both our cursors and the vendors' parameters take it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def objects(connection: str, answer: Answer, key: str) -> list[Mapping[str, Any]]:
    """Give a listing's rows. Raises Unavailable unless every row is an object with an id."""
    rows = answer.body.get(key) if isinstance(answer.body, dict) else None
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and identity(row) for row in rows
    ):
        raise Unavailable(
            connection, f"a listing without proper rows under {key!r}", status=answer.status
        )
    return rows


def identity(row: Mapping[str, Any]) -> str:
    """Give a row's id as text, empty when it has none."""
    value = row.get("id")
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def times(connection: str, rows: list[Mapping[str, Any]], column: str) -> list[datetime]:
    """Give the rows' times of one column. Raises Unavailable unless all are there and in ascending order.

    Paging by a column is only sound when the vendor really sorted by it, so that is looked at, not
    trusted.
    """
    found = [moment(row.get(column)) for row in rows]
    good = [each for each in found if each is not None]
    if len(good) != len(found):
        odd = next(identity(row) for row, at in zip(rows, found, strict=True) if at is None)
        raise Unavailable(connection, f"record {odd} has no time in {column!r}")
    if any(before > after for before, after in pairwise(good)):
        raise Unavailable(connection, f"the listing is not sorted by {column!r} as asked")
    return good
