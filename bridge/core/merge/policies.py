"""How two values of one field are settled: who moves the state, who waits for a human, who loses on the record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from bridge.core.merge.case import ADMIN, MAPPING, Case
from bridge.core.merge.equality import agrees, present_elements, reads_as
from bridge.core.merge.guard import flips_too_often
from bridge.core.model.state import Element, FieldState, SideField
from bridge.core.model.values import Canonical, Marker, Raw, Unreadable

FUSE = "flip-flop fuse"
STATE = "state"
"""Stands for a value that no side of the link holds, among an open conflict's candidates."""

Verdict = Literal["newer", "older", "uncertain newer", "uncertain older"]


def move_state(
    state: FieldState, value: Canonical, by: str, interval: tuple[datetime | None, datetime | None]
) -> None:
    """Give the state its next revision."""
    state.value = value
    state.rev += 1
    state.set_by = by
    state.lo, state.hi = interval


def move_set(
    state: FieldState, value: Sequence[str], by: str, when: tuple[datetime | None, datetime | None]
) -> None:
    """Give a set its next revision as a whole; only elements that come or go are marked with it."""
    wanted = set(value)
    for name in wanted ^ present_elements(state):
        state.elements[name] = Element(name in wanted, state.rev + 1, by)
    move_state(state, tuple(sorted(wanted)), by, when)


def count_change_of_hands(case: Case) -> bool:
    """Count one change of hands, and tell whether that is one too many. Old ones are forgotten."""
    now, guard = case.obs.read_at, case.rules.sync.guard
    case.state.flips = [
        (when, by) for when, by in case.state.flips if now - when <= guard.flip_window
    ]
    case.state.flips.append((now, case.connection))
    return flips_too_often(case.state.flips, now, guard)


def accept(case: Case, raw: Raw, value: Canonical) -> None:
    """Let the side's value be the state, unless the field has been passed to and fro too often."""
    handed_over = case.state.rev > 0 and case.state.set_by != case.connection
    if handed_over and count_change_of_hands(case):
        open_conflict(case, raw, FUSE)
        return
    before = case.state.value
    move_state(case.state, value, case.connection, case.interval)
    case.level()
    case.note("changed", raw=raw, value=value, before=before, rev=case.state.rev)


def renew(case: Case, raw: Raw) -> None:
    """Count a change that says what the state says already: it was decided anew, so older edits elsewhere are older."""
    move_state(case.state, case.state.value, case.connection, case.interval)
    case.level()
    case.note("agreed", raw=raw, value=case.state.value, rev=case.state.rev)


def leave_as_it_is(case: Case, why: str) -> None:
    """Leave the side, just seen, as it is for as long as the state stands."""
    case.entry.level = case.state.rev
    case.entry.decided = {case.name: case.state.rev}
    case.entry.decided_why = why
    case.entry.open_to_review = False


# --- time
# ---------------------------------------------------------------------------------------------------------


def compare_times(case: Case) -> Verdict:
    """Tell whether this side's change is newer than the state: only intervals that do not touch decide for certain."""
    lo, hi = case.interval
    state = case.state
    if state.hi is not None and lo is not None and lo >= state.hi:
        return "newer"
    if state.lo is not None and hi <= state.lo:
        return "older"
    if state.hi is not None and hi != state.hi:
        return "uncertain newer" if hi > state.hi else "uncertain older"
    return "uncertain newer" if outranks(case) else "uncertain older"


def outranks(case: Case) -> bool:
    """Tell whether this side's connection comes before the state's in the declared precedence.

    What an admin or a mapping has decided is not up for ranking.
    """
    if case.state.set_by in {ADMIN, MAPPING}:
        return False
    return case.rules.sync.rank(case.connection) < case.rules.sync.rank(case.state.set_by)


def settle_by_latest(case: Case, raw: Raw, value: Canonical) -> None:
    """Let the later change win, and say so when the order is not certain."""
    verdict = compare_times(case)
    wins = verdict.endswith("newer")
    uncertain = verdict.startswith("uncertain")
    case.versus(
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


# --- owner
# ---------------------------------------------------------------------------------------------------------


def owner_of(case: Case) -> str:
    """Give the connection that owns the field: only one that is on the link, alive, and can hold it."""
    owner = case.policy.owner if case.policy.policy == "owner" else ""
    side = case.link.live().get(owner)
    held = side.fields.get(case.name) if side is not None else None
    mapped = case.rules.maps[owner].fields.get(case.name) if owner in case.rules.maps else None
    if mapped is None or side is None:
        return ""
    if owner != case.connection and (
        held is None
        or isinstance(held.shadow, Marker)
        or isinstance(reads_as(mapped, held, held.shadow), Unreadable)
    ):
        return ""
    return owner


def refuse_edit(case: Case, raw: Raw, value: Canonical, owner: str) -> None:
    """Turn an edit down that the policy does not let through: put it back, or leave it and say so."""
    if case.state.rev == 0 and owner:
        # The owner says nothing about the field, which is an answer too: without a state nothing
        # could be put back.
        held = case.link.sides[owner].fields[case.name]
        owned = reads_as(case.rules.maps[owner].fields[case.name], held, held.shadow)
        move_state(case.state, owned, owner, (None, held.seen))
    if owner and case.policy.revert:
        case.versus(raw, value, kind="reverted", winner=owner, why=f"{owner} owns the field")
        case.entry.level = min(case.entry.level, case.state.rev - 1)
        case.entry.decided = None
        return
    why = (
        f"{owner} owns the field; edits elsewhere are left alone"
        if owner
        else "set once; later edits are left alone"
    )
    case.versus(raw, value, kind="ignored", winner=owner or case.state.set_by, why=why)
    leave_as_it_is(case, why)


# --- open conflicts
# ------------------------------------------------------------------------------------------------


def open_conflict(case: Case, raw: Raw, why: str) -> None:
    """Freeze the field on the whole link until a human decides or the sides come to agree."""
    state = case.state
    state.candidates = {**state_candidate(case), case.connection: raw}
    state.why_open = why
    case.versus(
        raw,
        case.mapped.read(raw) if not case.mapped.is_set else raw,
        kind="conflict",
        winner="",
        why=why,
    )


def state_candidate(case: Case) -> dict[str, Raw]:
    """Give the state's own candidate: as the side that set it shows it, else the plain value."""
    other = case.state.set_by
    held = case.link.sides[other].fields.get(case.name) if other in case.link.sides else None
    if other == case.connection or held is None or isinstance(held.shadow, Marker):
        return {STATE: case.state.value}
    return {other: held.shadow}


def replace_candidate(case: Case, raw: Raw) -> None:
    """Replace what this side waits with; when every waiting value comes to say the same, the conflict is over."""
    waiting = case.state.candidates
    if waiting is None:
        return
    waiting[case.connection] = raw
    case.note("waiting", raw=raw, why=case.state.why_open)
    for value in possible_values(case, waiting):
        if all(candidate_fits(case, name, held, value) for name, held in waiting.items()):
            close_conflict(case, value)
            return


def possible_values(case: Case, waiting: dict[str, Raw]) -> list[Canonical]:
    """Give the values that the waiting sides could all mean, the state's own first: it may be the richer one."""
    values = [case.state.value]
    for name, raw in waiting.items():
        entry = case.link.sides[name].fields.get(case.name) if name in case.link.sides else None
        if entry is not None:
            values.append(reads_as(case.rules.maps[name].fields[case.name], entry, raw))
    return [value for value in values if not isinstance(value, Unreadable)]


def candidate_fits(case: Case, name: str, raw: Raw, value: Canonical) -> bool:
    """Tell whether a waiting value agrees with what the state would become."""
    if name not in case.link.sides:
        return bool(raw == value)
    would = FieldState(value=value)
    if case.mapped.is_set:
        would.elements = {element: Element(present=True, rev=0, by="") for element in value or ()}
    entry = case.link.sides[name].fields.get(case.name, SideField())
    return agrees(case.rules.maps[name].fields[case.name], entry, raw, would)


def close_conflict(case: Case, value: Canonical) -> None:
    """End an open conflict by the value that everybody came to."""
    state = case.state
    settled = list(state.candidates or ())
    if case.mapped.is_set:
        move_set(state, value or (), case.connection, case.interval)
    else:
        move_state(state, value, case.connection, case.interval)
    state.candidates, state.why_open, state.flips = None, "", []
    for name in settled:
        if name in case.link.sides and name in case.rules.maps:
            case.link.sides[name].fields[case.name].level = state.rev
    case.note("settled", value=value, why="all waiting sides agree", sides=settled, rev=state.rev)
