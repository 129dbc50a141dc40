"""One ticket as a value: its agreed state, what its records show, and what happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from bridge.core.model.state import FieldState, Side
from bridge.core.model.values import Canonical, Marker, Raw
from bridge.ledger import attempts, conflict_log, timeline
from bridge.ledger.timeline import TimelineEntry
from bridge.operations import find
from bridge.operations.desk import Desk
from bridge.operations.masking import MASK, Mask, mask_of

HIDDEN: Final = frozenset({"detail", "read_back", "why", "resolution"})
"""Columns of writes and conflicts that may hold values."""


@dataclass(frozen=True, slots=True)
class AgreedValue:
    """The agreed value of one field."""

    value: Canonical
    rev: int
    """The revision of the field that this value made; 0: nobody ever set it."""
    by: str
    """The connection that set it."""


@dataclass(frozen=True, slots=True)
class SideView:
    """One record of the ticket."""

    id: str
    deleted: bool
    detached: bool
    """An admin has taken it out of the ticket."""
    retired: bool
    """Its connection is not in the sync (any more): it is left alone."""
    read_at: datetime | None
    fields: Mapping[str, Raw | Marker]
    """What it shows, in its own words; a marker where it was never read, or has no such field."""
    notes: Mapping[str, str]
    """Why a field is not believed, or not carried."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket."""

    id: str
    sync: str
    paused: bool
    state: Mapping[str, AgreedValue]
    open: list[str]
    """Fields in conflict."""
    sides: Mapping[str, SideView]
    timeline: list[TimelineEntry]
    writes: list[dict[str, Any]]
    """What was sent: the rows of the ledger's `attempt`, in order."""
    conflicts: list[dict[str, Any]]
    """The rows of the ledger's `conflict`, in order, those that are over included."""


def show(desk: Desk, ref: str) -> Ticket:
    """Return the ticket that REF names. Raises UnknownName."""
    with desk.ledger.read() as tx:
        link = find.ticket(tx, desk.context, ref)
        found = Ticket(
            id=link.id,
            sync=link.sync,
            paused=link.paused,
            state={name: _agreed(state) for name, state in link.state.items()},
            open=sorted(name for name, state in link.state.items() if state.candidates is not None),
            sides={
                name: _side_view(side, retired=name in link.retired)
                for name, side in (link.sides | link.retired).items()
            },
            timeline=timeline.timeline(tx, link.id),
            writes=attempts.history(tx, link.id),
            conflicts=conflict_log.of_link(tx, link.id),
        )
    return _masked(found, mask_of(desk, link, found.timeline)) if desk.masks else found


def _masked(found: Ticket, mask: Mask) -> Ticket:
    """Return a ticket as whoever does not see personal values sees it.

    Of what was sent and what was in conflict only the circumstances stay: it is in vendors' words.
    """
    return replace(
        found,
        state={
            name: replace(agreed, value=mask.value(name, agreed.value))
            for name, agreed in found.state.items()
        },
        sides={name: _masked_side(side, mask) for name, side in found.sides.items()},
        timeline=[mask.entry(entry) for entry in found.timeline],
        writes=[row | dict.fromkeys(row.keys() & HIDDEN, MASK) for row in found.writes],
        conflicts=[row | dict.fromkeys(row.keys() & HIDDEN, MASK) for row in found.conflicts],
    )


def _masked_side(side: SideView, mask: Mask) -> SideView:
    fields = {name: mask.value(name, value) for name, value in side.fields.items()}
    notes = {name: mask.value(name, note) for name, note in side.notes.items()}
    return replace(side, fields=fields, notes=notes)


def as_json(ticket: Ticket) -> dict[str, Any]:
    """Return a ticket in the form of `bridge ticket --json`."""
    lines = [
        {
            "at": line.at,
            "kind": line.kind,
            "connection": line.connection,
            "field": line.field,
            **line.detail,
            **({"code": line.code} if line.code else {}),
        }
        for line in ticket.timeline
    ]
    return {
        "id": ticket.id,
        "sync": ticket.sync,
        "state": {name: asdict(agreed) for name, agreed in ticket.state.items()},
        "open": ticket.open,
        "sides": {name: _side_as_json(side) for name, side in ticket.sides.items()},
        "timeline": lines,
        "writes": ticket.writes,
        "conflicts": ticket.conflicts,
    }


def _side_as_json(side: SideView) -> dict[str, Any]:
    fields = {
        name: None if isinstance(value, Marker) else value for name, value in side.fields.items()
    }
    return asdict(side) | {"fields": fields}


def _agreed(state: FieldState) -> AgreedValue:
    return AgreedValue(state.value, state.rev, state.set_by)


def _side_view(side: Side, *, retired: bool) -> SideView:
    notes = {field: entry.unreadable or entry.decided_why for field, entry in side.fields.items()}
    return SideView(
        id=side.remote_id,
        deleted=side.tombstone,
        detached=side.detached,
        retired=retired,
        read_at=side.read_at,
        fields={field: entry.shadow for field, entry in side.fields.items()},
        notes={field: note for field, note in notes.items() if note},
    )
