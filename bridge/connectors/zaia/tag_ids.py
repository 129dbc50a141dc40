"""The UUIDs of a Zaia workspace's tags, by name: calls want the one, mappings hold the other."""

from __future__ import annotations

import threading
from collections.abc import Iterable


class TagIds:
    """The tag names that are known, each with its UUID. May be used from several threads.

    Those of the configuration come before those that were learnt.
    """

    def __init__(self, configured: Iterable[tuple[str, str]]) -> None:
        self._configured = dict(configured)
        self._ids = dict(self._configured)
        self._lock = threading.Lock()

    def all(self) -> dict[str, str]:
        """Return every known name and its UUID."""
        with self._lock:
            return dict(self._ids)

    def learn(self, listed: Iterable[tuple[str, str]]) -> None:
        """Replace what was learnt before by a listing; of two tags of one name the first counts."""
        learnt: dict[str, str] = {}
        configured = set(self._configured.values())
        for name, tag_id in listed:
            if tag_id not in configured:
                learnt.setdefault(name, tag_id)
        with self._lock:
            self._ids = {**learnt, **self._configured}

    def id_of(self, name: str) -> str | None:
        """Return the UUID of a name, else of one that only differs in spelling; None: not known."""
        ids = self.all()
        if name in ids:
            return ids[name]
        alike = sorted(known for known in ids if folded(known) == folded(name))
        return ids[alike[0]] if alike else None


def folded(name: str) -> str:
    """Return a tag's name as people compare it."""
    return name.strip().lstrip("#").strip().casefold()
