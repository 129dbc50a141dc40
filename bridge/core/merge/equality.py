"""Does a side already say what the state says? Asked in both directions, because mappings lose distinctions.

A scalar agrees when it reads as the state, when the state would be written as it, or when it is the
remembered answer to our writing exactly this state. A set asks the same of every element, and never
minds the spelling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.model.state import FieldState, SideField
from bridge.core.model.values import Canonical, Marker, Raw, Unreadable


def agrees(mapped: FieldMap, side: SideField, raw: Raw, state: FieldState) -> bool:
    """Tell whether `raw`, on this side, needs no change to say what the state says."""
    if mapped.is_set:
        return set_agrees(mapped, side, raw, state)
    value = state.value
    if mapped.read(raw) == value or mapped.write(value) == raw:
        return True
    return side.got is not None and side.got[0] == value and bool(side.got[1] == raw)


def set_agrees(mapped: FieldMap, side: SideField, raw: Raw, state: FieldState) -> bool:
    """Tell whether nothing is left to add or remove, apart from what this system is known not to take or give up."""
    wanted = present_elements(state)
    differing = wanted ^ read_set(mapped, side, raw, wanted).keys()
    return all(lack_holds(side, state, element) for element in differing)


def lack_holds(side: SideField, state: FieldState, element: str) -> bool:
    """Tell whether it is on record, for the element's present revision, that the system does not follow."""
    known = state.elements.get(element)
    return known is not None and side.lacks.get(element) == known.rev


def present_elements(state: FieldState) -> set[str]:
    """Give the canonical elements that are in the agreed set."""
    return {name for name, element in state.elements.items() if element.present}


def elements_of(raw: Raw | Marker) -> list[Any]:
    """Give a raw set's elements; null and no base hold none."""
    return list(raw) if isinstance(raw, list | tuple) else []


def read_set(
    mapped: FieldMap, side: SideField, raw: Raw | Marker, known: Iterable[str] = ()
) -> dict[str, Raw]:
    """Read a raw set: canonical element -> how this system spells it. Elements that cannot be read are left out.

    `known` are the canonical elements of interest, the state's usually. One of them that would be
    *written* as a raw element is that element (a system that cuts tags to four letters shows `bill`
    for `billing`); one raw element may so stand for two.
    """
    written: dict[Any, list[str]] = {}
    wanted = set(known)
    for element in sorted(wanted):
        form = mapped.write(element)
        if isinstance(form, str):
            written.setdefault(form, []).append(element)
    found: dict[str, Raw] = {}
    for spelled in elements_of(raw):
        stands_for = written.get(spelled, []) if isinstance(spelled, str) else []
        own = side.alias.get(spelled) if isinstance(spelled, str) else None
        plain = own if own is not None else mapped.read(spelled)
        if isinstance(plain, str) and (plain in wanted or not stands_for):
            found.setdefault(plain, spelled)
        for element in stands_for:
            found.setdefault(element, spelled)
    return found


def unreadable_elements(mapped: FieldMap, raw: Raw | Marker) -> dict[str, str]:
    """Give a raw set's elements that have no reading -> why. They are never merged, and a write has to keep them."""
    found: dict[str, str] = {}
    for spelled in elements_of(raw):
        value = mapped.read(spelled)
        if isinstance(value, Unreadable):
            found[str(spelled)] = value.why
    return found


def same_raw(mapped: FieldMap, one: Raw | Marker, other: Raw | Marker) -> bool:
    """Compare two raw values as their system would: a set has no order and no doubles."""
    if isinstance(one, Marker) or isinstance(other, Marker):
        return one is other
    if not mapped.is_set:
        return bool(one == other)
    first, second = elements_of(one), elements_of(other)
    return all(element in second for element in first) and all(
        element in first for element in second
    )


def decision_holds(side: SideField, states: Mapping[str, FieldState]) -> bool:
    """Tell whether the decision to leave the field alone still holds: no field that it was based on has moved."""
    if side.decided is None:
        return False
    return all(
        (states[name].rev if name in states else 0) == rev for name, rev in side.decided.items()
    )


def normalises_to(sent: Raw, shown: Raw) -> bool:
    """Tell whether trimming, folding or cutting turns what we sent into what is shown. Never guessed by count."""
    if not isinstance(sent, str) or not isinstance(shown, str):
        return False
    whole, part = sent.strip().casefold(), shown.strip().casefold()
    return bool(part) and whole.startswith(part)


def reads_as(mapped: FieldMap, side: SideField, raw: Raw | Marker) -> Canonical | Unreadable:
    """Read a whole raw value, a set as its sorted tuple."""
    if mapped.is_set:
        return tuple(sorted(read_set(mapped, side, raw)))
    return mapped.read(raw)
