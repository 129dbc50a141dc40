"""The traits that writes of ours were answered with: a listing may not show them yet.

The traits are sent whole. Whoever took them from a listing that is a second behind would take back
what was written a moment before.
"""

from __future__ import annotations

import threading
from typing import Any

from bridge.connectors.parsing import Row, is_row, parse_time, row_id
from bridge.connectors.posthog.capabilities import TRAITS

KEPT = 256
"""Tickets, the last ones written to. Listings are behind by seconds."""


class WrittenTraits:
    """What the last writes of one connection showed. May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}

    def keep(self, answer: Any) -> None:
        """Keep what a write was answered with."""
        if not is_row(answer) or TRAITS not in answer or not row_id(answer):
            return
        with self._lock:
            self._rows.pop(row_id(answer), None)
            self._rows[row_id(answer)] = {name: answer.get(name) for name in (TRAITS, "updated_at")}
            if len(self._rows) > KEPT:
                del self._rows[next(iter(self._rows))]

    def newest(self, listed: Row) -> Any:
        """Return the traits of a ticket: as it is listed, unless that is older than our write."""
        with self._lock:
            written = self._rows.get(row_id(listed))
        if written is None:
            return listed.get(TRAITS)
        at, before = parse_time(listed.get("updated_at")), parse_time(written["updated_at"])
        behind = at is not None and before is not None and at < before
        return written[TRAITS] if behind else listed.get(TRAITS)
