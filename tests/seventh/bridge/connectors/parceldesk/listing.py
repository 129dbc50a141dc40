"""How Parcel Desk's listing is walked: from the last page to the first.

Pages are numbered and sorted by id, so new tickets come at the end. When somebody removes a ticket,
all later ones move towards the front: who reads forward misses those that pass him. Read backward,
a ticket is met twice at worst. `total` may be a minute old, so the last page is found by looking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bridge.connectors.parsing import Row, object_rows
from bridge.errors import Unavailable
from bridge.http.caller import Answer
from tests.seventh.bridge.connectors.parceldesk.capabilities import PAGE_SIZE

MAX_PAGES = 20_000
"""A listing that goes on is broken."""


@dataclass(frozen=True, slots=True)
class NumberedPage:
    """One page of the listing."""

    number: int
    rows: list[Row]
    answer: Answer

    @property
    def is_full(self) -> bool:
        """Return whether more rows may follow."""
        return len(self.rows) >= PAGE_SIZE

    @property
    def last_by_total(self) -> int:
        """Return the number of the last page if `total` is right; 1 where it is no number."""
        total = self.answer.body.get("total")
        return -(-total // PAGE_SIZE) if isinstance(total, int) else 1


class ParcelDeskListing:
    """The listing of one connection. Raises Unavailable where it does not hold together."""

    def __init__(self, connection: str, call: Callable[[Mapping[str, Any]], Answer]) -> None:
        self.connection = connection
        self._call = call

    def page(self, number: int, **filters: str) -> NumberedPage:
        """Return one page."""
        answer = self._call({"page": number, "per_page": PAGE_SIZE, **filters})
        rows = object_rows(self.connection, answer, "tickets")
        if any(not isinstance(row["id"], int) for row in rows):
            raise Unavailable(self.connection, "a ticket's id is no number")
        if any(before["id"] >= after["id"] for before, after in pairwise(rows)):
            raise Unavailable(self.connection, "the listing is not sorted by id as documented")
        return NumberedPage(number, rows, answer)

    def last(self, **filters: str) -> NumberedPage | None:
        """Return the last page that has rows; None: there is no ticket."""
        page = self.page(1, **filters)
        if page.is_full:
            page = self.page(max(2, page.last_by_total), **filters)
        while page.is_full:
            if page.number >= MAX_PAGES:
                raise Unavailable(self.connection, f"the listing goes on past page {MAX_PAGES}")
            page = self.page(page.number + 1, **filters)
        return page if page.rows else self.at_most(page.number - 1, **filters)

    def at_most(self, number: int, **filters: str) -> NumberedPage | None:
        """Return this page, or the next towards the front that has rows; None: none has any."""
        while number >= 1:
            page = self.page(number, **filters)
            if page.rows:
                return page
            number -= 1
        return None
