"""The newest that is known of tickets' traits, which are sent whole.

A listing may not show yet what a write of ours was answered with: whoever took the traits from one
that is a second behind would take back what was written a moment before. And a write follows the
read by which it is decided: what that showed need not be read once more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from bridge.connectors.parsing import Row, is_row, parse_time, row_id
from bridge.connectors.posthog.capabilities import TRAITS

KEPT = 256
"""Tickets, the last ones written to. Listings are behind by seconds."""


MOMENT = timedelta(seconds=2)
"""A read and the write that follows it are less apart than this."""


class WrittenTraits:
    """What one connection's writes showed, and its reads just now. Several threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._read = threading.local()

    def note_read(self, rows: Iterable[Row], at: datetime) -> None:
        """Keep what was just read in this thread, in place of what was read before."""
        self._read.rows, self._read.at = {row_id(row): row for row in rows}, at

    def just_read(self, ticket: str, now: datetime) -> Row | None:
        """Return a ticket as it was read in this thread a moment ago, once; None: it was not."""
        at: datetime | None = getattr(self._read, "at", None)
        if at is None or not timedelta(0) <= now - at <= MOMENT:
            return None
        rows: dict[str, Row] = self._read.rows
        return rows.pop(ticket, None)

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
