"""Whether an empty set of tags may be believed: only next to a tag that is shown at the same time.

Without the tagging licence PostHog shows `[]` for every ticket, and a licence can lapse at any
moment. What was seen before proves nothing about now, so an empty set counts when the same answer
shows some other ticket's tags, or when a ticket that had some is asked for afterwards and shows
them still. Else it says nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from bridge.connectors.parsing import row_id

Row = Mapping[str, Any]

WITNESSES = 3
"""Tickets whose tags are looked at again: one may lose its last tag, three at once hardly do."""
LOOK_AGAIN = timedelta(minutes=1)
"""Where no witness is left, a page of the newest tickets is searched for one, this often at most."""
WHY = "empty, and no other ticket shows a tag now: is tagging licensed?"


class Tags:
    """What one connection has shown of tags. Thread-safe."""

    def __init__(self, *, declared: bool) -> None:
        self.declared = declared
        """The operator says that the organisation has the feature: then `[]` means empty, always."""
        self._lock = threading.Lock()
        self._witnesses: tuple[str, ...] = ()
        self._looked: datetime | None = None

    def witnesses(self, count: int = WITNESSES) -> list[str]:
        """Give tickets that had tags when they were last seen, the latest first; none when that is no question."""
        with self._lock:
            return [] if self.declared else list(self._witnesses[:count])

    def proved_by(self, rows: Iterable[Row]) -> bool:
        """Take in the rows of one answer; True when an empty set among them means empty."""
        tagged = [row_id(row) for row in rows if row.get("tags")]
        with self._lock:
            if tagged:
                kept = [each for each in self._witnesses if each not in tagged]
                self._witnesses = tuple([*tagged[-WITNESSES:][::-1], *kept][:WITNESSES])
            return self.declared or bool(tagged)

    def proved(
        self, ask: Callable[[Mapping[str, Any]], list[Row]], now: datetime, *, by_ids: bool
    ) -> bool:
        """Look whether tags are shown now, after an answer that showed none; `ask` lists tickets."""
        if self.declared:
            return True
        known = self.witnesses()
        if known and by_ids and self.proved_by(ask({"ids": ",".join(known), "limit": len(known)})):
            return True
        with self._lock:
            if (
                self._looked is not None
                and now - self._looked < LOOK_AGAIN
                and (by_ids or not known)
            ):
                return False
            self._looked = now
        return self.proved_by(ask({"order_by": "-updated_at", "limit": 100}))


def silent(row: Row) -> bool:
    """Say whether a row's tags may be missing rather than none."""
    return row.get("tags") == []
