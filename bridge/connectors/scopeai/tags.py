"""The names of a ScopeAI account's tags, by id: asked for when a ticket needs them, kept for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

KEPT = timedelta(minutes=10)
"""How long a name is believed; one that nobody could give is asked for again after as long."""


class TagNames:
    """A cache of names. Safe to share between threads: two may ask for the same, which harms nothing."""

    def __init__(
        self,
        now: Callable[[], datetime],
        everything: Callable[[], Mapping[str, str]],
        one: Callable[[str], str | None],
    ) -> None:
        self._now, self._everything, self._one = now, everything, one
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str | None, datetime]] = {}
        self._listed: datetime | None = None

    def of(self, ids: Collection[str]) -> Mapping[str, str | None]:
        """Give the names of these tags; None for one that nobody can name.

        One listing serves all; what it leaves out is asked for one by one.
        """
        now = self._now()
        missing = self._stale(ids, now)
        with self._lock:
            listed = self._listed is not None and now - self._listed < KEPT
        if missing and not listed:
            found = self._everything()
            with self._lock:
                self._known.update({tag: (name, now) for tag, name in found.items()})
                self._listed = now
            missing = self._stale(ids, now)
        for tag in sorted(missing):
            name = self._one(tag)
            with self._lock:
                self._known[tag] = (name, now)
        with self._lock:
            return {tag: self._known[tag][0] for tag in ids}

    def _stale(self, ids: Collection[str], now: datetime) -> set[str]:
        with self._lock:
            return {
                tag for tag in ids if tag not in self._known or now - self._known[tag][1] >= KEPT
            }
