"""The names of a ScopeAI account's tags, asked for when a ticket needs them, kept for a while.

`GET /tags` hides tags that are not relevant, though tickets refer to them: those are asked for one
by one (https://github.com/scopeai/slate, read 2026-11).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

NAME_LIFETIME = timedelta(minutes=10)
"""How long a name is believed; one that nobody could give is asked for again after as long."""


class TagNames:
    """A cache of names. Safe to share between threads: two may ask for the same, to no harm."""

    def __init__(
        self,
        now: Callable[[], datetime],
        list_names: Callable[[], Mapping[str, str]],
        ask_name: Callable[[str], str | None],
    ) -> None:
        self._now, self._list_names, self._ask_name = now, list_names, ask_name
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str | None, datetime]] = {}
        """Id -> name (None: nobody can name it), and when it was asked for."""
        self._listed_at: datetime | None = None

    def of(self, ids: Collection[str]) -> Mapping[str, str | None]:
        """Return the names of these tags; None for one that nobody can name.

        One listing serves all; what it leaves out is asked for one by one.
        """
        now = self._now()
        missing = self._missing(ids, now)
        if missing and not self._listed_lately(now):
            names = self._list_names()
            with self._lock:
                self._known.update({tag: (name, now) for tag, name in names.items()})
                self._listed_at = now
            missing = self._missing(ids, now)
        for tag in sorted(missing):
            name = self._ask_name(tag)
            with self._lock:
                self._known[tag] = (name, now)
        with self._lock:
            return {tag: self._known[tag][0] for tag in ids}

    def _listed_lately(self, now: datetime) -> bool:
        with self._lock:
            return self._listed_at is not None and _is_fresh(self._listed_at, now)

    def _missing(self, ids: Collection[str], now: datetime) -> set[str]:
        with self._lock:
            known = self._known
            return {tag for tag in ids if tag not in known or not _is_fresh(known[tag][1], now)}


def _is_fresh(learnt: datetime, now: datetime) -> bool:
    """Return whether what was learnt then counts still; a clock that was set back ends that."""
    return learnt <= now < learnt + NAME_LIFETIME
