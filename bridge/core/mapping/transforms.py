"""Transforms: they turn a raw value into a canonical one, and back.

The table is closed: a mapping may name nothing else with `as`. A field has exactly one transform,
the usual one of its kind where none is named. None ever sees null: null reads as null and is
written as null.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.core.mapping.email_address import address_of
from bridge.core.mapping.scalar_forms import json_of, json_value, number_of, url_of
from bridge.core.mapping.time_forms import iso_day_of, moment_of
from bridge.core.model.capabilities import JSON_KINDS, JsonKind
from bridge.core.model.limits import MAX_ELEMENT_CHARS
from bridge.core.model.outcome_codes import Code
from bridge.core.model.values import Canonical, NotCarried, Raw, Unreadable, shown


@dataclass(frozen=True, slots=True)
class Transform:
    """One two-way transform. For a set both directions take one element."""

    name: str
    kinds: tuple[str, ...]
    read: Callable[[Raw], Canonical | Unreadable]
    write: Callable[[Canonical], Raw | NotCarried]
    meaning: str
    stranger: Callable[[Raw], bool] = field(default=lambda _raw: False)
    """Agents only: the raw value names a person whom the directory does not know."""
    elements: Callable[[Any], Any] | None = None
    """Sets only: takes the plain elements out of what the system shows; then it is only read."""
    loses: Callable[[Raw], str] | None = None
    """Says in words what a raw value has that its reading has not; empty: nothing."""
    edition: int = 1
    """Part of every revision that uses it: raised when the same input gives another output."""
    sends: tuple[JsonKind, ...] = ("text",)
    """What a value may be when it is written; of a set, what the whole is."""


def _unchanged(value: Any) -> Any:
    return value


# --- reading one value: never null, never an exception --------------------------------------------


def _text(raw: Raw) -> Canonical | Unreadable:
    if not isinstance(raw, str):
        return Unreadable(f"{shown(raw)} is no text")
    return raw or None


def _boolean(raw: Raw) -> Canonical | Unreadable:
    return raw if isinstance(raw, bool) else Unreadable(f"{shown(raw)} is neither true nor false")


def _written_email(address: Canonical) -> Raw | NotCarried:
    # What another system is sent is an address, also where an older version agreed on less.
    read = address_of(address)
    return NotCarried(read.why) if isinstance(read, Unreadable) else read


TICKET_OF = "ticket"
CUSTOMERS_TICKET = "customers-ticket"


def _parent(raw: Raw) -> Canonical | Unreadable:
    return raw if isinstance(raw, str) and raw else Unreadable(f"{shown(raw)} is no ticket's id")


_IN_FRONT = re.compile(r"[\s#]*")


def _tag(raw: Raw) -> Canonical | Unreadable:
    if not isinstance(raw, str):
        return Unreadable(f"the tag {shown(raw)} is no text")
    if len(raw) > MAX_ELEMENT_CHARS:
        why = f"has {len(raw):,} characters, at most {MAX_ELEMENT_CHARS} are allowed"
        return Unreadable(f"the tag {shown(raw)} {why}", Code.READ_LIMIT)
    # Taken apart first, so that a letter folds the same in every Unicode form.
    folded = (
        raw.lower()
        if raw.isascii()
        else unicodedata.normalize("NFC", unicodedata.normalize("NFD", raw).casefold())
    )
    tag = (folded if folded[:1].isalnum() else _IN_FRONT.sub("", folded, count=1)).rstrip()
    return tag or Unreadable(f"the tag {shown(raw)} is empty")


TRANSFORMS: Mapping[str, Transform] = {
    transform.name: transform
    for transform in (
        Transform("text", ("text",), _text, _unchanged, "text as it is; empty text reads as null"),
        Transform(
            "email",
            ("email",),
            address_of,
            _written_email,
            "an e-mail address in one form, without a name beside it; empty reads as null",
            edition=2,
        ),
        Transform(
            "datetime",
            ("datetime",),
            moment_of,
            _unchanged,
            "an ISO 8601 time with an offset; kept in UTC",
        ),
        Transform(
            "boolean", ("boolean",), _boolean, _unchanged, "true or false", sends=("boolean",)
        ),
        Transform(
            "number",
            ("number",),
            number_of,
            _unchanged,
            "a number up to 2⁵³, whole or not",
            sends=("number",),
        ),
        Transform(
            "date",
            ("date",),
            iso_day_of,
            _unchanged,
            "a day, as 2026-03-01",
        ),
        Transform(
            "url",
            ("url",),
            url_of,
            _unchanged,
            "a web address with http or https, without a password; blank text reads as null",
        ),
        Transform(
            "json",
            ("json",),
            json_of,
            json_value,
            "any JSON, compared by its content",
            sends=JSON_KINDS,
        ),
        Transform(
            TICKET_OF,
            ("parent",),
            _parent,
            _unchanged,
            "the id that the ticket has on the same connection",
        ),
        Transform(
            CUSTOMERS_TICKET,
            ("parent",),
            address_of,
            _unchanged,
            "an e-mail address: its customer's newest open ticket",
            edition=2,
        ),
        Transform(
            "tags",
            ("set",),
            _tag,
            _unchanged,
            "each tag case-folded, trimmed, without leading #",
            sends=("list",),
        ),
    )
}
AGENT = "agent"
BY_KIND: Mapping[str, str] = {
    "text": "text",
    "number": "number",
    "boolean": "boolean",
    "set": "tags",
    "date": "date",
    "datetime": "datetime",
    "email": "email",
    "url": "url",
    "json": "json",
    "parent": TICKET_OF,
    "agent": AGENT,
}
"""Kind of field -> its transform, where none is named.

A choice has none: it needs value tables, or is in our own words.
"""
