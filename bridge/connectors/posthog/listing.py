"""How the tickets of a PostHog project are listed: by ids, by last change, by creation.

The listing counts pages by offset, so that a ticket which goes away or moves shifts all that come
after it. Every walk here is made so that none is missed by that. Filters and parameters that the
deployment does not know are dropped without a word (tickets.py of products/conversations/backend in
https://github.com/PostHog/posthog, read 2026-11): what was asked for is looked for in the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
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
)
from bridge.connectors.posthog.capabilities import PAGE_SIZE
from bridge.errors import Unavailable
from bridge.http.caller import Answer

SHARED_ROWS = 20
"""Rows by which pages overlap: as many may vanish between two calls without one being missed."""
POLL_OVERLAP = timedelta(minutes=10)
"""Each poll begins this much before the newest time of the last one."""
MAX_NEWEST_PAGES = 20
MAX_PAGES_MADE_SINCE = 100
SCAN_SIZE = 500
"""Rows of one page where all tickets are looked through: half of what is allowed."""

NEWEST_CHANGED: Mapping[str, Any] = {"order_by": "-updated_at", "limit": PAGE_SIZE}
"""What asks for the page of tickets that were changed last."""

State = dict[str, Any]
"""Where a listing stands, as JSON."""


def ticket_number(row: Row) -> str:
    """Return a ticket's number as text; empty when the row shows none."""
    return row_id({"id": row.get("ticket_number")})


@dataclass(frozen=True, slots=True)
class RowsOfPage:
    """Rows of one page."""

    answer: Answer
    rows: list[Row]
    full: bool
    """Whether the page had as many rows as were asked for, so that more may follow."""

    @property
    def ids(self) -> set[str]:
        """Return the ids of the tickets that it shows."""
        return {row_id(row) for row in self.rows}


@dataclass(frozen=True, slots=True)
class PostHogListing:
    """The listing of one connection. Raises Unavailable where it is not what was asked for."""

    connection: str
    call: Callable[[Mapping[str, Any]], Answer]

    def ask(self, params: Mapping[str, Any]) -> RowsOfPage:
        """Return what the listing shows for these parameters."""
        answer = self.call(params)
        rows = object_rows(self.connection, answer, "results")
        full = row_count(answer, "results") >= params["limit"]
        return RowsOfPage(answer, rows, full=full)

    def by_ids(self, ids: Collection[str]) -> RowsOfPage:
        """Ask for tickets by id: where `ids` is not known, the newest page comes instead."""
        return self.ask({"ids": ",".join(sorted(ids)), **NEWEST_CHANGED})

    def by_number(self, number: str) -> RowsOfPage:
        """Ask for the ticket of a number."""
        return self.ask({"search": number, "limit": 1})

    def newest_changed(self) -> RowsOfPage:
        """Return the tickets that were changed last."""
        return self.ask(NEWEST_CHANGED)

    def by_creation(self, size: int) -> Iterator[RowsOfPage]:
        """List all tickets, the newest first, page by page. Rows may repeat."""
        offset = 0
        while True:
            shown = self.ask({"order_by": "-created_at", "limit": size, "offset": offset})
            yield shown
            if not shown.full:
                return
            offset += size - SHARED_ROWS

    def newest(self, since: datetime | None) -> Iterator[RowsOfPage]:
        """List newest first: down to a time, or one page when there is none. Rows may repeat."""
        offset = 0
        for _ in range(MAX_NEWEST_PAGES):
            shown = self.ask({"order_by": "-created_at", "limit": PAGE_SIZE, "offset": offset})
            yield shown
            times = [parse_time(row.get("created_at")) for row in shown.rows]
            last = next((time for time in reversed(times) if time is not None), None)
            if not shown.full or since is None or last is None or last + shown.answer.skew < since:
                return
            offset += PAGE_SIZE - SHARED_ROWS

    def made_since(self, since: datetime) -> Iterator[RowsOfPage]:
        """List what was made since a time, the newest first, and a little more. Rows may repeat.

        Raises Unavailable where the listing does not come to that time, or is not in that order.
        """
        for shown in islice(self.by_creation(PAGE_SIZE), MAX_PAGES_MADE_SINCE):
            times = row_times(self.connection, shown.rows[::-1], "created_at", shown.answer)
            yield shown
            if not shown.full or (times and times[0] + shown.answer.skew < since):
                return
        raise Unavailable(self.connection, f"the listing does not come to {format_time(since)}")

    def changed(self, state: State) -> tuple[RowsOfPage | None, State]:
        """Return new rows in order of `updated_at`, and the state after them.

        None: there are no more, and the state is where the next poll begins. The state:

        - `from`: the time to list from
        - `offset`: rows to leave out; only where more rows than a page share one time (a bulk edit)
        - `seen`: id -> time of the rows given that will come again
        - `top`: the newest time seen
        - `done`: the last page has been read
        """
        while not state.get("done"):
            shown = self._changed_page(state)
            times = row_times(self.connection, shown.rows, "updated_at", shown.answer)
            start, seen = state.get("from"), state.get("seen", {})
            if start and times and times[0] < known_time(start):
                raise Unavailable(
                    self.connection, "the listing ignores date_from, it cannot be polled"
                )
            fresh = [
                row for row in shown.rows if seen.get(row_id(row)) != row_stamp(row, "updated_at")
            ]
            state = self._after(state, shown, fresh, times)
            if fresh:
                return replace(shown, rows=fresh), state
        top = state.get("top")
        begin = format_time(known_time(top) - POLL_OVERLAP) if top else None
        return None, {"from": begin, "top": top}

    def _changed_page(self, state: State) -> RowsOfPage:
        params: dict[str, Any] = {"order_by": "updated_at", "limit": PAGE_SIZE}
        if state.get("from"):
            params["date_from"] = state["from"]
        if state.get("offset"):
            params["offset"] = state["offset"]
        return self.ask(params)

    def _after(
        self, state: State, shown: RowsOfPage, fresh: list[Row], times: list[datetime]
    ) -> State:
        """Return the state after a page."""
        start, offset, top = state.get("from"), state.get("offset", 0), state.get("top")
        seen = state.get("seen", {}) | {row_id(row): row_stamp(row, "updated_at") for row in fresh}
        if times:
            # `updated_at` takes a message's own time, so it may be older than what was seen
            # (signals.py of products/conversations, read 2026-11).
            newest = format_time(times[-1])
            top = max(top, newest, key=known_time) if top else newest
        last = last_time(self.connection, times, "updated_at") if shown.full else None
        if last is not None and (start is None or last > known_time(start)):
            # Begin again at the last row: counting on by offset would step over rows when others
            # move away.
            start, offset = format_time(last), 0
            seen = {
                key: stamp
                for key, stamp in seen.items()
                if (time := parse_time(stamp)) is None or time >= last
            }
        elif shown.full:
            offset += PAGE_SIZE - SHARED_ROWS
        return {"from": start, "offset": offset, "seen": seen, "top": top, "done": not shown.full}

    def scan(self, state: State) -> tuple[RowsOfPage, State | None]:
        """Return the next rows by creation, and the state after them; None after the last page.

        The state: `offset`, and `seen`, the ids at the end of the last page.
        """
        offset, seen = state.get("offset", 0), set(state.get("seen", ()))
        shown = self._by_creation(offset)
        while offset and seen and not any(row_id(row) in seen for row in shown.rows):
            # More tickets were deleted than pages overlap: go back to where we know the rows.
            offset = max(0, offset - PAGE_SIZE)
            shown = self._by_creation(offset)
        fresh = replace(shown, rows=[row for row in shown.rows if row_id(row) not in seen])
        if not shown.full:
            return fresh, None
        last_ids = [row_id(row) for row in shown.rows[-2 * SHARED_ROWS :]]
        return fresh, {"offset": offset + PAGE_SIZE - SHARED_ROWS, "seen": last_ids}

    def _by_creation(self, offset: int) -> RowsOfPage:
        return self.ask({"order_by": "created_at", "limit": PAGE_SIZE, "offset": offset})
