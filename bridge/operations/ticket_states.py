"""The states that a ticket is in, as lists of tickets name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from bridge.core.merge.equality import decision_holds, lack_holds, shows_state
from bridge.core.model.outcome_codes import DECLARED
from bridge.core.model.values import Marker

if TYPE_CHECKING:
    from bridge.core.mapping.fieldmap import EntityMap, FieldMap
    from bridge.core.model.state import FieldState, Link, Side, SideField


class TicketState(StrEnum):
    """A state; a ticket may be in several, and one that is in no other is in step."""

    IN_STEP = "in step"
    BEHIND = "behind"
    """A side does not show the agreed value yet."""
    PAUSED = "paused"
    CONFLICT = "conflict"
    NOT_CARRIED = "not carried"
    """A side cannot show, does not take, or shows without a reading, what was agreed.

    What the files say is never written there does not count: see `DECLARED`.
    """
    PARKED = "parked"
    OUT_OF_SCOPE = "out of scope"
    DETACHED = "detached"
    RETIRED = "retired"
    """It has a record on a connection that the files do not name."""
    TOMBSTONE = "tombstone"
    """A record of it was deleted."""


def states_of(
    link: Link, maps: Mapping[str, Mapping[str, EntityMap]], *, parked: bool
) -> list[TicketState]:
    """Return the states of a link, in the order of their definition; `parked`: work of it is.

    `maps`: by connection and entity.
    """
    found = set(_of_link(link)) | ({TicketState.PARKED} if parked else set())
    for name, side in link.sides.items():
        entity_map = maps.get(name, {}).get(link.entity)
        found |= set(_of_side(link, side, {} if entity_map is None else entity_map.fields))
    return [state for state in TicketState if state in found] or [TicketState.IN_STEP]


def _of_link(link: Link) -> Iterator[TicketState]:
    if link.paused:
        yield TicketState.PAUSED
    if any(state.candidates is not None for state in link.state.values()):
        yield TicketState.CONFLICT
    if link.retired:
        yield TicketState.RETIRED


def _of_side(link: Link, side: Side, maps: Mapping[str, FieldMap]) -> Iterator[TicketState]:
    if side.tombstone:
        yield TicketState.TOMBSTONE
    elif side.detached:
        yield TicketState.DETACHED
    elif not side.in_scope:
        yield TicketState.OUT_OF_SCOPE
    else:
        for name, state in link.state.items():
            if (entry := side.fields.get(name)) is not None and state.candidates is None:
                yield from _of_field(link, maps.get(name), entry, state)


def _of_field(
    link: Link, field_map: FieldMap | None, entry: SideField, state: FieldState
) -> Iterator[TicketState]:
    if entry.unreadable or any(lack_holds(entry, state, element) for element in entry.lacks):
        yield TicketState.NOT_CARRIED
    elif isinstance(entry.shadow, Marker) or shows_state(field_map, entry, state):
        return  # whatever was decided about it once
    elif entry.decided_why and decision_holds(entry, link.state):
        if entry.decided_code not in DECLARED:
            yield TicketState.NOT_CARRIED
    elif entry.level < state.rev:
        yield TicketState.BEHIND
