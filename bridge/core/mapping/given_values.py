"""Canonical values as people give them: as words on a command line, or as YAML in an example."""

from __future__ import annotations

import json
from typing import Any

from bridge.core.mapping.scalar_forms import json_of
from bridge.core.mapping.transforms import AGENT, BY_KIND, TRANSFORMS
from bridge.core.mapping.value_tables import allowed_values, fits
from bridge.core.model.entities import Field
from bridge.core.model.values import Canonical, Unreadable, shown

NOTHING = "null"
_AS_JSON = frozenset({"number", "boolean", "json"})
"""Kinds of which a value is given as JSON has it."""


def value_of_words(field: Field, text: str) -> Canonical | Unreadable:
    """Return the canonical value that is given as text: `null` for none, a set with commas.

    Unreadable, with what is allowed: the field cannot have it.
    """
    if field.kind == "set":
        words = (word.strip() for word in text.split(","))
        return tuple(sorted({word.lstrip("#").casefold() for word in words if word}))
    if text == NOTHING:
        return None
    raw: Any = text
    if field.kind in _AS_JSON:
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError):
            return _none_of(field, text)
    usual = "email" if field.kind == AGENT else BY_KIND.get(field.kind)
    value = raw if usual is None else TRANSFORMS[usual].read(raw)
    if isinstance(value, Unreadable) or (usual is None and not fits(field, value)):
        return _none_of(field, text)
    return value


def value_of_yaml(field: Field, given: Any) -> Canonical:
    """Return a canonical value as an example gives it: a set as a list, JSON as it is."""
    if field.kind == "json" and given is not None:
        return json_of(given)
    return tuple(given) if isinstance(given, list) else given


def _none_of(field: Field, text: str) -> Unreadable:
    if field.kind == "json":
        return Unreadable(f"{field.name} cannot be {shown(text)}; allowed: JSON, null")
    allowed = {"datetime": "a time such as 2026-03-01T09:30:00Z, null"}.get(
        field.kind, allowed_values(field)
    )
    if field.kind in ("email", AGENT):
        allowed = "an e-mail address, null"
    return Unreadable(f"{field.name} cannot be {shown(text)}; allowed: {allowed}")
