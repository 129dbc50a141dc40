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

SEARCH_INTERVAL = timedelta(minutes=1)
"""Where no witness is left, the newest tickets are searched for one, this often at most."""
WHY_UNREADABLE = "empty, and no other ticket shows a tag now: is tagging licensed?"


class TagBelief:
    """What one connection has shown of tags so far. May be used from several threads."""

    def __init__(self, *, declared: bool) -> None:
        self.declared = declared
        """The operator says that the organisation has the feature: then `[]` always means empty."""
        self._lock = threading.Lock()
        self._witnesses: tuple[str, ...] = ()
        self._searched_at: datetime | None = None

    def witnesses(self, count: int = WITNESSES) -> list[str]:
        """Return tickets that had tags when last seen, the latest first; none if declared."""
        # Several, for one may lose its last tag, and three at once hardly do.
        with self._lock:
            return [] if self.declared else list(self._witnesses[:count])

    def shown_by(self, rows: Iterable[Row]) -> bool:
        """Learn from the rows of one answer; return whether an empty set among them means empty."""
        tagged = [row_id(row) for row in rows if row.get("tags")]
        with self._lock:
            if tagged:
                older = [ticket for ticket in self._witnesses if ticket not in tagged]
                self._witnesses = tuple([*tagged[-WITNESSES:][::-1], *older][:WITNESSES])
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
        # Witnesses that cannot be asked for by id are only found by the search.
        if not self._may_search(now, always=bool(witnesses) and not by_ids):
            return False
        return self.shown_by(list_tickets({"order_by": "-updated_at", "limit": PAGE_SIZE}))

    def _may_search(self, now: datetime, *, always: bool) -> bool:
        with self._lock:
            last = self._searched_at
            if last is not None and now - last < SEARCH_INTERVAL and not always:
                return False
            self._searched_at = now
            return True


def may_lack_tags(row: Row) -> bool:
    """Return whether a row's tags may be hidden rather than none."""
    return row.get("tags") == []
