"""How Zaia's listings are walked and what they say about tags: pure, all state is JSON for a cursor.

A listing is one status, in pages counted from the front, whose rows move while they are read. So
each window of rows begins a little before the end of the last one, and statuses are walked in the
order of a ticket's life: a ticket that moves on meanwhile is seen twice, not missed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

PAGE = 100
BACK = 20
"""Rows by which two windows overlap: as many may leave the front between two calls without one being missed."""
MOST = 2000
"""Windows of one status; a listing that goes on is broken."""

Place = list[Any]
"""Leg, windows so far, page size, page number, ids of the last window."""
START: Place = [0, 0, PAGE, 1, []]


def following(place: Sequence[Any], legs: int, ids: Sequence[str]) -> Place | None:
    """Give the place after a window; None after the last leg. Raises ValueError for a listing that cannot end."""
    leg, count, size, number, before = place
    if len(ids) < size:
        return [leg + 1, *START[1:]] if leg + 1 < legs else None
    if before and set(ids) <= set(before):
        raise ValueError("gives the same page again and again")
    if count >= MOST:
        raise ValueError(f"has more than {MOST} pages")
    return [leg, count + 1, *_window(size * number), list(ids)]


def joined(before: Sequence[str], ids: Sequence[str]) -> bool:
    """Tell whether two windows of one listing fit: they share rows, and in the same order."""
    here, there = set(ids), set(before)
    shared = [each for each in ids if each in there]
    return not before or (bool(shared) and shared == [each for each in before if each in here])


def there_and_back(statuses: Sequence[str]) -> list[str]:
    """Give the order in which a tag's tickets are listed: one that is moved either way meanwhile is met once at least.

    The last status is listed twice running, as its own pages move too.
    """
    return [*statuses, *reversed(statuses)]


def _window(end: int) -> tuple[int, int]:
    """Give size and number of the page that goes on from `end`, BACK rows earlier or more, and reaches farthest."""
    sizes = range(PAGE // 2, PAGE + 1)
    return max(
        ((size, (end - BACK) // size + 1) for size in sizes), key=lambda each: each[0] * each[1]
    )


def fold(name: str) -> str:
    """Compare tag names as people do."""
    return name.strip().lstrip("#").strip().casefold()


class Tags:
    """The tag names that are known, each with its UUID. Those of the configuration come first. Thread-safe."""

    def __init__(self, configured: Iterable[tuple[str, str]]) -> None:
        self._configured = dict(configured)
        self._ids = dict(self._configured)
        self._lock = threading.Lock()

    def all(self) -> dict[str, str]:
        """Give every known name and its UUID."""
        with self._lock:
            return dict(self._ids)

    def learn(self, listed: Iterable[tuple[str, str]]) -> None:
        """Replace what was learnt before by a listing just read; of two tags of one name the first counts."""
        found: dict[str, str] = {}
        known = set(self._configured.values())
        for name, tag_id in listed:
            if tag_id not in known:
                found.setdefault(name, tag_id)
        with self._lock:
            self._ids = {**found, **self._configured}

    def id_of(self, name: str) -> str | None:
        """Give the UUID of a name, else of one that only differs in spelling; None: it is not known."""
        known = self.all()
        if name in known:
            return known[name]
        alike = sorted(each for each in known if fold(each) == fold(name))
        return known[alike[0]] if alike else None


class Sweep:
    """Which tickets carry which tags, as it is found out one listing a call. `state` is its JSON."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.state: dict[str, Any] = {
            **state,
            "of": {key: list(each) for key, each in state["of"].items()},
        }

    @classmethod
    def begin(cls, known: Mapping[str, str], at: str) -> Sweep:
        """Begin with the first tag; `at` is the moment that everything found counts for."""
        names = sorted(known)
        return cls(
            {
                "at": at,
                "names": names,
                "ids": [known[name] for name in names],
                "tag": 0,
                "of": {},
                "bad": "",
            }
        )

    @property
    def tag(self) -> str | None:
        """Give the UUID of the tag to be listed now; None when all are through, or it came to nothing."""
        number = self.state["tag"]
        return (
            None
            if self.state["bad"] or number >= len(self.state["ids"])
            else str(self.state["ids"][number])
        )

    def found(self, ids: Iterable[str]) -> None:
        """Note tickets that carry the present tag."""
        for each in ids:
            tags = self.state["of"].setdefault(each, [])
            if self.state["tag"] not in tags:
                tags.append(self.state["tag"])

    def next(self) -> None:
        """Go on to the next tag."""
        self.state["tag"] += 1

    def fail(self, why: str) -> None:
        """Give up: nothing is known about anybody's tags this time."""
        self.state |= {"bad": why, "of": {}, "names": [], "ids": []}

    def names(self, remote_id: str) -> list[str]:
        """Give the names of a ticket's tags."""
        return [
            str(self.state["names"][number])
            for number in sorted(self.state["of"].get(remote_id, []))
        ]
