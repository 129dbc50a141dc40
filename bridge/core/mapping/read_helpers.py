"""Read helpers: they shape what is read, for systems that lack a field.

They stand before the transform under `as`, and what they make is never written back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


def _cut(length: int) -> Callable[[Any], Any]:
    return lambda raw: raw[:length].rstrip() if isinstance(raw, str) else raw


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
        Helper("cut", int, _cut, "at most so many characters"),
    )
}


def places(pattern: str) -> list[int]:
    """Return the numbers of a template's placeholders, from 1."""
    return [int(number) for number in _PLACE.findall(pattern)]
