"""When a record was made, by our own clock.

What a record says of it is a time of its vendor's clock, which may be wrong by any amount, and may
be set right one day. So the time is translated when it is first read, by what the answer showed of
the clocks, and kept beside what the vendor shows. Of what nobody could translate (the vendor dates
no answer, or an older version of the bridge read it) all that is known is that no clock is further
off than a day.
"""

from __future__ import annotations

from datetime import UTC, datetime

from bridge.core.merge.case import MAPPING, Case
from bridge.core.merge.equality import same_raw
from bridge.core.model.clocks import NOT_LEARNT, ClocksApart, TimeSpan
from bridge.core.model.entities import MADE
from bridge.core.model.state import Link
from bridge.core.model.values import NO_BASE, Canonical, Marker, Raw, Unreadable


def translate_made(case: Case, raw: Raw) -> None:
    """Keep when the record was made by our clock; call it before the value is merged.

    A time that was translated stays so for as long as the vendor shows the same.
    """
    entry, clocks = case.entry, case.obs.clocks
    if case.name != MADE or (entry.in_our_time is not None and _is_as_it_was(case, raw)):
        return
    span = span_of(case.field_map.read(raw), clocks)
    entry.in_our_time = None if span is None or clocks == NOT_LEARNT else (span.after, span.before)


def translate_state(case: Case, raw: Raw) -> None:
    """Keep for the agreed time what is known of it here, if it is this side's."""
    state = case.state
    if case.name != MADE or state.in_our_time is not None:
        return
    if state.set_by in {case.connection, MAPPING} and case.field_map.read(raw) == state.value:
        state.in_our_time = case.entry.in_our_time


def span_of(value: Canonical | Unreadable, clocks: ClocksApart) -> TimeSpan | None:
    """Return what a canonical time, of a vendor's clock, is in ours; None for anything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return clocks.ours(value if value.tzinfo is not None else value.replace(tzinfo=UTC))


def state_made(link: Link) -> TimeSpan | None:
    """Return when a ticket was made, by its agreed state."""
    state = link.state.get(MADE)
    if state is None:
        return None
    return TimeSpan(*state.in_our_time) if state.in_our_time else span_of(state.value, NOT_LEARNT)


def made_there(case: Case, connection: str) -> TimeSpan | None:
    """Return when a connection's record was made; None where it does not say so."""
    entity_map, side = case.rules.maps.get(connection), case.link.sides.get(connection)
    field_map = entity_map.fields.get(MADE) if entity_map is not None else None
    if field_map is None or side is None:
        return None
    held = side.fields.get(MADE)
    if held is not None and held.in_our_time:
        return TimeSpan(*held.in_our_time)
    if connection == case.connection:
        raw = case.obs.values.get(MADE)
    else:
        raw = NO_BASE if held is None else held.shadow
    if isinstance(raw, Marker | Unreadable):
        return None
    return span_of(field_map.read(raw), NOT_LEARNT)


def _is_as_it_was(case: Case, raw: Raw) -> bool:
    """Return whether the value is the one that was translated."""
    entry, field_map = case.entry, case.field_map
    return entry.map_rev == field_map.revision and same_raw(field_map, entry.shadow, raw)
