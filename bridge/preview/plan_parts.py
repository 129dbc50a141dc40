"""Splits a ledger into parts that are planned one after the other, each on a small copy.

What needs a plan is found page by page, with outlines: most links need nothing, and are counted and
left. A ticket is never parted from its messages, for these wait until it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from bridge.engine.context import Context
from bridge.ledger import ledger_copy, link_outlines
from bridge.ledger.database import Ledger, Tx
from bridge.ledger.link_outlines import FamilyMember, LinkOutline
from bridge.runs.plain_links import PlainLinks

PAGE: Final = 500
"""Tickets looked at in one transaction."""
MAX_PART: Final = 1000
"""So many links, or a few more, are planned at a time."""

Look = Callable[[int], None]
"""Hears how many links have been looked at."""


@dataclass(slots=True)
class PlanParts:
    """The parts of a ledger, of which one at a time is in the copy."""

    context: Context
    ledger: Ledger
    copy: Ledger
    syncs: Collection[str]
    look: Look
    known: int = 0
    """Links of the syncs that were looked at so far."""
    plain: Mapping[str, PlainLinks] = field(init=False)

    def __post_init__(self) -> None:
        self.plain = {
            name: PlainLinks.of(self.context, self.context.syncs[name]) for name in self.syncs
        }

    def fill(self) -> Iterator[list[str]]:
        """Fill the copy with a part, and yield the ids of its links; again until all were there."""
        part: list[str] = []
        after, seen = "", 0
        while True:
            with self.ledger.snapshot() as source, self.copy.transaction() as target:
                page = link_outlines.families(source, after, PAGE)
                needed = self._needing_a_plan(source, page)
                ledger_copy.add_links(source, target, needed)
            part += needed
            if part and (not page or len(part) >= MAX_PART):
                yield part
                part = []
                self._clear()
            if not page:
                break
            after = max(member.head for member in page)
            seen += len(page)
            self.known += sum(member.sync in self.syncs for member in page)
            self.look(seen)
        yield from self._fill_with_work_alone()

    def _fill_with_work_alone(self) -> Iterator[list[str]]:
        """Fill the copy with work that concerns no link, such as readings of unknown records."""
        after = 0
        while True:
            with self.ledger.snapshot() as source, self.copy.transaction() as target:
                numbers = ledger_copy.work_of_no_link(source, after)
                ledger_copy.add_work(source, target, numbers)
            if not numbers:
                return
            yield []
            self._clear()
            after = numbers[-1]

    def _clear(self) -> None:
        with self.copy.transaction() as target:
            ledger_copy.clear(target)

    def _needing_a_plan(self, tx: Tx, page: Collection[FamilyMember]) -> list[str]:
        """Return the links of a page that may need anything, with their families."""
        ids = [member.id for member in page]
        outlines = link_outlines.of(tx, [member.id for member in page if member.sync in self.syncs])
        needing = set(ledger_copy.outstanding(tx, ids)) | {
            member.id
            for member in page
            if member.sync in self.syncs and not self._is_well(outlines.get(member.id))
        }
        heads = {member.head for member in page if member.id in needing}
        return [member.id for member in page if member.head in heads]

    def _is_well(self, outline: LinkOutline | None) -> bool:
        """Return whether it is certain that planning a link would come to nothing."""
        if outline is None or outline.entity != self.context.syncs[outline.sync].entity:
            return False
        link, plain = link_outlines.parsed(outline), self.plain[outline.sync]
        if link is None or any("candidates" in state for state in link.state.values()):
            return False
        return plain.owe_nothing(link) and plain.were_read_as_now(link)
