"""What each side of a ticket shows of each field beside the agreed state, and if it agrees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.merge.equality import decision_holds, lack_holds, shows_state
from bridge.core.model.outcome_codes import DECLARED, Code
from bridge.core.model.state import FieldState, Link, Side, SideField
from bridge.core.model.values import Canonical, Marker, Raw
from bridge.ledger import parking, timeline
from bridge.ledger.timeline import TimelineEntry
from bridge.operations import find
from bridge.operations.desk import Desk
from bridge.operations.masking import Mask, mask_of
from bridge.operations.ticket_states import TicketState, states_of
from bridge.operations.timeline_sentences import TimelineSentence, sentences


class CellMark(StrEnum):
    """How what a side shows stands to what was agreed."""

    AGREES = "agrees"
    LAGS = "lags"
    """It does not show the agreed value yet."""
    CONFLICT = "in conflict"
    NOT_CARRIED = "not carried"
    ONLY_READ = "only read"
    """Mapping or sync says that the field is never written there."""
    UNREADABLE = "unreadable"
    """It shows something that has no reading."""
    UNSEEN = "never seen"
    """The side has no such field, or was not read yet."""


@dataclass(frozen=True, slots=True)
class TicketCell:
    """One field at one side."""

    mark: CellMark
    value: Raw = None
    """In the side's own words."""
    why: str = ""
    code: str = ""
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TicketRow:
    """One field: what was agreed, and what each side shows, in the order of the sides."""

    field: str
    agreed: Canonical
    by: str
    """The connection that set it; empty: nobody did."""
    in_conflict: str
    """Why it waits for a human; empty: it does not."""
    cells: list[TicketCell]


@dataclass(frozen=True, slots=True)
class TicketColumn:
    """One record of the ticket."""

    connection: str
    remote_id: str
    condition: str
    """`deleted`, `detached`, `retired` or `out of scope`; empty: it takes part."""
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class TicketSheet:
    """All of one ticket on a page."""

    id: str
    sync: str
    entity: str
    subject: str
    states: list[TicketState]
    columns: list[TicketColumn]
    rows: list[TicketRow]
    timeline: list[TimelineSentence]
    """The newest first."""


def sheet(desk: Desk, ref: str) -> TicketSheet:
    """Return the ticket that REF names. Raises UnknownName."""
    with desk.ledger.read() as tx:
        link = find.ticket(tx, desk.context, ref)
        parked = link.id in parking.with_parked(tx, [link.id])
        entries = timeline.timeline(tx, link.id)
    sides = link.sides | link.retired
    subject = link.state.get("subject", FieldState()).value
    found = TicketSheet(
        id=link.id,
        sync=link.sync,
        entity=link.entity,
        subject=subject if isinstance(subject, str) else "",
        states=states_of(link, desk.config.maps, parked=parked),
        columns=[_column(link, side) for side in sides.values()],
        rows=[_row(desk, link, name) for name, state in link.state.items() if state.rev],
        timeline=sentences(entries)[::-1],
    )
    return _masked(found, mask_of(desk, link, entries), entries) if desk.masks else found


def _masked(found: TicketSheet, mask: Mask, entries: Sequence[TimelineEntry]) -> TicketSheet:
    """Return a ticket as whoever does not see personal values sees it."""
    rows = [
        replace(
            row,
            agreed=mask.value(row.field, row.agreed),
            in_conflict=mask.text(row.in_conflict),
            cells=[
                replace(
                    cell,
                    value=mask.value(row.field, cell.value),
                    why=mask.reason(cell.why, cell.code),
                )
                for cell in row.cells
            ],
        )
        for row in found.rows
    ]
    return replace(
        found,
        subject=mask.value("subject", found.subject),
        rows=rows,
        timeline=sentences([mask.entry(entry) for entry in entries])[::-1],
    )


def _column(link: Link, side: Side) -> TicketColumn:
    condition = next(_conditions(link, side), "")
    return TicketColumn(side.connection, side.remote_id, condition, side.read_at)


def _conditions(link: Link, side: Side) -> Iterator[str]:
    if side.connection in link.retired:
        yield "retired"
    if side.tombstone:
        yield "deleted"
    if side.detached:
        yield "detached"
    if not side.in_scope:
        yield "out of scope"


def _row(desk: Desk, link: Link, name: str) -> TicketRow:
    state = link.state[name]
    return TicketRow(
        field=name,
        agreed=state.value,
        by=state.set_by,
        in_conflict=(state.why_open or "in conflict") if state.candidates is not None else "",
        cells=[
            _cell(link, _map_of(desk, link, side, name), side.fields.get(name), state)
            for side in (link.sides | link.retired).values()
        ],
    )


def _map_of(desk: Desk, link: Link, side: Side, name: str) -> FieldMap | None:
    entity_map = desk.config.maps.get(side.connection, {}).get(link.entity)
    return None if entity_map is None else entity_map.fields.get(name)


def _cell(
    link: Link, field_map: FieldMap | None, entry: SideField | None, state: FieldState
) -> TicketCell:
    if entry is None or (isinstance(entry.shadow, Marker) and not entry.unreadable):
        return TicketCell(CellMark.UNSEEN)
    if entry.unreadable:
        code = entry.unreadable_code or Code.READ_VALUE
        return TicketCell(
            CellMark.UNREADABLE, entry.shown, entry.unreadable, str(code), entry.seen_at
        )
    mark, why, code = _standing(link, field_map, entry, state)
    value = None if isinstance(entry.shadow, Marker) else entry.shadow
    return TicketCell(mark, value, why, code, entry.seen_at)


def _standing(
    link: Link, field_map: FieldMap | None, entry: SideField, state: FieldState
) -> tuple[CellMark, str, str]:
    """Return how a side that was read stands to the state, why, and the outcome code of that."""
    if state.candidates is not None:
        return CellMark.CONFLICT, "", Code.CONFLICT
    if any(lack_holds(entry, state, element) for element in entry.lacks):
        return CellMark.NOT_CARRIED, "it does not take all of it", Code.SYSTEM_IGNORES
    if shows_state(field_map, entry, state):
        return CellMark.AGREES, "", ""
    if entry.decided_why and decision_holds(entry, link.state):
        meant = entry.decided_code in DECLARED
        mark = CellMark.ONLY_READ if meant else CellMark.NOT_CARRIED
        return mark, entry.decided_why, entry.decided_code or Code.OTHER
    if entry.level < state.rev:
        return CellMark.LAGS, "", ""
    return CellMark.AGREES, "in its own words", ""
