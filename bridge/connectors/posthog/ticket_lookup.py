"""How tickets are found by id without reading one, which would mark it as read.

The listing is asked, the dearest question last:

1. By `ids`, while the answers show that the deployment knows the parameter. Most drop it without a
   word and show the newest page instead.
2. One ticket by its number, if that is known: digits in `search` are an exact number.
3. The newest page, on which a ticket that a hint named nearly always stands.
4. The rest by their numbers, each by itself, or all of them in one walk through the listing.

A ticket that no listing shows is deleted, or hidden from the key's user (access to single tickets
can be restricted). The listing does not tell which, but the list of its messages does: 404 for the
one, 403 for the other, and nothing is marked as read by it. A deployment without that list answers
404 for every ticket, so a ticket that is there is asked for as well. Where it is refused otherwise,
that is no answer, and the ticket is looked for again.

All of it is from tickets.py and ticket_filters.py of products/conversations in
https://github.com/PostHog/posthog, read 2026-11; the page on the API names none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from bridge.connectors.parsing import value_at
from bridge.connectors.posthog.listing import (
    SCAN_SIZE,
    SHARED_ROWS,
    PostHogListing,
    RowsOfPage,
)
from bridge.errors import NotFound, Refused, Withheld

MAX_NUMBER_LENGTH = 12
NOT_SERVED = frozenset({403, 405, 501})
"""Statuses of a refusal that is about the list of messages as such, whatever ticket is named."""


@dataclass(slots=True)
class LookupSoFar:
    """What the listing has shown so far of the tickets that are looked for."""

    wanted: frozenset[str]
    pages: list[RowsOfPage] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    """Those that no page has shown."""
    walked: bool = False
    """The whole listing was looked through."""
    tells: bool | None = None
    """Whether this deployment tells a deleted ticket from others; None: nobody has asked yet."""

    def add(self, shown: RowsOfPage) -> RowsOfPage:
        """Take in a page."""
        self.pages.append(shown)
        self.missing -= shown.ids
        return shown

    def other_ticket(self) -> str:
        """Return a ticket that is there, and is none of those missing; empty: none was shown."""
        return next((min(shown.ids) for shown in self.pages if shown.ids), "")


class TicketLookup:
    """Looks tickets of one connection up. May be used from several threads."""

    def __init__(
        self,
        connection: str,
        listing: PostHogListing,
        numbers_of: Callable[[Collection[str]], Mapping[str, str]],
        list_messages: Callable[[str], object],
    ) -> None:
        self._connection, self._listing = connection, listing
        self._numbers_of, self._list_messages = numbers_of, list_messages
        self.knows_ids = True
        """Until an answer has shown that it does not. To learn it twice does no harm."""

    def find(self, wanted: Collection[str], companions: Collection[str] = ()) -> list[RowsOfPage]:
        """Return pages that show the wanted tickets, all but those that are deleted for certain.

        Companions are tickets that may come along where that costs nothing. Raises Withheld where
        a ticket is kept from us or may be, and NotFound where one is there and not listed yet.
        """
        found = LookupSoFar(frozenset(wanted), missing=set(wanted))
        newest: RowsOfPage | None = None
        if self.knows_ids:
            newest = self._ask_by_ids(found, companions)
        if found.missing and not self.knows_ids:
            self._ask_otherwise(found, newest)
        if found.missing:
            self._explain(found)
        return found.pages

    def _ask_by_ids(self, found: LookupSoFar, companions: Collection[str]) -> RowsOfPage | None:
        """Ask by ids; return the newest page where that is what came."""
        asked = found.wanted.union(companions)
        shown = found.add(self._listing.by_ids(asked))
        if shown.ids <= asked:
            return None
        self.knows_ids = False
        return shown

    def _ask_otherwise(self, found: LookupSoFar, newest: RowsOfPage | None) -> None:
        numbers = {
            ticket: number
            for ticket, number in self._numbers_of(found.missing).items()
            if is_number(number)
        }
        single = len(found.missing) == 1
        if single:
            self._ask_by_numbers(found, numbers)
        if found.missing and newest is None:
            newest = found.add(self._listing.newest_changed())
        if newest is None or single or not found.missing or not newest.full:
            return
        if len(found.missing) <= pages_of_walk(newest):
            self._ask_by_numbers(found, numbers)
        else:
            self._walk(found)

    def _ask_by_numbers(self, found: LookupSoFar, numbers: Mapping[str, str]) -> None:
        for ticket in sorted(found.missing & numbers.keys()):
            found.add(self._listing.by_number(numbers[ticket]))

    def _walk(self, found: LookupSoFar) -> None:
        """List everything until nothing is missing."""
        found.walked = True
        for shown in self._listing.by_creation(SCAN_SIZE):
            found.add(shown)
            if not found.missing:
                return

    def _explain(self, found: LookupSoFar) -> None:
        """Find out why tickets were not shown: leave missing what is deleted, else raise."""
        there = {ticket: self._is_there(ticket, found) for ticket in sorted(found.missing)}
        listed_otherwise = not self.knows_ids and not found.walked
        if listed_otherwise and not all(exists is False for exists in there.values()):
            self._walk(found)
        for ticket in sorted(found.missing):
            if there[ticket]:
                raise NotFound(
                    self._connection, f"ticket {ticket} is there, and not listed yet; read it again"
                )
            if there[ticket] is None:
                raise Withheld(
                    self._connection,
                    f"ticket {ticket} is not listed any more, and whether it was deleted or is "
                    "hidden from the key's user cannot be told here: nothing was concluded",
                )

    def _is_there(self, ticket: str, found: LookupSoFar) -> bool | None:
        """Return whether there is such a ticket; None: this deployment does not tell.

        Raises Withheld where it is hidden.
        """
        try:
            self._list_messages(ticket)
        except NotFound as error:
            if found.tells is None:
                found.tells = self._tells(found, error)
            return False if found.tells else None
        except Refused as error:
            self._ask_again_unless_not_served(ticket, error)
            return None
        return True

    def _tells(self, found: LookupSoFar, error: NotFound) -> bool:
        """Return whether a ticket that is there is not answered with 404, too."""
        other = found.other_ticket()
        if not other:
            other = min(found.add(self._listing.newest_changed()).ids, default="")
        if not other:
            # There is none to compare with. What is not served at all is said in other words.
            return "endpoint" not in error.detail.casefold()
        try:
            self._list_messages(other)
        except (NotFound, Withheld):
            return False
        except Refused as refusal:
            self._ask_again_unless_not_served(other, refusal)
            return False
        return True

    def _ask_again_unless_not_served(self, ticket: str, error: Refused) -> None:
        """Raise NotFound, which has the ticket read again, where a refusal told nothing."""
        if error.status not in NOT_SERVED:
            raise NotFound(
                self._connection,
                f"whether ticket {ticket} is there was not told; read it again ({error})",
            ) from None


def pages_of_walk(shown: RowsOfPage) -> int:
    """Return in how many pages the whole listing can be walked, by the count that a page names."""
    count = value_at(shown.answer.body, "count")
    rows = count if isinstance(count, int) and not isinstance(count, bool) else 0
    return max(1, -(-rows // (SCAN_SIZE - SHARED_ROWS)))


def is_number(text: str) -> bool:
    """Return whether a text can be a ticket's number, and the search would take it for one."""
    return text.isascii() and text.isdigit() and len(text) <= MAX_NUMBER_LENGTH
