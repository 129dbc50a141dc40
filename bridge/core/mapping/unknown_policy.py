"""What a field's mapping makes of values that it does not know, where it is told to.

Usually such a value is unreadable, and the field waits until its table has a row. A connection's
`unknown_values` may say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bridge.core.mapping.field_functions import Read, Write
from bridge.core.mapping.value_tables import allowed_values
from bridge.core.model.entities import Field
from bridge.core.model.outcome_codes import Code
from bridge.core.model.syncs import ALL_FIELDS, AS_IT_IS, IGNORE, UnknownPolicy, policy_of
from bridge.core.model.values import Canonical, NotCarried, Raw, Unreadable

ANY_TEXT = frozenset({"text"})
"""Kinds of field that take any text."""
NAMED = 4
"""So many fields are named that cannot."""


def reader(read: Read, policy: UnknownPolicy, *, tabled: bool) -> Read:
    """Return how a field reads where such values are ignored, or pass as they are."""
    if policy == IGNORE:

        def read_or_ignore(raw: Raw) -> Canonical | Unreadable:
            value = read(raw)
            if isinstance(value, Unreadable) and value.code is Code.READ_VALUE:
                why = f"{value.why}; left alone (unknown_values: {IGNORE})"
                return Unreadable(why, Code.READ_IGNORED)
            return value

        return read_or_ignore
    if policy == AS_IT_IS and tabled:

        def read_or_pass(raw: Raw) -> Canonical | Unreadable:
            value = read(raw)
            return raw if isinstance(value, Unreadable) and isinstance(raw, str) else value

        return read_or_pass
    return read


def writer(read: Read, write: Write, policy: UnknownPolicy, *, tabled: bool) -> Write:
    """Return how a field is written where unknown text passes: as what would be read as itself."""
    if policy != AS_IT_IS or not tabled:
        return write

    def write_or_pass(value: Canonical) -> Raw | NotCarried:
        raw = write(value)
        without_row = isinstance(raw, NotCarried) and raw.code is Code.MAP_VALUE
        return value if without_row and read(value) == value else raw

    return write_or_pass


def problems(
    policies: Mapping[str, UnknownPolicy], fields: Iterable[Field]
) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with a connection's policies, each with the key that it is about.

    `fields`: those that the connection's mapping has, of all entities.
    """
    there = list(fields)
    names = list(dict.fromkeys(field.name for field in there))
    for name in policies:
        if name != ALL_FIELDS and name not in names:
            allowed = ", ".join((*names, f'"{ALL_FIELDS}"'))
            yield name, f"the mapping has no such field; allowed {allowed}"
    passing = [field for field in there if policy_of(policies, field.name) == AS_IT_IS]
    closed = [field for field in passing if field.kind not in ANY_TEXT]
    for field in closed:
        if field.name in policies:
            what = f"a {field.kind} takes no value that it does not know"
            yield field.name, f"{what} ({allowed_values(field)}); allowed quarantine, ignore"
    by_all = list(dict.fromkeys(f.name for f in closed if f.name not in policies))
    if by_all:
        named = ", ".join(by_all[:NAMED]) + (", …" if len(by_all) > NAMED else "")
        what = f"{named} cannot take any text; name the fields that may, such as "
        yield ALL_FIELDS, f"{what}`{{{_example(there)}: {AS_IT_IS}}}`, or say quarantine or ignore"


def _example(fields: Iterable[Field]) -> str:
    return next((field.name for field in fields if field.kind in ANY_TEXT), "reason")
