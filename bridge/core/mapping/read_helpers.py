"""Read helpers: they shape what is read, for systems that lack a field.

They stand before the transform under `as`, and what they make is never written back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_MARK_CHARS = 10
Combine = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True, slots=True)
class Helper:
    """Something that shapes what is read. `combines`: takes a list of paths and must come first."""

    name: str
    argument: type | None
    """The type of what it is given in the mapping; None: nothing."""
    make: Callable[[Any], Callable[[Any], Any]]
    """Takes that argument and returns the function to apply to what is read."""
    meaning: str
    combines: bool = False


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _first_non_empty(_argument: None) -> Combine:
    return lambda values: next((value for value in values if not _is_empty(value)), None)


_PLACE = re.compile(r"\{(\d{1,2})\}")


def _template(pattern: str) -> Combine:
    def fill(values: Sequence[Any]) -> Any:
        texts = [
            "" if _is_empty(value) or isinstance(value, list | dict) else str(value)
            for value in values
        ]

        def text_at(number: int) -> str:
            return texts[number - 1] if number <= len(texts) else ""

        if not any(text_at(number) for number in places(pattern)):
            return None
        return _PLACE.sub(lambda place: text_at(int(place[1])), pattern)

    return fill


def _first_line(_argument: None) -> Callable[[Any], Any]:
    def first_line(raw: Any) -> Any:
        if not isinstance(raw, str):
            return raw
        return next((line.strip() for line in raw.splitlines() if line.strip()), "")

    return first_line


def _cut(given: int | Mapping[str, Any]) -> Callable[[Any], Any]:
    length, mark = (given, "") if isinstance(given, int) else (given["at"], given["mark"])
    return lambda raw: cut(raw, length, mark) if isinstance(raw, str) else raw


_NAME = re.compile(r"\{([a-z][a-z0-9_]{0,39})\}")


def named_in(pattern: str) -> list[str]:
    """Return the fields that a template names, such as `{subject}`."""
    return _NAME.findall(pattern)


def filled(pattern: str, values: Mapping[str, Any]) -> str | None:
    """Return a template with the values of the fields that it names; None where none has any."""
    texts = {name: _as_words(values.get(name)) for name in named_in(pattern)}
    if not any(texts.values()):
        return None
    return _NAME.sub(lambda place: texts[place[1]], pattern).strip() or None


def _as_words(value: Any) -> str:
    """Return a canonical value as text that people read; empty for none."""
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def is_mark(given: Any) -> bool:
    """Return whether a text may show that something is missing: it is short."""
    return isinstance(given, str) and 0 < len(given) <= MAX_MARK_CHARS and given.isprintable()


def is_marked_cut(given: Any) -> bool:
    """Return whether `cut` is given a number of characters and a mark that has room in them."""
    if not isinstance(given, Mapping) or set(given) != {"at", "mark"}:
        return False
    length = given["at"]
    is_count = isinstance(length, int) and not isinstance(length, bool)
    return is_count and is_mark(given["mark"]) and length > len(given["mark"])


def cut(text: str, length: int, mark: str) -> str:
    """Return a text of at most so many characters; where something is missing, `mark` says so."""
    if len(text) <= length:
        return text.rstrip() if not mark else text
    return text[: max(0, length - len(mark))].rstrip() + mark


HELPERS: Mapping[str, Helper] = {
    helper.name: helper
    for helper in (
        Helper(
            "first-non-empty",
            None,
            _first_non_empty,
            "of several paths, the first with a value that is not empty",
            True,
        ),
        Helper(
            "template",
            str,
            _template,
            "text made of several paths: {1} is the first, {2} the second, …",
            True,
        ),
        Helper("first-line", None, _first_line, "the first line that is not blank"),
        Helper(
            "cut",
            int,
            _cut,
            "at most so many characters; `{at: 120, mark: …}` shows that something is missing",
        ),
    )
}


def places(pattern: str) -> list[int]:
    """Return the numbers of a template's placeholders, from 1."""
    return [int(number) for number in _PLACE.findall(pattern)]
