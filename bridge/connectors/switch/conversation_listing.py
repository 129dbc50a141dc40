"""How conversations are listed: in an order that nobody can ask for.

The guide gives this listing ticket_id, type, internal, limit and cursor, and no order, as tickets
and customers have one (https://crm.switchlabs.dev/guide/api/rest, read 2026-11). So none is asked
for, and the first page tells which one there is. Newest first is what is expected: a poll reads
down to ground that it knows. Oldest first is read like any ascending listing. Where the rows have
no order by `created_at`, every poll follows the vendor's own cursor through the whole listing, and
says so: slow, but nothing that is listed is missed.

A cursor is a time in whole seconds and excludes it, as in listing.py, so each page begins a second
early, and a second that holds more rows than a page is listed in parts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
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
    row_time,
    value_at,
)
from bridge.connectors.switch.capabilities import PAGE_SIZE
from bridge.connectors.switch.listing import (
    MAX_NEWEST_PAGES,
    RowOfAnswer,
    State,
    SwitchListing,
    divide_crowd,
)
from bridge.connectors.switch.records import SECOND
from bridge.http.caller import Answer

log = logging.getLogger("bridge.connectors")

COLUMN = "created_at"
MAX_PAGES = 10_000
"""Of a listing without order; one that goes on beyond leads round in a circle."""


class Order(StrEnum):
    """What the rows of a page show of the listing's order."""

    UNTOLD = "untold"
    """Too few rows, or all of one second."""
    NEWEST_FIRST = "newest first"
    OLDEST_FIRST = "oldest first"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ConversationListing:
    """The listing of one connection's conversations.

    The state of a walk, as JSON:

    - `top`: the newest time seen, from which the next poll goes back
    - `order`: what was found out; a walk has begun
    - `cursor`: the cursor to send
    - `floor`: how far back the walk goes; None: to the first conversation
    - `seen`: ids of the last pages' rows, which may come again
    - `pages`: how many were read, where there is no order
    - `ascending`: the state of the walk where the oldest comes first
    - `done`: the last page has been read
    """

    connection: str
    call: Callable[[Mapping[str, Any]], Answer]
    filters: Sequence[tuple[str, tuple[str, ...]]] = ()
    """Filters that divide a crowded second: name, values."""

    def walk(
        self, state: Mapping[str, Any], overlap: timedelta | None
    ) -> tuple[list[RowOfAnswer], State | None]:
        """Return the next rows, and the state to go on from.

        No rows: the listing is at its end. The state is then where the next poll begins, earlier
        than the newest row by `overlap`; None for a listing that simply ends.
        """
        after: State = dict(state)
        if "order" not in after:
            after = _begun(after.get("top"), overlap)
        while not after.get("done"):
            if after["order"] == Order.OLDEST_FIRST:
                return self._ascending(after, overlap)
            rows, after = self._step(after)
            if rows:
                return rows, after
        return [], None if overlap is None else {"top": after.get("top")}

    def newest(self, params: Mapping[str, Any], since: datetime | None) -> Iterator[RowOfAnswer]:
        """List those that the parameters let through, down to a time where the newest come first.

        One page when there is no time. Rows may repeat.
        """
        cursor: str | None = None
        for _ in range(MAX_NEWEST_PAGES):
            answer, rows = self._page({**params, "limit": PAGE_SIZE}, cursor)
            yield from ((row, answer) for row in rows)
            following = _following(answer)
            if since is None or following is None:
                return
            times = _times(rows, answer)
            if order_of(times) in {Order.NEWEST_FIRST, Order.UNTOLD} and times:
                if times[-1] + answer.skew < since:
                    return
                following = format_time(times[-1].replace(microsecond=0) + SECOND)
            if following == cursor:
                return
            cursor = following

    def _ascending(
        self, state: State, overlap: timedelta | None
    ) -> tuple[list[RowOfAnswer], State | None]:
        listing = SwitchListing(
            self.connection, "conversations", self.call, self.filters, can_sort=False
        )
        rows, after = listing.walk(COLUMN, state["ascending"], overlap)
        if rows:
            return rows, {**state, "ascending": after}
        return [], None if after is None else {"top": after["top"]}

    def _step(self, state: State) -> tuple[list[RowOfAnswer], State]:
        """Read one page, unless it shows that the listing has another order than was thought."""
        cursor = state["cursor"]
        answer, rows = self._page({"limit": PAGE_SIZE}, cursor)
        times = _times(rows, answer)
        order = order_of(times)
        if state["order"] == Order.NONE:
            return self._unsorted(state, answer, rows, times)
        if order == Order.OLDEST_FIRST and cursor is None:
            begin = {"from": state["floor"], "top": state["top"]}
            return [], {**state, "order": order, "ascending": begin}
        if order in {Order.OLDEST_FIRST, Order.NONE}:
            log.warning(
                "%s: conversations are listed in no order by %s, so each poll reads all of them; "
                "ask the vendor for one",
                self.connection,
                COLUMN,
            )
            return [], {**state, "order": Order.NONE, "cursor": None, "seen": [], "pages": 0}
        return self._descending(state, answer, rows, times)

    def _descending(
        self, state: State, answer: Answer, rows: list[Row], times: list[datetime]
    ) -> tuple[list[RowOfAnswer], State]:
        floor, cursor = state["floor"], state["cursor"]
        done = not row_count(answer, "data") or _following(answer) is None
        if not done:
            second = self._last(times).replace(microsecond=0)
            following = format_time(second + SECOND)
            if cursor is not None and second + SECOND >= known_time(cursor):
                # All of the page is of one second: begun a second early, it would come for ever.
                rows = self._crowd(following, rows, second)
                # A cursor that includes its own second has brought it already.
                early = second if second < known_time(cursor) else second - SECOND
                following = format_time(early)
            cursor = following
            done = floor is not None and times[-1] < known_time(floor)
        seen, begin = set(state["seen"]), known_time(floor) if floor is not None else None
        fresh = [
            row
            for row in rows
            if row_id(row) not in seen and not _is_before(row.get(COLUMN), begin)
        ]
        after = {**state, "cursor": cursor, "done": done, "top": _newest(state["top"], times)}
        after["seen"] = [row_id(row) for row in rows]
        return [(row, answer) for row in fresh], after

    def _unsorted(
        self, state: State, answer: Answer, rows: list[Row], times: list[datetime]
    ) -> tuple[list[RowOfAnswer], State]:
        seen, following = set(state["seen"]), _following(answer)
        fresh = [(row, answer) for row in rows if row_id(row) not in seen]
        pages = state["pages"] + 1
        after = {
            **state,
            "cursor": following,
            "pages": pages,
            "top": _newest(state["top"], times),
            "seen": [row_id(row) for row in rows],
            "done": following in {None, state["cursor"]} or pages >= MAX_PAGES,
        }
        return fresh, after

    def _crowd(self, cursor: str, rows: list[Row], second: datetime) -> list[Row]:
        """List a second that the cursor cannot pass, in parts."""

        def list_part(part: Mapping[str, str]) -> tuple[list[Row], bool]:
            answer, some = self._page({"limit": PAGE_SIZE, **part}, cursor)
            full = row_count(answer, "data") >= PAGE_SIZE
            return some, full and self._last(_times(some, answer)) >= second

        return divide_crowd(self.connection, "conversations", self.filters, rows, second, list_part)

    def _last(self, times: Sequence[datetime]) -> datetime:
        return last_time(self.connection, times, COLUMN)

    def _page(self, params: Mapping[str, Any], cursor: str | None) -> tuple[Answer, list[Row]]:
        answer = self.call({**params} | ({"cursor": cursor} if cursor else {}))
        return answer, object_rows(self.connection, answer, "data")


def order_of(times: Sequence[datetime]) -> Order:
    """Return the order in which times stand."""
    rises = any(before < after for before, after in pairwise(times))
    falls = any(before > after for before, after in pairwise(times))
    if rises and falls:
        return Order.NONE
    return Order.OLDEST_FIRST if rises else Order.NEWEST_FIRST if falls else Order.UNTOLD


def _begun(top: str | None, overlap: timedelta | None) -> State:
    floor = None
    if overlap is not None and top:
        floor = format_time((known_time(top) - overlap).replace(microsecond=0))
    return {"order": Order.UNTOLD, "cursor": None, "floor": floor, "top": top, "seen": []}


def _times(rows: Sequence[Row], answer: Answer) -> list[datetime]:
    shown = (row_time(row, COLUMN, answer) for row in rows)
    return [time for time in shown if time is not None]


def _newest(top: str | None, times: Sequence[datetime]) -> str | None:
    known = [*times, *([known_time(top)] if top else [])]
    return format_time(max(known)) if known else None


def _is_before(shown: Any, begin: datetime | None) -> bool:
    time = parse_time(shown)
    return begin is not None and time is not None and time < begin


def _following(answer: Answer) -> str | None:
    """Return the vendor's cursor of the next page; None where it says that there is none."""
    following = value_at(answer.body, "meta.next_cursor")
    return following if isinstance(following, str) and following else None
