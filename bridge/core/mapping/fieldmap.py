"""Compiled mappings: what the merge and the planner may ask of a field.

Nothing here knows how a field was declared; `compiler` makes these values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.core.model import limits
from bridge.core.model.outcome_codes import Code
from bridge.core.model.syncs import QUARANTINE, UnknownPolicy
from bridge.core.model.values import Canonical, Marker, NotCarried, Raw, Unreadable

_NEVER_LARGE = frozenset((type(None), bool, float, Marker, Unreadable))
"""Kinds of values that pass no limit."""


@dataclass(frozen=True, slots=True)
class FieldMap:
    """One canonical field of one connection.

    `extract` takes the vendor's record and returns the raw value, `ABSENT` or `Unreadable`. `read`
    and `write` translate one value between the spaces; for a set they take one *element*. Both are
    total: what has no translation is `Unreadable` (the value is named) or `NotCarried`, never an
    exception and never a guess.
    """

    name: str
    revision: str
    """Changes with the path and the tables: a shadow of another revision is no base (rule F19).

    Behind a `/` stands what depends on the directory of people, where they are looked up.
    """
    extract: Callable[[Mapping[str, Any]], Raw | Marker | Unreadable]
    read: Callable[[Raw], Canonical | Unreadable]
    write: Callable[[Canonical], Raw | NotCarried]
    write_key: str | None = None
    """Where the value is sent; None: this mapping never writes the field."""
    source: str = ""
    """The plain top-level name that is read; empty for anything more than that."""
    sources: tuple[str, ...] = ()
    """The paths and expressions that are read."""
    taken_from: str = ""
    """Names the way in which `extract` takes the raw value: two of one name take the same."""
    is_set: bool = False
    on_create: bool = True
    create_from: Callable[[Mapping[str, Canonical]], Raw | NotCarried] | None = None
    """Makes what a new record gets where the field has no value, of the agreed values by field."""
    on_update: bool = True
    parent: str = ""
    """The transform by which the raw value names the ticket that a record belongs to.

    Empty: no parent. On reading, `flow.readings.observation` puts our own id of the ticket in the
    raw value's place; on creating, `flow.parents.placed` does the reverse.
    """
    loses: Callable[[Raw], str] | None = None
    """Says in words what a raw value has that its reading has not; empty: nothing."""
    tabled: bool = False
    """The values that are read stand in a table."""
    unknown: UnknownPolicy = QUARANTINE
    """What becomes of a value without a reading."""
    stranger: Callable[[Raw], bool] | None = None
    """Agents only: whether a raw value names a person whom the directory does not know."""


@dataclass(frozen=True, slots=True)
class EntityMap:
    """All fields of one entity for one connection."""

    entity: str
    fields: Mapping[str, FieldMap]
    version: Callable[[Mapping[str, Any]], str | None] = field(default=lambda _record: None)
    """Returns a record's version as text that sorts by age; None if it has none."""
    also_sends: frozenset[str] = frozenset()
    """Names at the top of a record that the connector's document does not list."""

    def extract(self, record: Mapping[str, Any]) -> dict[str, Raw | Marker | Unreadable]:
        """Return every mapped field of a vendor's record, in the vendor's own values.

        What is too large to be handled (`model.limits`) is unreadable.
        """
        values: dict[str, Raw | Marker | Unreadable] = {}
        total = 0
        for name, field_map in self.fields.items():
            value = values[name] = field_map.extract(record)
            kind = type(value)
            if kind in _NEVER_LARGE:
                continue
            if (chars := limits.chars_if_small(value)) is not None:
                total += chars
                continue
            size = limits.size_of(value)
            if why := limits.why_too_large(value, size, is_set=field_map.is_set):
                values[name] = Unreadable(why, Code.READ_LIMIT)
            else:
                total += size.chars
        if total > limits.MAX_RECORD_CHARS:
            sizes = {name: limits.size_of(value).chars for name, value in values.items()}
            for name, why in limits.over_record_limit(sizes).items():
                values[name] = Unreadable(why, Code.READ_LIMIT)
        return values

    @property
    def parent(self) -> FieldMap | None:
        """Return the field that says which ticket a record belongs to, if there is one."""
        return next((field_map for field_map in self.fields.values() if field_map.parent), None)

    def canonical(self, record: Mapping[str, Any]) -> dict[str, Canonical | Unreadable]:
        """Return the record's fields in canonical values, for matching; absent ones left out."""
        values: dict[str, Canonical | Unreadable] = {}
        for name, raw in self.extract(record).items():
            if type(raw) is Marker:
                continue
            field_map = self.fields[name]
            if field_map.is_set and not isinstance(raw, Unreadable):
                values[name] = _read_set(field_map.read, raw)
            else:  # reading passes on why nothing can be read
                values[name] = field_map.read(raw)
        return values


def _read_set(read: Callable[[Raw], Canonical | Unreadable], raw: Raw) -> tuple[str, ...]:
    """Return the elements that can be read, each once and in order."""
    elements = map(read, raw or ())
    return tuple(sorted({element for element in elements if isinstance(element, str)}))


def without_directory(revision: str) -> str:
    """Return the revision that the field would have under an empty directory of people.

    A shadow that is given it is read anew, as by another directory.
    """
    return revision.partition("/")[0] + "/"


def same_declaration(one: str, other: str) -> bool:
    """Return whether two revisions of a field differ in the directory of people at most."""
    return one.partition("/")[0] == other.partition("/")[0]
