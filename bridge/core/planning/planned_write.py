"""A write that is foretold, and how two plans are compared by their writes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from bridge.core.model.state import Link
from bridge.core.model.values import Raw

MADE_UP_PREFIX: Final = "planned:"
"""Begins the id of a record that would be created: its real id is not known before."""


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One call that would be made."""

    op: str
    """create, update or delete."""
    connection: str
    entity: str
    id: str
    """The record's; for a create, the records that it is made from."""
    verb: str = ""
    values: Mapping[str, Raw] = field(default_factory=dict)
    """What the call carries, by write key."""
    sent: Mapping[str, Raw] = field(default_factory=dict)
    """By canonical field: what the record then shows ..."""
    before: Mapping[str, Raw] = field(default_factory=dict)
    """... and what it shows now."""
    destructive: int = 0
    """What it takes away, as the guard counts it."""
    subject: str = ""
    """The agreed subject of the ticket, for people; empty where there is none."""

    def by_field(self) -> list[PlannedWrite]:
        """Return an update as one write a field, any other write as it is.

        Which fields share a call depends on what is known of the system by then.
        """
        if self.op != "update":
            return [self]
        return [replace(self, verb="", values={name: raw}) for name, raw in self.values.items()]

    def has_made_up_ids(self) -> bool:
        """Return whether it names a record that did not exist when it was planned."""
        return any(is_made_up(raw) for raw in (self.id, *self.values.values()))


def is_made_up(raw: Raw) -> bool:
    """Return whether a value is the id of a record that would be created."""
    return str(raw).startswith(MADE_UP_PREFIX)


def write_digest(write: PlannedWrite) -> str:
    """Return a digest of a write: a plan that is kept for comparing holds nobody's data."""
    parts = [write.op, write.connection, write.entity, write.id, write.verb, dict(write.values)]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def write_target(write: PlannedWrite) -> str:
    """Return where a write goes, for saying what differs between two plans."""
    return f"{write.op} {write.connection} {write.id} {','.join(sorted(write.values))}"


def subject_of(link: Link) -> str:
    """Return a ticket's agreed subject; empty where there is none."""
    state = link.state.get("subject")
    return str(state.value) if state is not None and state.value else ""


def destructive_total(writes: Iterable[PlannedWrite], connection: str, entity: str) -> int:
    """Return how much writes take away from an entity of a connection."""
    return sum(
        write.destructive
        for write in writes
        if (write.connection, write.entity) == (connection, entity)
    )
