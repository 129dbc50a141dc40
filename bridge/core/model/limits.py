"""The limits of what is taken from one record of a vendor's.

A field over one of them is unreadable, with the number named, and the rest of the record goes on.
They lie far above what people write, and low enough that a merge stays cheap: it is done while the
ledger is locked for everybody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_ELEMENTS: Final = 1_000
"""Elements of a set, such as a ticket's tags."""
MAX_ELEMENT_CHARS: Final = 255
"""Characters of one element."""
MAX_KNOWN_ELEMENTS: Final = 10_000
"""Elements that a set of one ticket has ever had, as far as they have to be remembered."""
MAX_FIELD_CHARS: Final = 250_000
"""Characters in all texts of one field."""
MAX_FIELD_PARTS: Final = 20_000
"""Values within one field: elements, names and what they hold, on every level."""
MAX_FIELD_DEPTH: Final = 32
"""Lists and objects within one another."""
MAX_NUMBER_BITS: Final = 256
"""Of a whole number."""
MAX_LEARNED: Final = 1_000
"""New people whom one reading adds to the directory."""
MAX_RECORD_CHARS: Final = 1_000_000
"""Characters in all mapped fields of one record; over it the longest ones are unreadable."""


_TEXT: Final = frozenset({str})
_LISTS: Final = (list, tuple)


@dataclass(slots=True)
class Size:
    """How large a value is."""

    chars: int = 0
    parts: int = 0
    depth: int = 0
    bits: int = 0


def size_of(value: Any) -> Size:
    """Measure a JSON value level by level, so that no depth of nesting is too deep."""
    if isinstance(value, str):
        return Size(len(value))
    if isinstance(value, int):
        return Size(bits=value.bit_length())
    if type(value) is list and _TEXT.issuperset(map(type, value)):
        return Size(sum(map(len, value)), len(value), int(bool(value)))
    size, level = Size(), [value]
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                size.chars += len(item)
            elif isinstance(item, Mapping):
                size.chars += sum(len(name) for name in item if isinstance(name, str))
                below.extend(item.values())
            elif isinstance(item, list | tuple):
                below.extend(item)
            elif isinstance(item, int):
                size.bits = max(size.bits, item.bit_length())
        size.parts += len(below)
        size.depth += bool(below)
        level = below if size.depth <= MAX_FIELD_DEPTH else []
    return size


def chars_if_small(value: Any) -> int | None:
    """Return the characters of a value that passes no limit of a field; None: it may, so measure.

    Nearly every value is small, and telling so costs less than `size_of`.
    """
    kind = type(value)
    if kind is str:
        chars = len(value)
    elif kind is int:
        return 0 if value.bit_length() <= MAX_NUMBER_BITS else None
    elif kind is list and len(value) <= MAX_ELEMENTS and _TEXT.issuperset(map(type, value)):
        chars = sum(map(len, value))
    else:
        return None
    return chars if chars <= MAX_FIELD_CHARS else None


def why_too_large(value: Any, size: Size, *, is_set: bool) -> str:
    """Return which limit a field's value passes, in words; empty if none."""
    elements = len(value) if is_set and isinstance(value, _LISTS) else 0
    counts = (
        (elements, MAX_ELEMENTS, "elements"),
        (size.chars, MAX_FIELD_CHARS, "characters"),
        (size.parts, MAX_FIELD_PARTS, "parts"),
    )
    for count, allowed, what in counts:
        if count > allowed:
            return f"too large to be taken: {count:,} {what}, at most {allowed:,} are allowed"
    if size.depth > MAX_FIELD_DEPTH:
        return f"nested too deeply to be taken: at most {MAX_FIELD_DEPTH} levels are allowed"
    if size.bits > MAX_NUMBER_BITS:
        return f"a number too large to be taken: {size.bits} bits, {MAX_NUMBER_BITS} are allowed"
    return ""


def over_record_limit(chars: Mapping[str, int]) -> dict[str, str]:
    """Return the fields of one record that are too much together, each with the reason.

    The longest go first, so that as many as possible stay. `chars` is by field.
    """
    total, over = sum(chars.values()), dict[str, str]()
    if total <= MAX_RECORD_CHARS:
        return over
    for name in sorted(chars, key=lambda name: (-chars[name], name)):
        if total <= MAX_RECORD_CHARS:
            break
        total -= chars[name]
        over[name] = (
            f"too large to be taken: {chars[name]:,} characters, in a record of which "
            f"{MAX_RECORD_CHARS:,} are allowed"
        )
    return over
