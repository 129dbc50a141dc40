"""The kinds of value that the core tells apart: raw, canonical, absent, unreadable, no base.

*Raw* values live in a system's own space (what its JSON says), *canonical* values in ours. Null,
absent and unreadable are three different things: `None` is a value, `ABSENT` says that the record
did not show the field, `Unreadable` that it did but must not be believed or cannot be understood.
`NO_BASE` is the fourth: never read at all.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bridge.core.model.outcome_codes import Code

# These two names are for the reader: to the type checker both are Any, so it finds no mix-up.
Raw = Any
"""A JSON value as a system shows it: a whole field, or one element where a set is translated."""

Canonical = Any
"""A JSON value in the bridge's own vocabulary; a set is a sorted tuple of strings."""


class Marker(enum.Enum):
    """Values that no JSON document can hold."""

    ABSENT = "absent"
    NO_BASE = "no base"


ABSENT: Final = Marker.ABSENT
NO_BASE: Final = Marker.NO_BASE

NO_NUMBER: Final = {"no JSON": "not a number"}
"""Stands in parsed JSON where a vendor sent NaN or an infinity, which JSON does not have.

No vendor's value is like it, it can be stored, and it equals itself. Nothing may take it for null:
a field that shows it is unreadable, and not emptied.
"""


def shows_no_number(value: Raw | Marker) -> bool:
    """Return whether a value is `NO_NUMBER`, or a list of which an element is."""
    return value == NO_NUMBER or (isinstance(value, list) and NO_NUMBER in value)


def same_json(one: Any, other: Any) -> bool:
    """Return whether two JSON values are the same. Unlike in Python, `true` is not 1."""
    if one != other:
        return False
    kind = type(one)
    if kind is str or one is None:
        return True
    if kind is bool or type(other) is bool:
        return kind is type(other)
    if isinstance(one, list | tuple):
        return all(map(same_json, one, other))
    if isinstance(one, Mapping):
        return all(same_json(item, other[name]) for name, item in one.items())
    return True


MAX_SHOWN_CHARS: Final = 60
_WORDS: Final = {None: "null", True: "true", False: "false"}


def shown(value: Any) -> str:
    """Return a value as messages show it, cut to a length that a line can take."""
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    try:
        # Of a long text only the beginning is looked at: it may be a megabyte.
        text = repr(value[: MAX_SHOWN_CHARS + 1] if isinstance(value, str) else value)
    except (RecursionError, ValueError):
        text = "a value too large to be shown"
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The field was there, but must not be believed; `why` names the value and what to do."""

    why: str
    code: Code = field(default=Code.READ_VALUE, compare=False)


@dataclass(frozen=True, slots=True)
class NotCarried:
    """The system cannot hold this canonical value; `why` is shown to the admin."""

    why: str
    code: Code = field(default=Code.MAP_VALUE, compare=False)


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The identifier of one record of one connection."""

    connection: str
    entity: str
    id: str

    def __str__(self) -> str:
        """Return the ref as the command line takes it."""
        return f"{self.connection}:{self.id}"
