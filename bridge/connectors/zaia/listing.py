"""How Zaia's listings are walked: one status at a time, in windows of rows that overlap.

A listing is of one status, in pages counted from the front. No order is promised, there is no total
and no end but a short page (https://docs.zaia.app, API reference (alpha), tickets, read 2026-11),
and rows move while they are read. So each window of rows begins a little before the end of the last
one, and statuses are walked in the order of a ticket's life: a ticket that moves on meanwhile is
seen twice, and not missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.connectors.parsing import Row, array_rows, row_count, row_id
from bridge.errors import NotFound, Refused, Unauthorised, Unavailable
from bridge.http.caller import Answer

PAGE_SIZE = 100
SHARED_ROWS = 20
"""Rows by which windows overlap: as many may leave the front between calls without one missed."""
MAX_WINDOWS = 2000
"""Of one status; a listing that goes on is broken."""
UNUSED_TAG = "00000000-0000-4000-8000-000000000000"
"""A tag that no deployment has: what lists tickets for it does not look at the filter."""

Place = list[Any]
"""Number of the leg, windows of it so far, page size, page number, ids of the last window."""
START: Place = [0, 0, PAGE_SIZE, 1, []]


@dataclass(frozen=True, slots=True)
class Window:
    """Some rows of a listing."""

    status: str
    rows: list[Row]
    answer: Answer
    after: Place | None
    """Where the next window is; None after the last."""
    joins: bool
    """Whether it fits the window before: they share rows, and in the same order."""


class ZaiaListing:
    """The listings of one connection. Raises Unavailable where one does not hold together."""

    def __init__(
        self, connection: str, statuses: Sequence[str], call: Callable[[Mapping[str, Any]], Answer]
    ) -> None:
        self.connection = connection
        self.statuses = statuses
        self._call = call
        self._heeds_tags: bool | None = None

    def page(self, status: str, number: int, size: int, **filters: str) -> tuple[list[Row], Answer]:
        """Return one page of one status.

        With `filters` a refusal is the caller's to understand. Without, it is about the status: a
        word that the deployment does not know. That stops the connection, or an empty system would
        be believed in.
        """
        params = {
            "status": status,
            "pageNumber": number,
            "pageSize": size,
            # Else tickets of removed chats would seem to be gone.
            "includeRemoved": "true",
            **filters,
        }
        try:
            answer = self._call(params)
        except NotFound as error:
            if filters:
                raise
            raise self._unavailable(
                "there is no ticket listing here; check base_url", error.status
            ) from None
        except Refused as error:
            if filters:
                raise
            why = f"the status {status!r} is refused; name this deployment's words under `statuses`"
            raise Unauthorised(
                self.connection, why, status=error.status, detail=error.detail
            ) from None
        return array_rows(self.connection, answer), answer

    def window(self, legs: Sequence[str], place: Place, **filters: str) -> Window:
        """Read one window. `legs` are the statuses, in the order in which they are listed."""
        leg, _count, size, number, before = place
        rows, answer = self.page(legs[leg], number, size, **filters)
        ids = [row_id(row) for row in rows]
        try:
            after = next_place(place, len(legs), ids, full=row_count(answer) >= size)
        except ValueError as error:
            raise self._unavailable(f"the listing of {legs[leg]} {error}", answer.status) from None
        return Window(legs[leg], rows, answer, after, windows_join(before, ids))

    def next_window(self, place: Place | None) -> Window | None:
        """Read on through all statuses to a window that has rows; None when there is none."""
        while place is not None:
            window = self.window(self.statuses, place)
            if window.rows:
                return window
            place = window.after
        return None

    def heeds_tags(self, status: str, **filters: str) -> bool:
        """Return whether listings look at the tag asked for; `status` must have rows."""
        if self._heeds_tags is None:
            try:
                rows, _ = self.page(status, 1, 1, tagIds=UNUSED_TAG, **filters)
                self._heeds_tags = not rows
            except (Refused, NotFound):
                # An unknown tag is refused, so it was looked at.
                self._heeds_tags = True
        return self._heeds_tags

    def carries(self, row: Row, tag_id: str) -> bool | None:
        """Return whether a ticket carries a tag; None where listings do not say."""
        status, chat = str(row.get("status")), str(row.get("chatId"))
        if not self.heeds_tags(status, chatIds=chat):
            return None
        rows, _ = self.page(status, 1, PAGE_SIZE, tagIds=tag_id, chatIds=chat)
        return row_id(row) in {row_id(tagged) for tagged in rows}

    def _unavailable(self, what: str, status: int | None) -> Unavailable:
        return Unavailable(self.connection, what, status=status)


def next_place(place: Sequence[Any], legs: int, ids: Sequence[str], *, full: bool) -> Place | None:
    """Return the place after a window with these ids; None after the last leg.

    `full`: the window has as many rows as were asked for, so that more may follow.

    Raises ValueError for a listing that cannot end.
    """
    leg, count, size, number, before = place
    if not full:
        return [leg + 1, *START[1:]] if leg + 1 < legs else None
    if before and set(ids) <= set(before):
        raise ValueError("gives the same page again and again")
    if count >= MAX_WINDOWS:
        raise ValueError(f"has more than {MAX_WINDOWS} pages")
    return [leg, count + 1, *_window_from(size * number), list(ids)]


def windows_join(before: Sequence[str], ids: Sequence[str]) -> bool:
    """Return whether two windows of one listing fit: they share rows, and in the same order."""
    here, there = set(ids), set(before)
    shared = [remote_id for remote_id in ids if remote_id in there]
    return not before or (
        bool(shared) and shared == [remote_id for remote_id in before if remote_id in here]
    )


def _window_from(end: int) -> tuple[int, int]:
    """Return size and number of the page that goes on from row `end`.

    It begins SHARED_ROWS earlier or more, and reaches as far as any page that does.
    """
    pages = [
        (size, (end - SHARED_ROWS) // size + 1) for size in range(PAGE_SIZE // 2, PAGE_SIZE + 1)
    ]
    return max(pages, key=lambda page: page[0] * page[1])
