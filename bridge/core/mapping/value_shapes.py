"""The shape of vendors' values: what may be said of them without saying them.

A value itself is kept only where it looks like a word of a list that is closed: lower-case letters,
the same on several records, few different ones, under a name that is no person's. Addresses,
telephone numbers and names are none of these, or are told apart by what they stand beside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

MAX_WORDS: Final = 5
"""More different words than so many, and the list is not closed: none is kept."""
MIN_RECORDS: Final = 3
"""So many records have to show a word before it is taken for one of a list."""
MAX_LOOKED_AT: Final = 200
"""Characters of a text up to which its form is looked at."""
MAX_COUNTED: Final = 1_000_000
"""A longer text or list counts as of this length."""
_WORD: Final = re.compile(r"[a-z][a-z]{1,19}(?:[_-][a-z]{1,19}){0,3}")
_OF_PEOPLE: Final = re.compile(
    r"(?i)name|mail|phone|mobile|tel\b|fax|user|login|contact|person|people|author|owner|agent|"
    r"assignee|customer|client|guest|patient|employee|member|address|street|city|birth|gender|"
    r"title|note|comment|text|message|token|secret|password|key"
)
"""Names under which values may tell of somebody."""
_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_URL: Final = re.compile(r"https?://\S{1,190}")
_EMAIL: Final = re.compile(r"[^\s@]{1,64}@[^\s@]{1,128}")
MAX_DIGITS: Final = 4
"""Digits of a text that may be shown; a telephone number has more."""


def kind_of(value: Any) -> str:
    """Return what a value is: one of our kinds of fields, `list`, `object`, or `null`."""
    if value is None or value == "":
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return _kind_of_text(value) if len(value) <= MAX_LOOKED_AT else "text"
    if isinstance(value, list):
        return "list" if all(isinstance(each, str) for each in value[:20]) else "object"
    return "object"


def _kind_of_text(text: str) -> str:
    if _ISO_DATE.match(text):
        if len(text) == len("2026-03-01"):
            return "date"
        try:
            return "datetime" if datetime.fromisoformat(text).tzinfo is not None else "text"
        except ValueError:
            return "text"
    if _EMAIL.fullmatch(text):
        return "email"
    return "url" if _URL.fullmatch(text) else "text"


def length_of(value: Any) -> int:
    """Return how long a text, or a list, is; 0 for everything else."""
    return min(len(value), MAX_COUNTED) if isinstance(value, str | list) else 0


def is_of_people(name: str) -> bool:
    """Return whether values under a name may tell of somebody, as far as the name shows it."""
    return _OF_PEOPLE.search(name) is not None


def may_be_shown(value: Any) -> bool:
    """Return whether a single value tells of nobody by its form: no address, number or sentence."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return abs(value) < 10**MAX_DIGITS
    if not isinstance(value, str) or len(value) > 40 or "@" in value:
        return False
    return sum(map(str.isdigit, value)) <= MAX_DIGITS and len(value.split()) <= 3


def in_words(value: Any) -> str:
    """Return the shape of one value in words: `text of 17 characters`."""
    kind = kind_of(value)
    if isinstance(value, str) and value:
        return f"{'text' if kind == 'text' else kind} of {length_of(value)} characters"
    return f"{kind} of {length_of(value)}" if isinstance(value, list) else kind


@dataclass(slots=True)
class ValueShape:
    """What is known of the values that stand under one name."""

    kinds: set[str] = field(default_factory=set)
    longest: int = 0
    words: dict[str, set[str]] | None = field(default_factory=dict)
    """Word -> a few of the records that show it; None: there are too many for a closed list."""

    def add(self, name: str, value: Any, record: str) -> None:
        """Take one more value in."""
        kind = kind_of(value)
        self.kinds.add(kind)
        self.longest = max(self.longest, length_of(value))
        if self.words is None or kind == "null":
            return
        if kind != "text" or not _WORD.fullmatch(value) or is_of_people(name):
            if kind != "boolean":
                self.words = None
            return
        if value not in self.words and len(self.words) >= MAX_WORDS:
            self.words = None
            return
        records = self.words.setdefault(value, set())
        if len(records) < MIN_RECORDS:
            records.add(record)

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data, which is kept: words of several records alone are in it."""
        words = self.words or {}
        told = sorted(word for word, records in words.items() if len(records) >= MIN_RECORDS)
        return {
            "kinds": sorted(self.kinds),
            "longest": self.longest,
            "words": told,
            "open": self.words is None,
        }


def joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two shapes of one name, as plain data, come to."""
    words = sorted({*one.get("words", ()), *other.get("words", ())})
    is_open = bool(one.get("open") or other.get("open") or len(words) > MAX_WORDS)
    return {
        "kinds": sorted({*one.get("kinds", ()), *other.get("kinds", ())}),
        "longest": max(one.get("longest", 0), other.get("longest", 0)),
        "words": [] if is_open else words,
        "open": is_open,
    }


def field_kind(kinds: Iterable[str]) -> str:
    """Return the kind of a field of one's own that takes values of all these kinds."""
    seen = set(kinds) - {"null"}
    if seen <= {"list"} and seen:
        return "set"
    if seen & {"list", "object"}:
        return "json"
    return seen.pop() if len(seen) == 1 else "text"
