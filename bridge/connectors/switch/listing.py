"""Switch's listings, page by page: a cursor is a time in whole seconds, exclusive, so a page can end inside a second.

Rows that share the boundary second would be skipped by whoever follows `next_cursor`. Each page
begins a second early instead, and rows that were given before are left out. A second that holds
more rows than a page is listed in parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridge.connectors.parsing import (
    format_time,
    known_time,
    object_rows,
    parse_time,
    row_id,
    row_times,
    value_at,
)
from bridge.connectors.switch.records import SECOND, Row
from bridge.errors import Unavailable
from bridge.http.client import Answer

PAGE = 100
FIND_PAGES = 20


@dataclass(frozen=True, slots=True)
class Listing:
    """One listing of a connection. Raises Unavailable where it turns out not to be what was asked for."""

    connection: str
    what: str
    """In messages: `tickets`."""
    get: Callable[[Mapping[str, Any]], Answer]
    parts: Sequence[tuple[str, tuple[str, ...]]] = ()
    """Filters that divide a crowded second: name, values."""

    def walk(
        self, column: str, state: Mapping[str, Any], then: timedelta | None
    ) -> tuple[list[tuple[Row, Answer]], dict[str, Any] | None]:
        """Give the next rows in ascending order of a column, and the state to go on from.

        The state: `from`, the cursor to send; `seen`, id -> time of rows given that may come again;
        `top`, the newest time seen. `then` is the overlap of the next poll; None for a listing that
        simply ends.
        """
        start, seen, top = state.get("from"), dict(state.get("seen", {})), state.get("top")
        while not state.get("done"):
            params = {"order_by": column, "order_dir": "asc", "limit": PAGE} | (
                {"cursor": start} if start else {}
            )
            answer = self.get(params)
            rows = object_rows(self.connection, answer, "data")
            at = row_times(self.connection, rows, column)
            begun = parse_time(start)
            if begun is not None and at and at[0] < begun - SECOND:
                raise self._unavailable(
                    "the listing ignores its cursor, it cannot be polled", answer.status
                )
            full = len(rows) >= PAGE
            if full:
                rewound = at[-1].replace(microsecond=0) - SECOND
                if begun is not None and rewound <= begun:
                    rows, start = self._crowd(column, start, rows, at[-1]), format_time(at[-1])
                else:
                    start = format_time(rewound)
            shown = [(row_id(row), row) for row in rows]
            fresh = [row for name, row in shown if seen.get(name) != row[column]]
            top = max(
                filter(None, (top, format_time(at[-1]) if at else None)),
                key=known_time,
                default=None,
            )
            if fresh:
                seen |= {name: row[column] for name, row in shown}
                edge = parse_time(start)
                kept = {
                    key: at for key, at in seen.items() if edge is None or known_time(at) >= edge
                }
                done = not full and not value_at(answer.body, "meta.next_cursor")
                return [(row, answer) for row in fresh], {
                    "from": start,
                    "seen": kept,
                    "top": top,
                    "done": done,
                }
            if not full:
                break
        if then is None:
            return [], None
        return [], {
            "from": format_time((known_time(top) - then).replace(microsecond=0)) if top else None,
            "top": top,
        }

    def newest(
        self, params: Mapping[str, Any], since: datetime | None
    ) -> Iterator[tuple[Row, Answer]]:
        """List newest first: down to the given time, or one page when there is none. Rows may repeat."""
        before: str | None = None
        for _ in range(FIND_PAGES):
            window = {"order_by": "created_at", "order_dir": "desc", "limit": PAGE, **params}
            answer = self.get(window | ({"cursor": before} if before else {}))
            rows = object_rows(self.connection, answer, "data")
            yield from ((row, answer) for row in rows)
            last = parse_time(rows[-1].get("created_at")) if rows else None
            if len(rows) < PAGE or last is None or since is None or last + answer.skew < since:
                return
            after = format_time(last.replace(microsecond=0) + SECOND)
            if after == before:
                return
            before = after

    def _crowd(self, column: str, start: str | None, rows: list[Row], end: datetime) -> list[Row]:
        """List a second that the cursor cannot pass, by one filter and then by the next."""
        found = {row_id(row): row for row in rows}
        pending = self._finer({}, end)
        for part in pending:
            params = {"order_by": column, "order_dir": "asc", "limit": PAGE, "cursor": start} | part
            some = object_rows(self.connection, self.get(params), "data")
            at = row_times(self.connection, some, column)
            found |= {row_id(row): row for row in some}
            if len(some) >= PAGE and at[-1] < end.replace(microsecond=0) + SECOND:
                pending.extend(self._finer(part, end))
        return list(found.values())

    def _finer(self, part: Mapping[str, str], end: datetime) -> list[dict[str, str]]:
        if len(part) == len(self.parts):
            raise self._unavailable(
                f"more than {PAGE} {self.what} share the second {format_time(end)}, no listing shows all"
            )
        name, values = self.parts[len(part)]
        return [{**part, name: value} for value in values]

    def _unavailable(self, what: str, status: int | None = None) -> Unavailable:
        return Unavailable(self.connection, what, status=status)
