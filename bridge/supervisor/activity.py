"""What the bridge does to tickets, as it happens: each entry of the timelines once, as a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

from bridge.core.model.state import Link
from bridge.ledger import links, timeline
from bridge.ledger.database import Ledger
from bridge.ledger.timeline import TimelineEntry
from bridge.operations.times import for_programs

SHOWN_KINDS: Final = frozenset(
    {
        "wrote",
        "created",
        "matched",
        "linked",
        "deleted",
        "conflict",
        "uncertain",
        "waiting",
        "reverted",
        "ignored",
        "ambiguous",
        "unknown outcome",
        "unsafe",
        "refused",
        "fused",
    }
)
"""The kinds of entry worth a line on a screen that scrolls; `bridge ticket` shows all of them."""
OVERLAP: Final = 200
"""Entries read again: on PostgreSQL one can become visible after another with a higher number."""
PAGE: Final = 500
"""Entries read at once, besides those read again."""


class ActivityRow(TypedDict, total=False):
    """One entry, for programs. Keys that say nothing of an entry are left out."""

    at: str
    kind: str
    connection: str
    id: str
    ticket: str
    fields: dict[str, Any]
    by: list[str]
    """For a write: the connections from which its values come."""
    field: str
    code: str
    """The outcome code of what was refused, held or left out."""
    why: str
    winner: str
    mine: Mapping[str, Any]
    theirs: Mapping[str, Any]


@dataclass(slots=True)
class ActivityStream:
    """Follows the timelines of all tickets."""

    ledger: Ledger
    last_id: int = 0
    seen_ids: set[int] = field(default_factory=set)
    """Those of the overlap that were given out already."""
    kinds: frozenset[str] = SHOWN_KINDS
    """The kinds of entry that are given out."""

    def start_now(self) -> None:
        """Leave out what has happened so far."""
        with self.ledger.read() as tx:
            self.last_id = timeline.newest(tx)
            recent = timeline.after(tx, max(0, self.last_id - OVERLAP))
        self.seen_ids = {entry.id for entry in recent}

    def fresh(self) -> Iterator[ActivityRow]:
        """Yield what has happened since the last call."""
        while True:
            unseen, tickets = self._read()
            if not unseen:
                return
            self._remember(unseen)
            for entry in unseen:
                if entry.kind in self.kinds:
                    yield activity_row(entry, tickets.get(entry.link_id))

    def _read(self) -> tuple[list[TimelineEntry], Mapping[str, Link]]:
        """Return the next entries, and the tickets of those that are shown."""
        with self.ledger.read() as tx:
            entries = timeline.after(tx, max(0, self.last_id - OVERLAP), limit=PAGE + OVERLAP)
            unseen = [entry for entry in entries if entry.id not in self.seen_ids]
            ids = {entry.link_id for entry in unseen if entry.kind in self.kinds}
            return unseen, links.load(tx, sorted(ids))

    def _remember(self, entries: list[TimelineEntry]) -> None:
        # Only what is read again has to be known: the set does not grow with the hours.
        new_ids = {entry.id for entry in entries}
        self.last_id = max(self.last_id, *new_ids)
        still_read = {seen for seen in self.seen_ids if seen > self.last_id - OVERLAP}
        self.seen_ids = still_read | new_ids


def activity_row(entry: TimelineEntry, link: Link | None) -> ActivityRow:
    """Return an entry as a row: where, what, and for a write where its values come from."""
    side = link.sides.get(entry.connection) if link else None
    row: ActivityRow = {
        "at": for_programs(entry.at),
        "kind": entry.kind,
        "connection": entry.connection,
        "id": side.remote_id if side else str(entry.detail.get("ref", "")).partition(":")[2],
        "ticket": entry.link_id,
        "fields": dict(entry.detail.get("sent") or {}),
    }
    if link is not None and row["fields"]:
        row["by"] = _authors(link, row["fields"])
    if entry.field and not row["fields"]:
        row["field"] = entry.field
    if entry.code:
        row["code"] = entry.code
    for name in ("why", "winner", "mine", "theirs"):
        if name in entry.detail:
            row[name] = entry.detail[name]
    return row


def _authors(link: Link, fields: Mapping[str, Any]) -> list[str]:
    """Return the connections that set the values which these fields have now."""
    authors = {link.state[name].set_by for name in fields if name in link.state}
    return sorted(authors - {""})
