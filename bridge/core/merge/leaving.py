"""Records that have left a link, and what they leave open.

Retired ones, whose connection the sync does not name (any more), are set aside when a link is
loaded (`Link.retire_all_but`); an admin detaches others, or moves them. What stays is their part in
open conflicts: nobody reads those values any more, so they must not freeze the others for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.core.merge.case import Rules
from bridge.core.merge.equality import present_elements, read_set
from bridge.core.merge.policies import STATE, move_set, move_state
from bridge.core.model.state import FieldState, Link, Note, SideField
from bridge.core.model.values import Canonical, Raw, Unreadable


def settle_without_absent(link: Link, rules: Rules, moved: str = "") -> list[Note]:
    """End the part of records that have left in open conflicts; call it before the link is planned.

    Where the values that still wait come to the same, the conflict is over. Otherwise it stays
    open, among those that are left. The timeline keeps what the others said, and should one of them
    come back, nobody has settled that yet: it is in conflict again. `moved` is a connection whose
    record is about to leave for another link.
    """
    notes: list[Note] = []
    for name, state in link.state.items():
        waiting = state.candidates or {}
        left = {by: why for by in waiting if (why := _why_absent(link, rules, by, moved))}
        if left:
            gone = {by: raw for by, raw in waiting.items() if by in left}
            state.candidates = {by: raw for by, raw in waiting.items() if by not in gone}
            notes.append(_settle(link, rules, name, state, gone, ", ".join(left.values())))
            _forget_bases(link, name, gone)
    return notes


def _why_absent(link: Link, rules: Rules, by: str, moved: str) -> str:
    """Return why a waiting value has no say any more; empty: it has one."""
    if by == STATE:
        return ""
    if by not in rules.maps:
        return f"{by} is not mirrored any more"
    if by == moved or by not in link.sides:
        return f"the record on {by} is in another ticket"
    return f"the record on {by} is detached" if link.sides[by].detached else ""


def _forget_bases(link: Link, name: str, gone: Mapping[str, Raw]) -> None:
    """Let the field be met anew on the records that left, should they come back."""
    for side in ({**link.sides, **link.retired}.get(by) for by in gone):
        if side is not None and name in side.fields:
            side.fields[name].map_rev = ""


def _settle(
    link: Link, rules: Rules, name: str, state: FieldState, gone: Mapping[str, Raw], who: str
) -> Note:
    left = state.candidates or {}
    values = [_as_read(link, rules, name, by, raw) for by, raw in left.items()] or [state.value]
    detail: dict[str, Any] = {"gone": dict(gone), "sides": sorted({*left, *gone})}
    if any(value != values[0] or isinstance(value, Unreadable) for value in values):
        return Note("waiting", "", name, detail | {"why": f"{who}; the others still differ"})
    by = next((each for each in left if each != STATE), state.set_by)
    if state.elements:
        move_set(state, values[0] or (), by, (state.lo, state.hi))
    else:
        move_state(state, values[0], by, (state.lo, state.hi))
    state.candidates, state.why_open, state.flips = None, "", []
    for side in (link.sides[each] for each in left if each in link.sides):
        if name in side.fields:
            side.fields[name].level = state.rev
    detail |= {"value": state.value, "rev": state.rev, "why": f"{who}, and the others agree"}
    return Note("settled", "", name, detail)


def _as_read(link: Link, rules: Rules, name: str, by: str, raw: Raw) -> Canonical | Any:
    """Return a waiting value in canonical form; of a set, all its elements."""
    field_map = rules.maps[by].fields.get(name) if by in rules.maps else None
    if field_map is None:
        return raw
    if field_map.is_set:
        side = link.sides.get(by)
        entry = side.fields.get(name, SideField()) if side is not None else SideField()
        return tuple(sorted(read_set(field_map, entry, raw, present_elements(link.state[name]))))
    return field_map.read(raw)
