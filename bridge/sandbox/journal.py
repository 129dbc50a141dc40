"""The journal of a sandbox: one row for every request, human edit and webhook, never changed."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from bridge.clock import Clock

Kind = Literal["read", "write", "create", "delete", "edit", "webhook", "error"]
Actor = Literal["bridge", "human", "system"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. An `edit` is a human's; their other kinds have the actor `human`."""

    seq: int
    at: datetime
    system: str
    connection: str
    kind: Kind
    actor: Actor
    entity: str = "ticket"
    id: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    """Old values of the changed fields, as the system shows them."""
    after: Mapping[str, Any] = field(default_factory=dict)
    """New values of the changed fields; empty when nothing changed."""
    record: Mapping[str, Any] | None = None
    """The whole record afterwards."""
    sent: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    """Fields that were sent and not honoured."""
    undocumented: tuple[str, ...] = ()
    """What of a call no document of the vendor's describes: documented_calls.py."""
    method: str = ""
    path: str = ""
    status: int = 0
    fault: str = ""
    event: str = ""
    """The event of a webhook; of what a human did, the events of the webhooks that it causes."""
    note: str = ""
    marker: str = ""
    """Of a record that was made: the mark that the bridge planted in it."""
    customer: str = ""
    """Of a record that was made: the e-mail address of who asked."""
    customer_id: str = ""
    """Of a record that was made: the record of who asked, by which a search comes to this one."""
    behind: float = 0.0
    """Of a listing: it showed what was so many seconds before."""

    def row(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        return {
            "seq": self.seq,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "system": self.system,
            "connection": self.connection,
            "kind": self.kind,
            "actor": self.actor,
            "entity": self.entity,
            "id": self.id,
            "before": dict(self.before),
            "after": dict(self.after),
            "record": None if self.record is None else dict(self.record),
            "sent": dict(self.sent),
            "ignored": list(self.ignored),
            "undocumented": list(self.undocumented),
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "fault": self.fault,
            "event": self.event,
            "note": self.note,
            "marker": self.marker,
            "customer": self.customer,
            "customer_id": self.customer_id,
            "behind": self.behind,
        }


class Journal:
    """Append-only. Sandboxes that share a `sequence` can be read as one story."""

    def __init__(
        self, system: str, connection: str, clock: Clock, sequence: Iterator[int] | None = None
    ) -> None:
        self._system = system
        self._connection = connection
        self._clock = clock
        self._sequence = sequence or itertools.count(1)
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def append(self, kind: Kind, actor: Actor, **fields: Any) -> Entry:
        """Write one row, dated now."""
        with self._lock:
            seq = next(self._sequence)
            entry = Entry(
                seq, self._clock.now(), self._system, self._connection, kind, actor, **fields
            )
            self._entries.append(entry)
        return entry

    def rows(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the rows after a number, `since`; with `id`, of one record, the `newest` alone."""
        found = self.since(int(given.get("since", 0)))
        if "id" in given:
            found = [entry for entry in found if given["id"] in (entry.id, _ticket_of(entry))]
        newest = int(given.get("newest", 0))
        return [entry.row() for entry in (found[-newest:] if newest else found)]

    def since(self, seq: int = 0) -> list[Entry]:
        """Return the entries after a sequence number."""
        with self._lock:
            return [entry for entry in self._entries if entry.seq > seq]


def _ticket_of(entry: Entry) -> str:
    """Return the ticket that a record belongs to, such as a message; empty: to none."""
    return str((entry.record or {}).get("ticket_id") or "")
