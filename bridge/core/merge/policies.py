"""The policies: who wins when two values of one field meet, and how that is recorded.

`scalars` and `sets` find out that values meet, and ask here. Whatever loses is written to the
timeline with both values; a field that nothing decides is frozen until a human does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from bridge.core.merge.case import ADMIN, MAPPING, Case
from bridge.core.merge.equality import agrees, present_elements, reads_as
from bridge.core.merge.guard import flips_too_often
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Element, FieldState, SideField
from bridge.core.model.values import Canonical, Marker, Raw, Unreadable

FUSE = "flip-flop fuse"
AGREED = "all waiting sides agree"
STATE = "state"
"""Stands for a value that no side of the link holds, among an open conflict's candidates."""

Interval = tuple[datetime | None, datetime | None]
"""A change happened after the first time (None: unknown) and not after the second one."""
Verdict = Literal["newer", "older", "uncertain newer", "uncertain older"]


def move_state(state: FieldState, value: Canonical, by: str, interval: Interval) -> None:
    """Give the state its next revision, also when the value stays as it is."""
    # A resolved request that is closed later, or resolved once more, does not end a second time.
    was_over = state.over()
    state.value = value
    state.rev += 1
    state.set_by = by
    state.lo, state.hi = interval
    state.over_since = None
    if was_over and state.over():
        state.over_since = was_over
    state.ended = state.in_our_time = None
    state.read_from = ""


def move_set(state: FieldState, value: Sequence[str], by: str, interval: Interval) -> None:
    """Give a set its next revision as a whole; only elements that come or go are marked with it."""
    wanted = set(value)
    for name in wanted ^ present_elements(state):
        state.elements[name] = Element(name in wanted, state.rev + 1, by)
    move_state(state, tuple(sorted(wanted)), by, interval)


def accept(case: Case, raw: Raw, value: Canonical) -> None:
    """Let the side's value be the state, unless the field has been passed to and fro too often."""
    # A side that goes on editing its own value passes nothing to and fro.
    handed_over = case.state.rev > 0 and case.state.set_by != case.connection
    if handed_over and count_change_of_hands(case):
        open_conflict(case, raw, FUSE)
        return
    before = case.state.value
    move_state(case.state, value, case.connection, case.interval)
    case.mark_level()
    case.note("changed", raw=raw, value=value, before=before, rev=case.state.rev)
    case.note_losses(raw)


def count_change_of_hands(case: Case) -> bool:
    """Count one change of hands and return whether that is one too many. Old ones are forgotten."""
    now, guard = case.obs.read_at, case.rules.sync.guard
    case.state.flips = [
        (when, by) for when, by in case.state.flips if now - when <= guard.flip_window
    ]
    case.state.flips.append((now, case.connection))
    return flips_too_often(case.state.flips, now, guard)


def renew(case: Case, raw: Raw) -> None:
    """Count an edit that says what the state says already.

    It was decided anew, so older edits elsewhere that are seen later are older (rule F6).
    """
    move_state(case.state, case.state.value, case.connection, case.interval)
    case.mark_level()
    case.note("agreed", raw=raw, value=case.state.value, rev=case.state.rev)


def leave_as_it_is(case: Case, why: str) -> None:
    """Leave the side, just seen, as it is for as long as the state stands."""
    case.entry.level = case.state.rev
    case.entry.decided = {case.name: case.state.rev}
    case.entry.decided_why, case.entry.decided_code = why, Code.KEPT
    case.entry.open_to_review = False


# --- the policy `latest`: the later change wins ---------------------------------------------------


def settle_by_latest(case: Case, raw: Raw, value: Canonical) -> None:
    """Let the later change win, and say so when the order is not certain (rule F7)."""
    verdict = compare_times(case)
    wins = verdict.endswith("newer")
    uncertain = verdict.startswith("uncertain")
    case.note_both(
        raw,
        value,
        kind="uncertain" if uncertain else "conflict",
        winner=case.connection if wins else case.state.set_by,
        why="order uncertain: the later upper bound wins, then the precedence"
        if uncertain
        else "the later change wins",
    )
    if wins:
        accept(case, raw, value)


def compare_times(case: Case) -> Verdict:
    """Return whether this side's change is newer than the state.

    Only intervals that do not touch decide for certain (rule F7).
    """
    lo, hi = case.interval
    state = case.state
    if state.hi is not None and lo is not None and lo >= state.hi:
        return "newer"
    if state.lo is not None and hi <= state.lo:
        return "older"
    # They touch, or a bound is unknown: from here on the order is a guess.
    if state.hi is not None and hi != state.hi:
        return "uncertain newer" if hi > state.hi else "uncertain older"
    return "uncertain newer" if outranks(case) else "uncertain older"


def outranks(case: Case) -> bool:
    """Return whether this side's connection comes before the state's in the declared precedence.

    What an admin or a changed mapping has decided is outranked by nobody.
    """
    if case.state.set_by in {ADMIN, MAPPING}:
        return False
    return case.rules.sync.rank(case.connection) < case.rules.sync.rank(case.state.set_by)


# --- the policies `owner` and `first`: some edits are not let through -----------------------------


def owner_of(case: Case) -> str:
    """Return the connection that owns the field; empty if there is none.

    An owner that is not on the link, is deleted, or cannot hold the field owns nothing: it would
    freeze the field for ever (rule F17).
    """
    owner = case.policy.owner if case.policy.policy == "owner" else ""
    side = case.link.live().get(owner)
    field_map = case.rules.maps[owner].fields.get(case.name) if owner in case.rules.maps else None
    if field_map is None or side is None:
        return ""
    if owner == case.connection:
        return owner
    held = side.fields.get(case.name)
    if held is None or isinstance(held.shadow, Marker):
        return ""
    return "" if isinstance(reads_as(field_map, held, held.shadow), Unreadable) else owner


def refuse_edit(case: Case, raw: Raw, value: Canonical, owner: str) -> None:
    """Turn down an edit that the policy does not let through (rule F17).

    It is put back by the next plan, or left where it is; either way it is recorded, and an edit
    costs one write at most.
    """
    if case.state.rev == 0 and owner:
        # The owner says nothing about the field, which is an answer too: without a state there
        # would be nothing to put back.
        held = case.link.sides[owner].fields[case.name]
        owned = reads_as(case.rules.maps[owner].fields[case.name], held, held.shadow)
        move_state(case.state, owned, owner, (None, held.seen_at))
    if owner and case.policy.revert:
        case.note_both(raw, value, kind="reverted", winner=owner, why=f"{owner} owns the field")
        # Behind again, so that the next plan puts the state's value back.
        case.entry.level = min(case.entry.level, case.state.rev - 1)
        case.entry.decided = None
        return
    why = (
        f"{owner} owns the field; edits elsewhere are left alone"
        if owner
        else "set once; later edits are left alone"
    )
    case.note_both(raw, value, kind="ignored", winner=owner or case.state.set_by, why=why)
    leave_as_it_is(case, why)


# --- open conflicts -------------------------------------------------------------------------------


def open_conflict(case: Case, raw: Raw, why: str) -> None:
    """Freeze the field on the whole link until a human decides or the sides agree (rule F18).

    They may agree at once: the state's side may show its value so because it cannot say this one.
    """
    state = case.state
    state.candidates = {**state_candidate(case), case.connection: raw}
    state.why_open = why
    # A set's `read` takes one element, so the set is shown as it is.
    value = raw if case.field_map.is_set else case.field_map.read(raw)
    case.note_both(raw, value, kind="conflict", winner="", why=why)
    review_conflict(case)


def state_candidate(case: Case) -> dict[str, Raw]:
    """Return the state's own candidate: as the side that set it shows it, else the plain value."""
    other = case.state.set_by
    held = case.link.sides[other].fields.get(case.name) if other in case.link.sides else None
    if other == case.connection or held is None or isinstance(held.shadow, Marker):
        return {STATE: case.state.value}
    return {other: held.shadow}


def replace_candidate(case: Case, raw: Raw) -> None:
    """Replace the value that this side waits with in an open conflict (rule F18).

    When every waiting value comes to say the same, the conflict is over.
    """
    waiting = case.state.candidates
    if waiting is None:
        return
    waiting[case.connection] = raw
    case.note("waiting", raw=raw, why=case.state.why_open)
    close_if_agreed(case, waiting)


def review_conflict(case: Case) -> None:
    """End an open conflict that nothing keeps open any more, though nobody has edited anything.

    A table may read otherwise now, or a side may have come back that had counted as closed.
    """
    if case.state.candidates is not None:
        close_if_agreed(case, case.state.candidates)


def close_if_agreed(case: Case, waiting: dict[str, Raw]) -> None:
    """End an open conflict if every waiting value says the same."""
    for value in possible_values(case, waiting):
        if all(candidate_fits(case, name, held, value) for name, held in waiting.items()):
            close_conflict(case, value)
            return


def possible_values(case: Case, waiting: dict[str, Raw]) -> list[Canonical]:
    """Return the values that the waiting sides could all mean.

    The state's own comes first: it may say more than any lossy side can.
    """
    values = [case.state.value]
    for name, raw in waiting.items():
        entry = case.link.sides[name].fields.get(case.name) if name in case.link.sides else None
        if entry is not None:
            values.append(reads_as(case.rules.maps[name].fields[case.name], entry, raw))
    return [value for value in values if not isinstance(value, Unreadable)]


def candidate_fits(case: Case, name: str, raw: Raw, value: Canonical) -> bool:
    """Return whether a waiting value agrees with what the state would become."""
    if name not in case.link.sides:
        return bool(raw == value)
    would_be = FieldState(value=value)
    if case.field_map.is_set:
        would_be.elements = {
            element: Element(present=True, rev=0, by="") for element in value or ()
        }
    entry = case.link.sides[name].fields.get(case.name, SideField())
    return agrees(case.rules.maps[name].fields[case.name], entry, raw, would_be)


def close_conflict(case: Case, value: Canonical) -> None:
    """End an open conflict by the value that all waiting sides came to."""
    state = case.state
    waited = list(state.candidates or ())
    if case.field_map.is_set:
        move_set(state, value or (), case.connection, case.interval)
    else:
        move_state(state, value, case.connection, case.interval)
    state.candidates, state.why_open, state.flips = None, "", []
    shown = [side for name, side in case.link.live().items() if name in case.rules.maps]
    for side in shown:
        # A record that has left waits with its end, which it has never shown (rule F21).
        if side.connection in waited and side.in_scope:
            side.fields[case.name].level = state.rev
    case.note("settled", value=value, why=AGREED, sides=waited, rev=state.rev)
