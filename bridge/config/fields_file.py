"""Reads mappings/fields.yaml: the fields of one's own, by entity and name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, get_args

from bridge.config.schema_fields import is_value
from bridge.config.yaml_reader import Document, Problem, Where
from bridge.core.model.entities import BUILT_IN, ENTITIES, Field, FieldTable, Kind

KINDS: Final[tuple[Kind, ...]] = tuple(kind for kind in get_args(Kind) if kind != "parent")
KEYS: Final = ("kind", "values", "label", "personal")
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
NAME_RULE: Final = "lower-case letters, digits and _, beginning with a letter, at most 40"
MAX_FIELDS: Final = 100
"""Of one entity."""
MAX_VALUES: Final = 200
MAX_VALUE_CHARS: Final = 100
MAX_LABEL_CHARS: Final = 80
NOT_PERSONAL: Final = frozenset({"choice", "boolean"})
"""Kinds that hold no personal data unless the declaration says so: their values are known here."""
_WORDS: Final = """
id version fields examples system entity members match match_age on_link precedence guard delete
leave_scope path read write as only_on not_carried unless_null default max_length values kind label
personal latest owner merge manual first union revert to null true false agents unmapped given
canonical written unreadable bridge admin mapping
"""
RESERVED: Final = frozenset(_WORDS.split())
"""Words that mean something else where a field is named."""

_TAKEN: Final = {name: entity for entity in reversed(ENTITIES) for name in BUILT_IN[entity]}
"""Name of a built-in field -> an entity that has it."""


def compile_fields(document: Document) -> tuple[FieldTable, list[Problem]]:
    """Return the declared fields by entity, as far as they can be understood, and all problems."""
    reader = _FieldsReader(document)
    return reader.fields(), reader.problems


class _FieldsReader:
    """Reads the file, and collects its problems."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def wrong(self, where: Where, what: str) -> None:
        """Note a problem."""
        self.problems.append(self.document.problem(where, what))

    def fields(self) -> dict[str, dict[str, Field]]:
        """Return the fields of every entity."""
        data, allowed = self.document.data, ", ".join(ENTITIES)
        if data is None:
            return {}
        if not isinstance(data, Mapping):
            self.wrong((), f"must have rows such as key: value; allowed keys {allowed}")
            return {}
        found: dict[str, dict[str, Field]] = {}
        for entity, rows in data.items():
            if entity not in BUILT_IN:
                self.wrong((entity,), f"unknown key; allowed {allowed}")
            elif not isinstance(rows, Mapping | None):
                self.wrong((entity,), "must have a row for each field, such as team: {kind: text}")
            else:
                found[entity] = self.of_entity(entity, rows or {})
        return found

    def of_entity(self, entity: str, rows: Mapping[Any, Any]) -> dict[str, Field]:
        """Return the fields of one entity."""
        if len(rows) > MAX_FIELDS:
            self.wrong((entity,), f"declares {len(rows)} fields; allowed at most {MAX_FIELDS}")
        fields: dict[str, Field] = {}
        for name, row in rows.items():
            why = why_no_name(name)
            if why:
                self.wrong((entity, name), why)
            elif isinstance(row, Mapping):
                fields[name] = self.field((entity, name), name, row)
            else:
                self.wrong(
                    (entity, name),
                    f"must have rows such as key: value; allowed keys {', '.join(KEYS)}",
                )
        return fields

    def field(self, at: Where, name: str, row: Mapping[Any, Any]) -> Field:
        """Return one field; where its declaration is wrong, the nearest that can be told."""
        for key in row:
            if key not in KEYS:
                self.wrong((*at, key), f"unknown key; allowed {', '.join(KEYS)}")
        kind = self.kind(at, row)
        choices = self.values(at, row, kind)
        return Field(
            name,
            kind,
            choices,
            self.label(at, row) or name.replace("_", " "),
            self.personal(at, row, kind),
            declared=(kind, *choices),
        )

    def kind(self, at: Where, row: Mapping[Any, Any]) -> Kind:
        """Return the kind of a field."""
        given, allowed = row.get("kind"), ", ".join(KINDS)
        found = next((kind for kind in KINDS if kind == given), None)
        if found is not None:
            return found
        missing = f"is missing; allowed {allowed}"
        self.wrong((*at, "kind"), is_value(given, allowed) if "kind" in row else missing)
        return "choice" if "values" in row else "text"

    def values(self, at: Where, row: Mapping[Any, Any], kind: str) -> tuple[str, ...]:
        """Return the values of a choice; none for any other kind."""
        given, at = row.get("values"), (*at, "values")
        if kind != "choice":
            if "values" in row:
                self.wrong(at, f"means nothing here: a {kind} has no list of values")
            return ()
        if not isinstance(given, list) or not given:
            self.wrong(at, "must be a list of the values that a choice can have, at least one")
            return ()
        if len(given) > MAX_VALUES:
            self.wrong(at, f"has {len(given)} values; allowed at most {MAX_VALUES}")
        values: list[str] = []
        for number, value in enumerate(given):
            if not _is_value(value):
                allowed = f"text of at most {MAX_VALUE_CHARS} characters, in quotes if need be"
                self.wrong((*at, number), is_value(value, allowed))
            elif value in values:
                self.wrong((*at, number), f"{value!r} stands here twice")
            else:
                values.append(value)
        return tuple(values)

    def label(self, at: Where, row: Mapping[Any, Any]) -> str:
        """Return what people call the field; empty: nothing is said."""
        given = row.get("label")
        if "label" not in row:
            return ""
        is_line = isinstance(given, str) and bool(given.strip()) and given.isprintable()
        if is_line and len(str(given)) <= MAX_LABEL_CHARS:
            return str(given)
        allowed = f"one line of text, at most {MAX_LABEL_CHARS} characters"
        self.wrong((*at, "label"), is_value(given, allowed))
        return ""

    def personal(self, at: Where, row: Mapping[Any, Any], kind: str) -> bool:
        """Return whether the field holds personal data: yes, unless it is said or known not to."""
        given = row.get("personal", kind not in NOT_PERSONAL)
        if not isinstance(given, bool):
            self.wrong((*at, "personal"), is_value(given, "true, false"))
            return True
        return given


def why_no_name(name: Any) -> str:
    """Return why a field cannot be called so; empty if it can."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return f"is no name of a field; allowed {NAME_RULE}"
    if name in _TAKEN:
        return f"is a built-in field of a {_TAKEN[name]}; allowed any other name"
    if name in RESERVED:
        return "means something else in these files; allowed any other name"
    return ""


def _is_value(value: Any) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_VALUE_CHARS
        and value.isprintable()
        and value == value.strip()
    )
