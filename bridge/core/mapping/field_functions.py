"""The functions that a compiled field consists of: extract, read, write. Each is total: nothing raises on any JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.core.mapping.as_chain import Chain
from bridge.core.mapping.paths import Path
from bridge.core.mapping.transforms import shown
from bridge.core.model.entities import Field
from bridge.core.model.values import ABSENT, Canonical, Marker, NotCarried, Raw, Unreadable


@dataclass(slots=True)
class Table:
    """A value table. Keys are told apart by type as well: `1`, `"1"` and `true` are three values."""

    rows: dict[tuple[type, Any], Any] = field(default_factory=dict)

    def get(self, value: Any) -> tuple[bool, Any]:
        """Say whether the value is listed, and what it stands for."""
        try:
            return typed_key(value) in self.rows, self.rows.get(typed_key(value))
        except TypeError:
            return False, None


def typed_key(value: Any) -> tuple[type, Any]:
    """Give a key under which true is not 1."""
    return (
        bool
        if isinstance(value, bool)
        else float
        if isinstance(value, int | float)
        else type(value),
        value,
    )


def make_extractor(
    known: Field, paths: Sequence[Path], chain: Chain
) -> Callable[[Mapping[str, Any]], Raw | Marker | Unreadable]:
    """Make the function that takes a field's raw value out of a record."""
    if chain.combine is not None:
        return _combined(paths, chain.combine)
    get, pick = paths[0].get, chain.transform.elements if chain.transform else None
    if known.kind != "set":
        return get

    def elements(record: Mapping[str, Any]) -> Raw | Marker | Unreadable:
        raw = get(record)
        if isinstance(raw, list) and pick is not None:
            return pick(raw)
        if raw is None or isinstance(raw, list | Marker | Unreadable):
            return raw
        return Unreadable(f"{known.name} is {shown(raw)}, which is no list")

    return elements


def _combined(
    paths: Sequence[Path], combine: Callable[[Any], Any]
) -> Callable[[Mapping[str, Any]], Raw | Marker | Unreadable]:
    def combined(record: Mapping[str, Any]) -> Raw | Marker | Unreadable:
        # A name that the record lacks altogether says nothing; one that is only missing further in
        # is empty.
        if any(root not in record for path in paths for root in path.roots):
            return ABSENT
        values = [path.get(record) for path in paths]
        unreadable = next((each for each in values if isinstance(each, Unreadable)), None)
        return unreadable or combine(
            [None if isinstance(each, Marker) else each for each in values]
        )

    return combined


def make_reader(
    known: Field, table: Table | None, chain: Chain, default: Canonical
) -> Callable[[Raw], Canonical | Unreadable]:
    """Make the function from the system's space to ours."""
    name, helpers = known.name, chain.helpers

    def listed(value: Raw) -> Canonical | Unreadable:
        there, found = table.get(value) if table is not None else (False, None)
        if there or (value is None and known.kind != "choice"):
            return found
        return Unreadable(
            f"{name} {shown(value)} has no reading; add it to the table `read` of {name}"
        )

    def own_words(value: Raw) -> Canonical | Unreadable:
        if value is None or (isinstance(value, str) and value in known.choices):
            return value
        return Unreadable(f"{name} {shown(value)} is none of ours; give {name} a table `read`")

    def transformed(value: Raw) -> Canonical | Unreadable:
        return None if value is None or chain.transform is None else chain.transform.read(value)

    translate = (
        listed if table is not None else own_words if chain.transform is None else transformed
    )

    def read(raw: Raw) -> Canonical | Unreadable:
        if isinstance(raw, Unreadable):
            return raw
        if isinstance(raw, Marker):
            return Unreadable(f"{name} was not shown")
        value = raw
        for helper in helpers:
            value = helper(value)
        found = translate(value)
        return default if found is None else found

    return read


def read_parent(raw: Raw) -> Canonical | Unreadable:
    """Read a parent: whoever reads records has put our own id in its place, the same on every side."""
    return Unreadable("was not shown") if isinstance(raw, Marker) else raw


def make_writer(
    known: Field,
    table: Table | None,
    chain: Chain,
    *,
    not_carried: tuple[Canonical, ...],
    longest: int | None,
    unless_null: bool,
) -> Callable[[Canonical], Raw | NotCarried]:
    """Make the function from our space to the system's."""
    name, transform = known.name, chain.transform

    def write(value: Canonical) -> Raw | NotCarried:
        if value is None and unless_null:
            return NotCarried(f"an empty {name} is not written here (unless_null)")
        if value in not_carried:
            return NotCarried(f"{name} {shown(value)} is declared as not carried")
        if table is not None:
            there, raw = table.get(value)
            return raw if there else NotCarried(f"{name} {shown(value)} has no writing here")
        if value is None or transform is None:
            return value
        raw = transform.write(value)
        return raw[:longest] if longest is not None and isinstance(raw, str) else raw

    return write
