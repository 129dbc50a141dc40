"""Makes the three functions of a compiled field: extract, read and write.

Each is total: nothing raises, whatever JSON a system sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.core.mapping.as_chain import Chain
from bridge.core.mapping.paths import Path
from bridge.core.mapping.read_helpers import cut
from bridge.core.mapping.value_tables import Table
from bridge.core.model.entities import Field
from bridge.core.model.outcome_codes import Code
from bridge.core.model.values import ABSENT, Canonical, Marker, NotCarried, Raw, Unreadable, shown

Extract = Callable[[Mapping[str, Any]], Raw | Marker | Unreadable]
Read = Callable[[Raw], Canonical | Unreadable]
Write = Callable[[Canonical], Raw | NotCarried]
_NO_RAW = frozenset((Marker, Unreadable))
"""Kinds of what `extract` returns where there is no raw value."""


# --- extract: a record -> the raw value -----------------------------------------------------------


def make_extractor(field: Field, paths: Sequence[Path], chain: Chain) -> Extract:
    """Return the function that takes a field's raw value out of a record."""
    if chain.combine is not None:
        return _combined(paths, chain.combine)
    get, pick = paths[0].get, chain.transform.elements if chain.transform else None
    if field.kind != "set":
        return get

    def elements(record: Mapping[str, Any]) -> Raw | Marker | Unreadable:
        raw = get(record)
        if pick is not None:
            raw = pick(raw)
        if raw is None or isinstance(raw, list | Marker | Unreadable):
            return raw
        return Unreadable(f"{field.name} is {shown(raw)}, which is no list")

    return elements


def _combined(paths: Sequence[Path], combine: Callable[[Any], Any]) -> Extract:
    """Return the function that makes one raw value of several paths."""

    def combined(record: Mapping[str, Any]) -> Raw | Marker | Unreadable:
        # A name that the record lacks altogether says nothing; one that is only missing further in
        # is empty.
        if any(root not in record for path in paths for root in path.roots):
            return ABSENT
        values = [path.get(record) for path in paths]
        unreadable = next((value for value in values if isinstance(value, Unreadable)), None)
        if unreadable is not None:
            return unreadable
        return combine([None if isinstance(value, Marker) else value for value in values])

    return combined


# --- read: raw -> canonical -----------------------------------------------------------------------


def make_reader(field: Field, table: Table | None, chain: Chain, default: Canonical) -> Read:
    """Return the function from the system's space to ours; `default` stands in for null."""
    helpers, is_tabled, not_shown = chain.helpers, table is not None, f"{field.name} was not shown"
    translate = _translator(field, table, chain)

    def read(raw: Raw) -> Canonical | Unreadable:
        if type(raw) in _NO_RAW:
            return raw if isinstance(raw, Unreadable) else Unreadable(not_shown, Code.READ_ABSENT)
        for helper in helpers:
            raw = helper(raw)
        value = translate(raw) if raw is not None or is_tabled else None
        return default if value is None else value

    return read


def _translator(field: Field, table: Table | None, chain: Chain) -> Read:
    """Return the translation itself: by a value table, by a transform, or as our own words.

    A table alone may be given null.
    """
    if table is not None:
        return _by_table(field, table)
    return _in_our_words(field) if chain.transform is None else chain.transform.read


def _by_table(field: Field, table: Table) -> Read:
    name, texts = field.name, table.texts()

    def read_listed(value: Raw) -> Canonical | Unreadable:
        if type(value) is str and value in texts:
            return texts[value]
        listed, canonical = table.get(value)
        if listed or (value is None and field.kind != "choice"):
            return canonical
        return Unreadable(f"the table `read` of {name} has no row for {shown(value)}; add one")

    return read_listed


def _in_our_words(field: Field) -> Read:
    name = field.name

    def read_choice(value: Raw) -> Canonical | Unreadable:
        if isinstance(value, str) and value in field.choices:
            return value
        return Unreadable(f"{name} {shown(value)} is none of ours; give {name} a table `read`")

    return read_choice


def read_parent(raw: Raw) -> Canonical | Unreadable:
    """Return a parent as it is: who reads records has put our own id of the ticket in its place."""
    return Unreadable("was not shown", Code.READ_ABSENT) if isinstance(raw, Marker) else raw


# --- write: canonical -> raw ----------------------------------------------------------------------


def make_writer(
    field: Field,
    table: Table | None,
    chain: Chain,
    *,
    not_carried: tuple[Canonical, ...],
    max_length: int | None,
    cut_mark: str,
    unless_null: bool,
) -> Write:
    """Return the function from our space to the system's."""
    name, transform = field.name, chain.transform

    def write(value: Canonical) -> Raw | NotCarried:
        if value is None and unless_null:
            why = f"an empty {name} is not written here (unless_null)"
            return NotCarried(why, Code.MAP_DECLARED)
        if value in not_carried:
            why = f"{name} {shown(value)} is declared as not carried"
            return NotCarried(why, Code.MAP_DECLARED)
        if table is not None:
            listed, raw = table.get(value)
            return raw if listed else NotCarried(f"{name} {shown(value)} has no writing here")
        if value is None or transform is None:
            return value
        raw = transform.write(value)
        if max_length is None or not isinstance(raw, str):
            return raw
        return cut(raw, max_length, cut_mark) if cut_mark else raw[:max_length]

    return write
