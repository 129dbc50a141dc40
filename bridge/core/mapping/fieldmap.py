"""A compiled mapping: what the merge and the planner ask of a field, without knowing how it was declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.core.model.values import Canonical, Marker, NotCarried, Raw, Unreadable


@dataclass(frozen=True, slots=True)
class FieldMap:
    """One canonical field of one connection.

    `extract` takes the vendor's record and gives the raw value, `ABSENT` or `Unreadable`. `read`
    and `write` translate one value between the spaces; for a set they take one *element*. Both are
    total: what has no translation is `Unreadable` (the value is named) or `NotCarried`, never an
    exception and never a guess.
    """

    name: str
    revision: str
    """Changes whenever the path or a table of this field changes: a shadow of another revision is no base.

    Behind a `/` stands what depends on the directory of people, where they are looked up.
    """
    extract: Callable[[Mapping[str, Any]], Raw | Marker | Unreadable]
    read: Callable[[Raw], Canonical | Unreadable]
    write: Callable[[Canonical], Raw | NotCarried]
    write_key: str | None = None
    """Where the value is sent; None: this mapping never writes the field."""
    source: str = ""
    """The plain top-level name that is read; empty for anything more than that."""
    is_set: bool = False
    on_create: bool = True
    on_update: bool = True
    parent: str = ""
    """How the raw value names the ticket that the record belongs to (a transform of `parent` fields); empty: no parent.

    Who reads records puts our own id of that ticket in its place, and the other way round when one
    is made.
    """
    stranger: Callable[[Raw], bool] | None = None
    """Agents only: the raw value names a person whom the directory does not know."""


@dataclass(frozen=True, slots=True)
class EntityMap:
    """All fields of one entity for one connection."""

    entity: str
    fields: Mapping[str, FieldMap]
    version: Callable[[Mapping[str, Any]], str | None] = field(default=lambda _record: None)
    """The record's own version (a canonical UTC time or number as text that sorts by age), None if it has none."""

    def extract(self, record: Mapping[str, Any]) -> dict[str, Raw | Marker | Unreadable]:
        """Give every mapped field of a vendor's record in that system's own value space."""
        return {name: mapped.extract(record) for name, mapped in self.fields.items()}

    @property
    def parent(self) -> FieldMap | None:
        """Give the field that says which ticket the record belongs to, if it belongs to one."""
        return next((mapped for mapped in self.fields.values() if mapped.parent), None)

    def canonical(self, record: Mapping[str, Any]) -> dict[str, Canonical | Unreadable]:
        """Give the record's readable fields in canonical values, absent ones left out, for matching."""
        found: dict[str, Canonical | Unreadable] = {}
        for name, raw in self.extract(record).items():
            if isinstance(raw, Marker):
                continue
            if isinstance(raw, Unreadable):
                found[name] = raw
            elif self.fields[name].is_set:
                elements = [self.fields[name].read(element) for element in raw or ()]
                found[name] = tuple(
                    sorted({element for element in elements if isinstance(element, str)})
                )
            else:
                found[name] = self.fields[name].read(raw)
        return found


def without_directory(revision: str) -> str:
    """Give a revision of the same field by a directory that knows nobody: what was read by it is read anew."""
    return revision.partition("/")[0] + "/"


def same_declaration(one: str, other: str) -> bool:
    """Tell whether two revisions of a field differ in the directory of people at most."""
    return one.partition("/")[0] == other.partition("/")[0]
