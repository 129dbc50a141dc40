"""Events of a link besides reads: records vanish and return, and admins decide.

Each function changes the link in place and returns the lines for its timeline.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.core.merge.case import ADMIN, Case, Observation, Rules
from bridge.core.merge.equality import (
    agrees,
    decision_holds,
    shows_state,
)
from bridge.core.merge.policies import (
    STATE,
    Interval,
    move_set,
    move_state,
    owner_of,
    refuse_edit,
    state_candidate,
)
from bridge.core.model.capabilities import Support
from bridge.core.model.entities import STATUS
from bridge.core.model.state import FieldState, Link, Note, Side
from bridge.core.model.values import Canonical, Marker, NotCarried, Raw, Unreadable

CLOSED = "closed"


# --- records that vanish and return ---------------------------------------------------------------


def record_missing(
    link: Link, connection: str, read_at: datetime, settle: float, rules: Rules | None = None
) -> list[Note]:
    """Note that a record was not found. Two absences, a settling time apart, make a tombstone.

    With `rules`, the sync's `delete` is applied when the tombstone is made: read the other sides
    before, so that their newest edits are known (rule F21). Without, nothing travels.
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
    detail = {"since": since.isoformat(), "seen": read_at.isoformat()}
    notes = [Note("deleted", connection, "", detail)]
    if rules is not None and rules.sync.delete in ("close", "delete"):
        notes += _end_in_state(link, side, rules, (since, read_at), f"deleted on {connection}")
    return notes


def was_there(side: Side, at: datetime) -> None:
    """Note that a record that is gone is known to have been there at a time."""
    if side.read_at is not None:
        side.read_at = max(side.read_at, at)


def record_returned(link: Link, side: Side, read_at: datetime, rules: Rules) -> list[Note]:
    """Note that a record is there (again): its old shadow is the base of what it shows now.

    Or that another one has taken the place of one that was gone: it has no shadow yet.
    """
    was_gone, since = side.tombstone, side.missing_since
    side.missing_since, side.tombstone = None, False
    if not was_gone:
        return [] if side.read_at else _take_back_end(link, side, (None, read_at), rules)
    notes = _take_back_end(link, side, (since, read_at), rules)
    return [Note("returned", side.connection, "", {}), *notes]


def is_to_be_deleted(link: Link, rules: Rules) -> bool:
    """Return whether the link's records are to be deleted everywhere.

    They are while the sync says so, the deletion somewhere is still the last word on the status,
    and nobody has edited any field that the deleted side had not seen (rule F21).
    """
    state = link.state.get(STATUS)
    if rules.sync.delete != "delete" or state is None or state.candidates is not None:
        return False
    origin = link.sides.get(state.set_by)
    if state.value != CLOSED or origin is None or not origin.tombstone:
        return False
    return not _edited_since(link, origin, rules)


def leave_scope(link: Link, connection: str, read_at: datetime, rules: Rules) -> list[Note]:
    """Note that the sync does not mirror a record any more: nothing travels from it or to it.

    What becomes of the others is the sync's `leave_scope`. The shadows stay, as the base for the
    day it comes back.
    """
    side = link.sides[connection]
    if not side.in_scope:
        return []
    side.in_scope = False
    notes = [Note("left scope", connection, "", {"seen": read_at.isoformat()})]
    if rules.sync.leave_scope == "close":
        why = f"no longer in scope on {connection}"
        notes += _end_in_state(link, side, rules, (side.read_at, read_at), why)
    return notes


def enter_scope(link: Link, side: Side, read_at: datetime, rules: Rules) -> list[Note]:
    """Note that the sync mirrors a record (again)."""
    came_back, side.in_scope = not side.in_scope, True
    if not came_back:
        return []
    notes = _take_back_end(link, side, (None, read_at), rules)
    return [Note("back in scope", side.connection, "", {}), *notes]


def _end_in_state(link: Link, side: Side, rules: Rules, when: Interval, why: str) -> list[Note]:
    """Set the agreed status to closed, or open a conflict where the ticket was edited elsewhere.

    Also with `delete: delete`, where this is how the end is kept: status "closed", set by the side
    that is gone. `is_to_be_deleted` reads it back, and the planner does the rest.
    """
    state = link.state.setdefault(STATUS, FieldState())
    if not link.live() or state.value == CLOSED or state.candidates is not None:
        return []
    if edited := _edited_since(link, side, rules):
        return _ended_but_edited(link, side, rules, edited, why)
    before = state.value
    move_state(state, CLOSED, side.connection, when)
    state.ended = (side.connection, before)
    detail = {"value": CLOSED, "before": before, "why": why, "rev": state.rev}
    return [Note("changed", side.connection, STATUS, detail)]


def _ended_but_edited(
    link: Link, side: Side, rules: Rules, edited: list[str], why: str
) -> list[Note]:
    """Open a conflict about the status: a record ended here and was edited elsewhere (F21).

    Who does not show the state waits for nothing: an edit made there later joins.
    """
    state = link.state[STATUS]
    others: dict[str, Raw] = {}
    for name, held in link.live().items():
        entry = held.fields.get(STATUS)
        if entry is None or isinstance(entry.shadow, Marker):
            continue
        if shows_state(rules.maps[name].fields.get(STATUS), entry, state):
            others[name] = entry.shadow
    others = others or {STATE: state.value}
    state.candidates = {**others, side.connection: _closed_there(rules, side.connection)}
    state.why_open = f"{why}, edited elsewhere: {', '.join(edited)}"
    state.ended = (side.connection, state.value)
    detail = {
        "mine": {"value": CLOSED, "by": side.connection},
        "theirs": {"value": state.value, "by": state.set_by},
        "winner": "",
        "why": state.why_open,
        "sides": sorted({side.connection, *others}),
        "edited": edited,
    }
    return [Note("conflict", side.connection, STATUS, detail)]


def _take_back_end(link: Link, side: Side, when: Interval, rules: Rules) -> list[Note]:
    """Take back what a record's end has done to the status, now that the record is there again.

    Whatever somebody has decided about the status since then stands.
    """
    state = link.state.get(STATUS)
    if state is None or state.ended is None or state.ended[0] != side.connection:
        return []
    before, why = state.ended[1], "the record whose end it was is there again"
    if state.candidates is not None:
        return _withdraw_end(link, side, state.candidates, rules, why)
    entry = side.fields.get(STATUS)
    was_level = entry is not None and entry.level >= state.rev - 1
    move_state(state, before, side.connection, when)
    if entry is not None and was_level:
        entry.level = state.rev
    detail = {"value": before, "before": CLOSED, "why": why, "rev": state.rev}
    return [Note("changed", side.connection, STATUS, detail)]


def _withdraw_end(
    link: Link, side: Side, waiting: dict[str, Raw], rules: Rules, why: str
) -> list[Note]:
    """Take a record's end out of the conflict that it had opened.

    Who shows something else than the state has edited it since. That stands where it is the only
    word; several such edits, or one where the state had not been seen, go on waiting (rule F18).
    """
    state, notes = link.state[STATUS], list[Note]()
    state.candidates, state.why_open, state.ended = None, "", None
    edits = [
        case
        for by in waiting
        if by != side.connection
        and (case := _edit_of(link, by, waiting[by], rules, notes))
        and not _is_refused(case, waiting[by])
    ]
    told = [case.field_map.read(waiting[case.connection]) for case in edits]
    unseen = [case for case in edits if _had_not_seen(case, waiting[case.connection])]
    detail: dict[str, object] = {"why": why, "sides": sorted(waiting)}
    if unseen or any(value != told[0] for value in told):
        left = {case.connection: waiting[case.connection] for case in edits}
        state.candidates = {**state_candidate(unseen[0]), **left} if unseen else left
        state.why_open = f"edited while the end of {side.connection} was in conflict"
        return [Note("waiting", side.connection, STATUS, detail), *notes]
    for case in edits:
        if not case.is_behind():  # the first: the others say the same
            move_state(state, told[0], case.connection, (state.lo, case.entry.seen_at))
        case.mark_level()
    detail |= {"value": state.value, "rev": state.rev}
    return [Note("settled", side.connection, STATUS, detail), *notes]


def _edit_of(link: Link, by: str, raw: Raw, rules: Rules, notes: list[Note]) -> Case | None:
    """Return the case of a side that waits with something else than the state; else None."""
    side, maps = link.sides.get(by), rules.maps.get(by)
    field_map = None if maps is None else maps.fields.get(STATUS)
    if side is None or field_map is None or STATUS not in side.fields:
        return None
    entry, state = side.fields[STATUS], link.state[STATUS]
    if agrees(field_map, entry, raw, state) or entry.seen_at is None:
        return None
    shown = Observation(by, {STATUS: raw}, entry.seen_at)
    return Case(link, side, shown, rules, STATUS, field_map, entry, state, notes)


def _is_refused(case: Case, raw: Raw) -> bool:
    """Turn down an edit that the policy does not let through, now that the owner is there again."""
    owner = owner_of(case)
    refused = (bool(owner) and owner != case.connection) or case.policy.policy == "first"
    if refused:
        refuse_edit(case, raw, case.field_map.read(raw), owner)
    return refused


def _had_not_seen(case: Case, raw: Raw) -> bool:
    """Return whether a side may have been edited before it was in step with the state."""
    unread = isinstance(case.field_map.read(raw), Unreadable)
    return unread or case.is_behind() or decision_holds(case.entry, case.link.state)


def is_ended_by(link: Link, connection: str) -> bool:
    """Return whether the status is as a record's end has left it, as far as is known.

    Should that record be there again, the status is taken back: read the other sides before, so
    that what somebody has decided since stands (rule F21).
    """
    state = link.state.get(STATUS)
    if state is None or state.ended is None or state.candidates is not None:
        return False
    return state.ended[0] == connection


def _edited_since(link: Link, side: Side, rules: Rules) -> list[str]:
    """Return the fields that were edited elsewhere, as `side` has neither shown nor been told.

    What `side` cannot take is never brought there and says nothing, unless it may have been edited
    after the record was last known to be there.
    """
    humans = {*link.live(), ADMIN}
    edited = []
    for name, state in link.state.items():
        entry = side.fields.get(name)
        if state.set_by not in humans or (entry is not None and entry.level >= state.rev):
            continue
        owed = entry is not None and _takes(link, side, name, rules)
        if owed or _may_be_later(state, side):
            edited.append(name)
    return sorted(edited)


def _may_be_later(state: FieldState, side: Side) -> bool:
    """Return whether a value may have been set after a record was last known to be there.

    What was met without a base is no edit that anybody is known to have made (rule F10): that
    counts only if it was met after the record was missed.
    """
    there = side.missing_since if state.lo is None else side.read_at
    return there is not None and state.hi is not None and state.hi > there


def _takes(link: Link, side: Side, name: str, rules: Rules) -> bool:
    """Return whether a field that is edited elsewhere would be brought to a side."""
    entry, field_map = side.fields[name], rules.maps[side.connection].fields.get(name)
    if field_map is None or field_map.write_key is None or not field_map.on_update:
        return False
    if rules.capability(side.connection, field_map).on_update is Support.NO:
        return False
    to = rules.policy(name).to
    sent = to is None or side.connection in to
    return sent and not entry.unreadable and not decision_holds(entry, link.state)


def _closed_there(rules: Rules, connection: str) -> Raw:
    """Return "closed" as the connection writes it, as far as it can."""
    field_map = rules.maps[connection].fields.get(STATUS)
    written = field_map.write(CLOSED) if field_map is not None else CLOSED
    return CLOSED if isinstance(written, NotCarried) else written


# --- an admin's decision --------------------------------------------------------------------------


def resolve(link: Link, field: str, value: Canonical, at: datetime) -> list[Note]:
    """Let an admin decide a field, in an open conflict or without one.

    It is a new revision, so that edits not seen yet conflict instead of being lost (rule F18).
    """
    state = link.state.setdefault(field, FieldState())
    before, waiting = state.value, dict(state.candidates or {})
    # A set that nobody ever touched has no elements yet: then the type of the value tells.
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
