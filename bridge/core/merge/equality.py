"""Agreement of a side with the state, and other comparisons of two values.

Agreement is asked in both directions, because mappings lose distinctions (rule F16). A scalar
agrees when it reads as the state, when the state would be written as it, or when it is the
remembered answer to our writing exactly this state (rule F13). A set asks the same of every
element, and never minds the spelling (rule F14).

Nothing here changes anything. These functions run for every field of every read: they allocate as
little as they can.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any, cast

from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.model.state import FieldState, SideField
from bridge.core.model.values import Canonical, Marker, Raw, Unreadable, same_json


def agrees(field_map: FieldMap, entry: SideField, raw: Raw, state: FieldState) -> bool:
    """Return whether `raw`, on this side, needs no change to say what the state says."""
    if field_map.is_set:
        return set_agrees(field_map, entry, raw, state)
    value = state.value
    if field_map.read(raw) == value or same_json(field_map.write(value), raw):
        return True
    if entry.remembered_answer is None:
        return False
    sent, answered = entry.remembered_answer
    return sent == value and bool(answered == raw)


def shows_state(field_map: FieldMap | None, entry: SideField, state: FieldState) -> bool:
    """Return whether what a side showed last says what the state says."""
    if field_map is None or entry.unreadable or isinstance(entry.shadow, Marker):
        return False
    return agrees(field_map, entry, entry.shadow, state)


def set_agrees(field_map: FieldMap, entry: SideField, raw: Raw, state: FieldState) -> bool:
    """Return whether nothing is left to add to a set or to remove from it.

    Elements that this system is known not to take, or not to give up, do not count.
    """
    wanted = present_elements(state)
    differing = wanted ^ read_set(field_map, entry, raw, wanted).keys()
    return all(lack_holds(entry, state, element) for element in differing)


def lack_holds(entry: SideField, state: FieldState, element: str) -> bool:
    """Return whether it is on record that the system does not follow the state in this element.

    Such a record holds for one revision of the element: whoever decides about it anew, ends it.
    """
    known = state.elements.get(element)
    return known is not None and entry.lacks.get(element) == known.rev


def present_elements(state: FieldState) -> set[str]:
    """Return the canonical elements that are in the agreed set."""
    return {name for name, element in state.elements.items() if element.present}


def elements_of(raw: Raw | Marker) -> list[Any]:
    """Return a raw set's elements; null and "never read" hold none."""
    return list(raw) if isinstance(raw, list | tuple) else []


def identity(element: Raw) -> Hashable:
    """Return what tells a raw element from others in a look-up: an element may be any JSON."""
    if isinstance(element, str):
        return element
    if isinstance(element, Mapping):
        return "map", frozenset((name, identity(item)) for name, item in element.items())
    if isinstance(element, list | tuple):
        return "list", tuple(identity(item) for item in element)
    return cast("Hashable", element)


def identities(raw: Raw | Marker) -> set[Hashable]:
    """Return the identities of a raw set's elements, for look-ups."""
    elements = elements_of(raw)
    try:
        return set(elements)
    except TypeError:
        return {identity(element) for element in elements}


def distinct(raw: Raw | Marker) -> list[Raw]:
    """Return a raw set's elements in their order, each once."""
    elements = elements_of(raw)
    try:
        return list(dict.fromkeys(elements))
    except TypeError:
        return list({identity(element): element for element in elements}.values())


def read_set(
    field_map: FieldMap, entry: SideField, raw: Raw | Marker, known: Iterable[str] = ()
) -> dict[str, Raw]:
    """Return a raw set's canonical elements, each with the spelling that this system has for it.

    `known` are the canonical elements of interest, usually the state's. Elements without a reading
    are left out.
    """
    spelling: dict[str, Raw] = {}
    for spelled, names in meanings(field_map, entry, raw, known):
        for name in names:
            spelling.setdefault(name, spelled)
    return spelling


def meanings(
    field_map: FieldMap, entry: SideField, raw: Raw | Marker, known: Iterable[str] = ()
) -> Iterator[tuple[Raw, list[str]]]:
    """Yield each of a raw set's elements with the canonical elements that it stands for.

    One of the `known` that would be *written* as a raw element is that element: a system that cuts
    tags to four letters shows `bill` for `billing`. So one raw element may stand for two; one
    without a reading stands for none.
    """
    # How this system would show the elements of interest, if we wrote them.
    written: dict[Any, list[str]] = {}
    wanted = set(known)
    for element in sorted(wanted):
        form = field_map.write(element)
        if isinstance(form, str):
            written.setdefault(form, []).append(element)
    for spelled in distinct(raw):
        stands_for = written.get(spelled, []) if isinstance(spelled, str) else []
        own = entry.alias.get(spelled) if isinstance(spelled, str) else None
        plain = own if own is not None else field_map.read(spelled)
        # What one of ours would be cut to is not read as an element of its own as well.
        if isinstance(plain, str) and (plain in wanted or not stands_for):
            yield spelled, [plain, *stands_for]
        else:
            yield spelled, stands_for


def unreadable_elements(field_map: FieldMap, raw: Raw | Marker) -> dict[str, str]:
    """Return a raw set's elements that have no reading, each with the reason.

    They are never merged, and a write has to keep them.
    """
    reasons: dict[str, str] = {}
    for spelled in elements_of(raw):
        value = field_map.read(spelled)
        if isinstance(value, Unreadable):
            reasons[str(spelled)] = value.why
    return reasons


def same_raw(field_map: FieldMap, one: Raw | Marker, other: Raw | Marker) -> bool:
    """Return whether two raw values are the same to their system: sets have no order or doubles."""
    if isinstance(one, Marker) or isinstance(other, Marker):
        return one is other
    if not field_map.is_set:
        return same_json(one, other)
    return bool(one == other) or identities(one) == identities(other)


def decision_holds(entry: SideField, states: Mapping[str, FieldState]) -> bool:
    """Return whether the decision to leave a field alone still holds.

    It falls as soon as any field that it was based on has moved (rules F5, F20).
    """
    if entry.decided is None:
        return False
    return all(
        (states[name].rev if name in states else 0) == rev for name, rev in entry.decided.items()
    )


def fold(element: str) -> str:
    """Return an element as it is compared with what a vendor may have trimmed, folded or cut."""
    return element.strip().casefold()


def reads_as(field_map: FieldMap, entry: SideField, raw: Raw | Marker) -> Canonical | Unreadable:
    """Return the canonical value of a whole raw value, a set's as a sorted tuple."""
    if field_map.is_set:
        return tuple(sorted(read_set(field_map, entry, raw)))
    return field_map.read(raw)
