"""What happens to a link besides reads: records that vanish and return, an admin's word, a changed mapping."""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.merge.case import ADMIN, MAPPING, Rules
from bridge.core.merge.equality import agrees, present_elements, read_set, reads_as
from bridge.core.merge.policies import move_set, move_state
from bridge.core.model.state import Element, FieldState, Link, Note, Side, SideField
from bridge.core.model.values import Canonical, Marker, NotCarried, Unreadable

CLOSED = "closed"
STATUS = "status"


def record_missing(
    link: Link, connection: str, read_at: datetime, settle: float, rules: Rules | None = None
) -> list[Note]:
    """Note that a record was not found. Two absences, a settling time apart, make a tombstone.

    With `rules`, the sync's `delete` is applied when the tombstone is made: read the other sides
    before, so that their newest edits are known. Without, nothing travels.
    """
    side = link.sides[connection]
    if side.tombstone:
        return []
    if side.missing_since is None:
        side.missing_since = read_at
        return [Note("missing", connection, "", {"since": read_at.isoformat()})]
    if read_at - side.missing_since < timedelta(seconds=settle):
        return []
    side.tombstone = True
    since = side.missing_since
    notes = [
        Note("deleted", connection, "", {"since": since.isoformat(), "seen": read_at.isoformat()})
    ]
    if rules is not None and rules.sync.delete in ("close", "delete"):
        notes += _close_elsewhere(link, side, rules, (since, read_at), f"deleted on {connection}")
    return notes


def is_to_be_deleted(link: Link, rules: Rules) -> bool:
    """Tell whether the thing is to be deleted everywhere: its deletion somewhere is still the last word on it."""
    state = link.state.get(STATUS)
    if (
        rules.sync.delete != "delete"
        or state is None
        or state.value != CLOSED
        or state.candidates is not None
    ):
        return False
    origin = link.sides.get(state.set_by)
    if origin is None or not origin.tombstone:
        return False
    return not any(_newer(link, origin, name, entry) for name, entry in link.state.items())


def leave_scope(link: Link, connection: str, read_at: datetime, rules: Rules) -> list[Note]:
    """Note that a record is none of those any more that the sync mirrors: nothing travels from it or to it.

    What becomes of the others is the sync's `leave_scope`. The shadows stay, as the base for the
    day it comes back.
    """
    side = link.sides[connection]
    if not side.in_scope:
        return []
    side.in_scope = False
    notes = [Note("left scope", connection, "", {"seen": read_at.isoformat()})]
    if rules.sync.leave_scope == "close":
        notes += _close_elsewhere(
            link, side, rules, (side.read_at, read_at), f"no longer in scope on {connection}"
        )
    return notes


def enter_scope(side: Side) -> list[Note]:
    """Note that a record is (again) one that the sync mirrors."""
    came_back, side.in_scope = not side.in_scope, True
    return [Note("back in scope", side.connection, "", {})] if came_back else []


def _close_elsewhere(
    link: Link, side: Side, rules: Rules, when: tuple[datetime | None, datetime], why: str
) -> list[Note]:
    """Let a record's end travel as a status, unless somebody has edited the thing where it still lives."""
    state = link.state.setdefault(STATUS, FieldState())
    if not link.live() or state.value == CLOSED or state.candidates is not None:
        return []
    edited = sorted(name for name, entry in link.state.items() if _newer(link, side, name, entry))
    if not edited:
        before = state.value
        move_state(state, CLOSED, side.connection, when)
        detail = {"value": CLOSED, "before": before, "why": why, "rev": state.rev}
        return [Note("changed", side.connection, STATUS, detail)]
    others = {
        name: held.fields[STATUS].shadow
        for name, held in link.live().items()
        if STATUS in held.fields
    }
    state.candidates = {name: raw for name, raw in others.items() if not isinstance(raw, Marker)}
    state.candidates[side.connection] = _closed_there(rules, side.connection)
    state.why_open = f"{why}, edited elsewhere"
    detail = {
        "mine": {"value": CLOSED, "by": side.connection},
        "theirs": {"value": state.value, "by": state.set_by},
        "winner": "",
        "why": state.why_open,
        "sides": sorted({side.connection, *others}),
        "edited": edited,
    }
    return [Note("conflict", side.connection, STATUS, detail)]


def _newer(link: Link, side: Side, name: str, state: FieldState) -> bool:
    """Tell whether a field was edited on a living side after the deleted one was last level with it."""
    entry = side.fields.get(name)
    return entry is not None and state.set_by in link.live() and entry.level < state.rev


def _closed_there(rules: Rules, connection: str) -> object:
    mapped = rules.maps[connection].fields.get(STATUS)
    written = mapped.write(CLOSED) if mapped is not None else CLOSED
    return CLOSED if isinstance(written, NotCarried) else written


def record_returned(side: Side) -> list[Note]:
    """Note that a record is there (again): its old shadow is the base of what it shows now."""
    gone = side.tombstone
    side.missing_since, side.tombstone = None, False
    return [Note("returned", side.connection, "", {})] if gone else []


def resolve(link: Link, field: str, value: Canonical, at: datetime) -> list[Note]:
    """Let an admin decide a field. It is a new revision, so that edits not seen yet conflict instead of being lost."""
    state = link.state.setdefault(field, FieldState())
    before, waiting = state.value, dict(state.candidates or {})
    if state.elements or isinstance(value, list | tuple | set | frozenset):
        move_set(state, value or (), ADMIN, (at, at))
    else:
        move_state(state, value, ADMIN, (at, at))
    state.candidates, state.why_open, state.flips = None, "", []
    detail = {
        "value": state.value,
        "before": before,
        "candidates": waiting,
        "rev": state.rev,
        "sides": sorted(waiting),
    }
    return [Note("resolved", ADMIN, field, detail)]


# --- a changed mapping
# ---------------------------------------------------------------------------------------------


def remap(link: Link, rules: Rules) -> list[Note]:
    """Read again, from the ledger, what the side that set each field last showed: the state follows its new reading.

    The edit is the table's. Every side is behind afterwards, so the resulting plan can be looked at
    before a write. Shadows of an older mapping revision stay no base: the next read of each side is
    a first contact.
    """
    notes: list[Note] = []
    for name, state in link.state.items():
        if not state.rev:
            continue
        for connection, side in link.live().items():
            entry = side.fields.get(name)
            mapped = rules.maps[connection].fields.get(name) if connection in rules.maps else None
            if entry is None or mapped is None or not _outdated(entry, mapped):
                continue
            if mapped.is_set:
                notes += _reread_set(name, state, connection, entry, mapped)
            elif connection == state.set_by:
                notes += _reread(name, state, connection, entry, mapped)
    return notes


def _outdated(entry: SideField, mapped: FieldMap) -> bool:
    return not isinstance(entry.shadow, Marker) and entry.map_rev != mapped.revision


def _reread(
    name: str, state: FieldState, connection: str, entry: SideField, mapped: FieldMap
) -> list[Note]:
    value, before = reads_as(mapped, entry, entry.shadow), state.value
    if isinstance(value, Unreadable):
        return [Note("unreadable", connection, name, {"why": value.why})]
    if agrees(mapped, entry, entry.shadow, state):
        return []
    move_state(state, value, MAPPING, (state.lo, state.hi))
    return [
        Note("remapped", connection, name, {"value": value, "before": before, "rev": state.rev})
    ]


def _reread_set(
    name: str, state: FieldState, connection: str, entry: SideField, mapped: FieldMap
) -> list[Note]:
    """Move the elements that this side brought to their new reading; those of other sides are theirs to move."""
    here = read_set(mapped, entry, entry.shadow, present_elements(state))
    brought = {
        element
        for element, known in state.elements.items()
        if known.present and known.by == connection
    }
    old, new = brought - here.keys(), here.keys() - present_elements(state)
    if not brought or not old | new:
        return []
    before, rev = state.value, state.rev + 1
    for element in old | new:
        state.elements[element] = Element(
            element in new, rev, connection if element in new else MAPPING
        )
    move_state(state, tuple(sorted(present_elements(state))), MAPPING, (state.lo, state.hi))
    return [
        Note("remapped", connection, name, {"value": state.value, "before": before, "rev": rev})
    ]
