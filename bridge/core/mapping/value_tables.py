"""Value tables of a mapping: which raw value stands for which canonical one.

Also which canonical values a field can have at all, which every table is checked against.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.core.mapping.scalar_forms import number_of, url_of
from bridge.core.mapping.time_forms import day_of
from bridge.core.model.entities import Field
from bridge.core.model.values import shown

Where = tuple[str | int | float | bool | None, ...]
"""Keys from the top of a declaration down to the value that a problem is about."""
NOT_TABLED = frozenset(("set", "agent", "parent", "json"))
"""Kinds of field that have no value table."""
Problem = tuple[Where, str]
"""What is wrong with a declaration, and where."""


@dataclass(slots=True)
class Table:
    """A value table. Keys are told apart by type as well: `1`, `"1"` and `true` are three."""

    rows: dict[tuple[type, Any], Any] = field(default_factory=dict)

    def get(self, value: Any) -> tuple[bool, Any]:
        """Return whether the value is listed, and what it stands for."""
        key = typed_key(value)
        try:
            return key in self.rows, self.rows.get(key)
        except TypeError:  # lists and objects cannot be keys, so they are in no table
            return False, None

    def texts(self) -> dict[str, Any]:
        """Return the rows whose key is text, as nearly all are: those are found quickest."""
        return {key: value for (kind, key), value in self.rows.items() if kind is str}


def typed_key(value: Any) -> tuple[type, Any]:
    """Return a key under which `true` is not 1, but 1.0 is."""
    kind = type(value)
    return (float if kind is int else kind), value


def compile_table(field: Field, key: str, rows: Mapping[Any, Any]) -> tuple[Table, list[Problem]]:
    """Return a value table and what is wrong with it.

    Under the key `read` it has raw keys and canonical values, under `write` the other way round.
    """
    table = Table()
    if field.kind in NOT_TABLED:
        what = f"a {field.kind} takes no value table; allowed a path, with `as`"
        return table, [*_if_empty(key, rows), ((key,), what)]
    problems = _if_empty(key, rows)
    for left, right in rows.items():
        canonical, raw = (right, left) if key == "read" else (left, right)
        if not fits(field, canonical):
            what = f"{shown(canonical)} is no {field.name}; allowed {allowed_values(field)}"
            problems.append(((key, left), what))
        elif isinstance(raw, Mapping | list):
            problems.append(((key, left), f"is {shown(raw)}; allowed a single value"))
        else:
            table.rows[typed_key(left)] = right
    return table, problems


def _if_empty(key: str, rows: Mapping[Any, Any]) -> list[Problem]:
    return [] if rows else [((key,), "is an empty table; allowed one row or more")]


def inverse(table: Table, key: str, other: str) -> tuple[Table, list[Problem]]:
    """Return the table of the other direction, and the rows by which it is ambiguous."""
    inverted, problems = Table(), list[Problem]()
    for (_type, left), right in table.rows.items():
        back = typed_key(right)
        if back in inverted.rows:
            twice = inverted.rows[back]
            what = (
                f"{shown(twice)} and {shown(left)} both stand for {shown(right)}; "
                f"add a `{other}` table"
            )
            problems.append(((key, left), what))
        inverted.rows[back] = left
    return inverted, problems


def fits(field: Field, value: Any) -> bool:
    """Return whether a field can have this canonical value."""
    if value is None:
        return True
    if field.kind == "choice":
        return isinstance(value, str) and value in field.choices
    is_canonical = _FORMS.get(field.kind, lambda given: isinstance(given, str))
    return is_canonical(value)


_FORMS: Mapping[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: number_of(value) == value,
    "date": lambda value: day_of(value, "YYYY-MM-DD") == value,
    "url": lambda value: url_of(value) == value,
    "set": lambda _value: False,
    "json": lambda _value: False,
}
"""Kind of field -> whether it can have such a value in a declaration; all others have any text."""
_ALLOWED: Mapping[str, str] = {
    "boolean": "true, false, null",
    "number": "a number, null",
    "date": "a date such as 2026-03-01, null",
    "url": "an address such as https://host/path, null",
    "set": "null",
    "json": "null",
}


def allowed_values(field: Field) -> str:
    """Return the canonical values that a field can have, as a message lists them."""
    if field.kind == "choice":
        return ", ".join((*field.choices, "null"))
    return _ALLOWED.get(field.kind, "text, null")
