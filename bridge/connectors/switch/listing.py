"""How Switch's listings are walked: by a cursor that is a time in whole seconds, exclusive.

So a page can end inside a second, and who follows the vendor's `next_cursor` never sees the other
rows of that second (https://crm.switchlabs.dev/guide/api/rest, read 2026-11). Each page begins a
second early instead, and rows that were given before are left out. A second that holds more rows
than a page is listed in parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridge.connectors.parsing import (
    Row,
    format_time,
    known_time,
    last_time,
    object_rows,
    parse_time,
    row_count,
    row_id,
    row_stamp,
    row_times,
    value_at,
)
from bridge.connectors.switch.capabilities import PAGE_SIZE
from bridge.connectors.switch.records import SECOND
from bridge.errors import Unavailable
from bridge.http.caller import Answer

MAX_NEWEST_PAGES = 20
MAX_PAGES_MADE_SINCE = 100

RowOfAnswer = tuple[Row, Answer]
State = dict[str, Any]
"""Where a listing stands, as JSON:

- `from`: the cursor to send
- `seen`: id -> time of the rows given that may come again; empty for one that shows none
- `top`: the newest time seen
- `done`: the last page has been read
"""


@dataclass(frozen=True, slots=True)
class SwitchListing:
    """One listing of a connection. Raises Unavailable where it is not what was asked for."""

    connection: str
    noun: str
    """In messages: `tickets`."""
    call: Callable[[Mapping[str, Any]], Answer]
    filters: Sequence[tuple[str, tuple[str, ...]]] = ()
    """Filters that divide a crowded second: name, values."""
    can_sort: bool = True
    """An order can be asked for. False: the listing is known to ascend by itself."""

    def walk(
        self, column: str, state: Mapping[str, Any], overlap: timedelta | None
    ) -> tuple[list[RowOfAnswer], State | None]:
        """Return the next rows in ascending order of a column, and the state to go on from.

        No rows: the listing is at its end. The state is then where the next poll begins, earlier
        than the newest row by `overlap`; None for a listing that simply ends.
        """
        start, top = state.get("from"), state.get("top")
        seen = dict(state.get("seen", {}))
        while not state.get("done"):
            answer, rows, times = self._page(column, start)
            full = row_count(answer, "data") >= PAGE_SIZE
            if full:
                last = last_time(self.connection, times, column)
                rows, start = self._next_start(column, start, rows, last)
            if times:
                newest = format_time(times[-1])
                top = max(top, newest, key=known_time) if top else newest
            stamps = [(row_id(row), row_stamp(row, column)) for row in rows]
            fresh = [
                row
                for row, (remote_id, stamp) in zip(rows, stamps, strict=True)
                if seen.get(remote_id) != stamp
            ]
            if fresh:
                seen |= dict(stamps)
                done = not full and not value_at(answer.body, "meta.next_cursor")
                after = {"from": start, "seen": _not_before(start, seen), "top": top, "done": done}
                return [(row, answer) for row in fresh], after
            if not full:
                break
        if overlap is None:
            return [], None
        begin = (known_time(top) - overlap).replace(microsecond=0) if top else None
        return [], {"from": format_time(begin) if begin else None, "top": top}

    def newest(self, params: Mapping[str, Any], since: datetime | None) -> Iterator[RowOfAnswer]:
        """List newest first: down to a time, or one page when there is none. Rows may repeat."""
        cursor: str | None = None
        order = {"order_by": "created_at", "order_dir": "desc", "limit": PAGE_SIZE}
        for _ in range(MAX_NEWEST_PAGES):
            answer = self.call({**order, **params} | ({"cursor": cursor} if cursor else {}))
            rows = object_rows(self.connection, answer, "data")
            yield from ((row, answer) for row in rows)
            times = [parse_time(row.get("created_at")) for row in rows]
            last = next((time for time in reversed(times) if time is not None), None)
            if row_count(answer, "data") < PAGE_SIZE or last is None:
                return
            if since is None or last + answer.skew < since:
                return
            # A second late, for the same reason.
            following = format_time(last.replace(microsecond=0) + SECOND)
            if following == cursor:
                return
            cursor = following

    def made_since(self, since: datetime) -> Iterator[RowOfAnswer]:
        """List what was made since a time, the newest first, and a little more. Rows may repeat.

        Raises Unavailable where the listing does not come to that time, or is not in that order.
        """
        cursor: str | None = None
        order = {"order_by": "created_at", "order_dir": "desc", "limit": PAGE_SIZE}
        for _ in range(MAX_PAGES_MADE_SINCE):
            answer = self.call(order | ({"cursor": cursor} if cursor else {}))
            rows = object_rows(self.connection, answer, "data")
            times = row_times(self.connection, rows[::-1], "created_at", answer)
            yield from ((row, answer) for row in rows)
            if row_count(answer, "data") < PAGE_SIZE or (times and times[0] + answer.skew < since):
                return
            last = last_time(self.connection, times[:1], "created_at")
            # A second late, for the same reason.
            following = format_time(last.replace(microsecond=0) + SECOND)
            if following == cursor:
                break
            cursor = following
        raise self._unavailable(f"the listing does not come to {format_time(since)}")

    def _page(self, column: str, start: str | None) -> tuple[Answer, list[Row], list[datetime]]:
        """Return a page in ascending order, and the times of its rows."""
        answer = self.call(self._ascending(column) | ({"cursor": start} if start else {}))
        rows = object_rows(self.connection, answer, "data")
        times = row_times(self.connection, rows, column, answer)
        if start and times and times[0] < known_time(start) - SECOND:
            raise self._unavailable(
                "the listing ignores its cursor, it cannot be polled", answer.status
            )
        return answer, rows, times

    def _next_start(
        self, column: str, start: str | None, rows: list[Row], last: datetime
    ) -> tuple[list[Row], str]:
        """Return a full page's rows, completed if need be, and where the next page begins."""
        early = last.replace(microsecond=0) - SECOND
        if start is None or early > known_time(start):
            return rows, format_time(early)
        # All of the page is of one second: begun a second early, it would come again for ever.
        # A cursor that includes its own second has brought it already.
        following = last if last > known_time(start) else last + SECOND
        return self._crowd(column, start, rows, last), format_time(following)

    def _crowd(self, column: str, start: str, rows: list[Row], last: datetime) -> list[Row]:
        """List a second that the cursor cannot pass, in parts."""
        end = last.replace(microsecond=0) + SECOND

        def list_part(part: Mapping[str, str]) -> tuple[list[Row], bool]:
            answer = self.call({**self._ascending(column), "cursor": start, **part})
            some = object_rows(self.connection, answer, "data")
            times = row_times(self.connection, some, column, answer)
            full = row_count(answer, "data") >= PAGE_SIZE
            return some, full and last_time(self.connection, times, column) < end

        return divide_crowd(self.connection, self.noun, self.filters, rows, last, list_part)

    def _ascending(self, column: str) -> dict[str, Any]:
        order = {"order_by": column, "order_dir": "asc"} if self.can_sort else {}
        return {**order, "limit": PAGE_SIZE}

    def _unavailable(self, what: str, status: int | None = None) -> Unavailable:
        return Unavailable(self.connection, what, status=status)


def divide_crowd(
    connection: str,
    noun: str,
    filters: Sequence[tuple[str, tuple[str, ...]]],
    rows: Sequence[Row],
    second: datetime,
    list_part: Callable[[Mapping[str, str]], tuple[list[Row], bool]],
) -> list[Row]:
    """Return the rows of a second that holds more than a page, listed by one filter after another.

    `list_part` lists a part of it, and says whether that is still more than a page. Raises
    Unavailable if no filter is left.
    """
    found = {row_id(row): row for row in rows}
    parts: list[dict[str, str]] = [{}]
    for part in parts:
        if len(part) == len(filters):
            raise Unavailable(
                connection,
                f"more than {PAGE_SIZE} {noun} share the second {format_time(second)}, "
                "no listing shows all",
            )
        name, values = filters[len(part)]
        for value in values:
            smaller = {**part, name: value}
            some, too_many = list_part(smaller)
            found |= {row_id(row): row for row in some}
            if too_many:
                parts.append(smaller)
    return list(found.values())


def _not_before(start: str | None, seen: Mapping[str, str]) -> dict[str, str]:
    """Leave out what will not come again when the listing goes on from `start`."""
    if start is None:
        return dict(seen)
    begin = known_time(start)
    return {
        remote_id: stamp
        for remote_id, stamp in seen.items()
        if (time := parse_time(stamp)) is None or time >= begin
    }
