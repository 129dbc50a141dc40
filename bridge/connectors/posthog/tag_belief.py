"""When an empty set of tags is believed: only while some other ticket shows a tag.

Without the tagging feature PostHog shows `[]` for every ticket (posthog/api/tagged_item.py in
https://github.com/PostHog/posthog, read 2026-11), and the feature can lapse at any moment. What was
seen before proves nothing about now. So an empty set counts when the same answer shows some other
ticket's tags, or when a ticket that had some, a *witness*, is asked for right afterwards and shows
them still. Otherwise it says nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from bridge.connectors.parsing import Row, row_id
from bridge.connectors.posthog.capabilities import PAGE_SIZE, WITNESSES
from bridge.connectors.posthog.listing import ticket_number

SEARCH_INTERVAL = timedelta(minutes=1)
"""Where no witness asked shows tags, the newest tickets are searched, this often at most."""
MAX_ASKED = 2
"""Witnesses that one look asks one by one: one may have lost its tags, and a read stays cheap."""
WHY_UNREADABLE = "empty, and no other ticket shows a tag now: is tagging licensed?"


class TagBelief:
    """What one connection has shown of tags so far. May be used from several threads."""

    def __init__(self, *, declared: bool) -> None:
        self.declared = declared
        """The operator says that the organisation has the feature: then `[]` always means empty."""
        self._lock = threading.Lock()
        self._witnesses: dict[str, str] = {}
        """Id -> number of tickets that had tags when last seen, the latest first."""
        self._searched_at: datetime | None = None

    def witnesses(self, count: int = WITNESSES) -> list[str]:
        """Return tickets that had tags when last seen, the latest first; none if declared."""
        # Several, for one may lose its last tag, and three at once hardly do.
        with self._lock:
            return [] if self.declared else list(self._witnesses)[:count]

    def shown_by(self, rows: Iterable[Row]) -> bool:
        """Learn from the rows of one listing; return whether an empty set among them means empty.

        Not for what a write answered: that may not be listed yet, and makes no witness.
        """
        tagged = {row_id(row): ticket_number(row) for row in rows if row.get("tags")}
        with self._lock:
            if tagged:
                older = [each for each in self._witnesses.items() if each[0] not in tagged]
                self._witnesses = dict([*reversed(tagged.items()), *older][:WITNESSES])
            return self.declared or bool(tagged)

    def confirm(
        self,
        list_tickets: Callable[[Mapping[str, Any]], list[Row]],
        now: datetime,
        *,
        by_ids: bool,
    ) -> bool:
        """Look whether tags are shown now, after an answer that showed none.

        `by_ids`: the deployment knows the parameter `ids`, so that witnesses can be asked for.
        """
        if self.declared:
            return True
        witnesses = self.witnesses()
        if witnesses and by_ids:
            params = {"ids": ",".join(witnesses), "limit": len(witnesses)}
            if self.shown_by(list_tickets(params)):
                return True
        elif any(self._ask_witness(list_tickets, each) for each in witnesses[:MAX_ASKED]):
            return True
        if not self._may_search(now):
            return False
        return self.shown_by(list_tickets({"order_by": "-updated_at", "limit": PAGE_SIZE}))

    def _ask_witness(
        self, list_tickets: Callable[[Mapping[str, Any]], list[Row]], witness: str
    ) -> bool:
        """Look whether one witness still shows tags; if not, it is none any more."""
        with self._lock:
            number = self._witnesses.get(witness, "")
        if number and self.shown_by(list_tickets({"search": number, "limit": 1})):
            return True
        with self._lock:
            self._witnesses.pop(witness, None)
        return False

    def _may_search(self, now: datetime) -> bool:
        with self._lock:
            last = self._searched_at
            if last is not None and timedelta(0) <= now - last < SEARCH_INTERVAL:
                return False
            self._searched_at = now
            return True


def may_lack_tags(row: Row) -> bool:
    """Return whether a row's tags may be hidden rather than none."""
    return row.get("tags") == []
