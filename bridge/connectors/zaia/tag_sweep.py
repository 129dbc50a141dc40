"""A sweep: finds out which tickets carry which tags, by listing each tag's tickets.

Neither a listing nor a direct read shows a ticket's tags; a listing only takes one as a filter
(https://docs.zaia.app, API reference (alpha), tickets, read 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bridge.connectors.parsing import row_id
from bridge.connectors.zaia.listing import START, Place, ZaiaListing
from bridge.errors import NotFound, Refused

DRIFTED = "the pages of a tag's listing did not fit together"


class TagSweep:
    """What one sweep has found so far, one window a call. `state` is its JSON, kept in a cursor.

    - `at`: the moment that everything found counts for
    - `names`, `ids`: the tags; the others refer to them by number
    - `tag`: the number of the tag that is being listed
    - `of`: ticket -> numbers of its tags
    - `bad`: why the sweep came to nothing; empty while it goes well
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.state: dict[str, Any] = {
            **state,
            "of": {ticket: list(tags) for ticket, tags in state["of"].items()},
        }

    @classmethod
    def begin(cls, tag_ids: Mapping[str, str], at: str) -> TagSweep:
        """Begin with the first tag."""
        names = sorted(tag_ids)
        ids = [tag_ids[name] for name in names]
        return cls({"at": at, "names": names, "ids": ids, "tag": 0, "of": {}, "bad": ""})

    @property
    def failure(self) -> str:
        """Return why the sweep came to nothing; empty while it goes well."""
        return str(self.state["bad"])

    @property
    def tag(self) -> str | None:
        """Return the UUID of the tag to be listed; None when all are through, or it failed."""
        number, ids = self.state["tag"], self.state["ids"]
        return None if self.failure or number >= len(ids) else str(ids[number])

    def read_window(self, listing: ZaiaListing, place: Place) -> Place | None:
        """Read one window of the present tag's listing.

        Return the place of the next window; None when the tag is through, or the sweep failed.
        """
        way_back = len(listing.statuses)
        try:
            window = listing.window(there_and_back(listing.statuses), place, tagIds=str(self.tag))
        except (Refused, NotFound) as error:
            self.fail(f"a listing by tag was refused: {error}")
            return None
        self.add(row_id(row) for row in window.rows)
        if not window.joins:
            self.fail(DRIFTED)
        if window.after is None:
            self.next_tag()
        elif place[:2] == [way_back - 1, 0] and window.after[0] == way_back:
            # The last status came as one page, which cannot move under our eyes: not listed again.
            return [way_back + 1, *START[1:]]
        return window.after

    def add(self, tickets: Iterable[str]) -> None:
        """Note tickets that carry the present tag."""
        for ticket in tickets:
            tags = self.state["of"].setdefault(ticket, [])
            if self.state["tag"] not in tags:
                tags.append(self.state["tag"])

    def next_tag(self) -> None:
        """Go on to the next tag."""
        self.state["tag"] += 1

    def fail(self, why: str) -> None:
        """End the sweep: nothing is known about anybody's tags this time."""
        self.state |= {"bad": why, "of": {}, "names": [], "ids": []}

    def names_of(self, ticket: str) -> list[str]:
        """Return the names of a ticket's tags."""
        numbers = sorted(self.state["of"].get(ticket, []))
        return [str(self.state["names"][number]) for number in numbers]


def there_and_back(statuses: Sequence[str]) -> list[str]:
    """Return the order in which a tag's tickets are listed.

    A ticket that is moved either way meanwhile is met once at least. The last status is listed
    twice running, as its own pages move too.
    """
    return [*statuses, *reversed(statuses)]
