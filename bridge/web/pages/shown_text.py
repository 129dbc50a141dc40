"""Text on its way into a page: what vendors and their customers wrote is data, and all of it shows.

Jinja escapes every value that a template puts out. Before that, `shown` makes visible what a
browser would obey or swallow: control characters, and marks that turn the direction of writing.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup, escape

from bridge.core.model.counting import counted
from bridge.core.model.values import Marker
from bridge.operations.times import clock, moment_of, when

LINE_ENDS: Final = frozenset("\n\t")
JOINERS: Final = frozenset("\u200c\u200d")
"""Invisible, but emoji and several scripts are spelled with them, and nothing obeys them."""
PICTURES: Final = 0x2400
"""Unicode has a picture for each of the first 32 control characters, from here on."""
LONGEST: Final = 2_000
"""Characters of one value on a page; there is always a way to the whole."""
BRIEF: Final = 120
"""Characters of a text in a list."""
LONGEST_BODY: Final = 10_000
ID_WIDTH: Final = 13
ID_START: Final = 8


def shown(value: Any) -> Any:
    """Return a value as a template may put it out. Markup, which is ours, stays as it is."""
    if type(value) is not str or value.isprintable():
        return value
    return "".join(char if _is_harmless(char) else _visible(char) for char in value)


def _is_harmless(char: str) -> bool:
    return (
        char.isprintable()
        or char in LINE_ENDS
        or char in JOINERS
        or unicodedata.category(char) == "Zs"
    )


def _visible(char: str) -> str:
    number = ord(char)
    return chr(PICTURES + number) if number < 32 else f"⟨U+{number:04X}⟩"


def as_typed(text: str) -> Markup:
    """Return the text of a file for a field in which it is edited: just as it is, and escaped.

    There is no making visible here: what would be shown would be stored.
    """
    return escape(text)


def value_text(value: Any) -> str:
    """Return a ticket's value as text for a page, cut at LONGEST."""
    text = _whole(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def brief(text: str, width: int = BRIEF) -> str:
    """Return the beginning of a text, for a list; a page of its own has the whole."""
    return text if len(text) <= width else f"{text[:width].rstrip()}…"


def body_text(body: str) -> str:
    """Return a webhook's body as text for a page, cut where a page ends."""
    return body if len(body) <= LONGEST_BODY else f"{body[:LONGEST_BODY]}…"


def quoted(word: str) -> str:
    """Return a word as a shell takes it, for the command at the foot of a page."""
    plain = word.replace("'", "'\\''")
    return word if word.replace("-", "").replace("@", "").isalnum() else f"'{plain}'"


def _whole(value: Any) -> str:
    if value is None or isinstance(value, Marker):
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(_whole, value))
    if isinstance(value, Mapping):
        named = value.get("email") or value.get("name") or value.get("id")
        return str(named) if named else json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return moment_of(value) or str(value)


def with_code(text: str) -> Markup:
    """Return a text of ours with what stands between backticks, such as commands, as code."""
    parts = [escape(shown(part)) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def short_id(identifier: str) -> str:
    """Return enough of an identifier to tell it from others."""
    return identifier if len(identifier) <= ID_WIDTH else f"{identifier[:ID_START]}…"


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago something was, or in how long it will be, in one unit."""
    seconds = (now - at).total_seconds()
    if abs(seconds) < 5:
        return "just now"
    text = span(abs(seconds))
    return f"{text} ago" if seconds > 0 else f"in {text}"


def span(seconds: float) -> str:
    """Return a length of time in one unit."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "min")):
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} min" if unit == "min" else counted(number, unit)
    return f"{int(seconds)} s"


def exact(at: datetime) -> str:
    """Return a moment whole, in UTC, as `2026-05-01 07:50:48Z`."""
    return when(at)


def signed(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Return lines as `diff -u` marks them as pairs of the sign and the rest."""
    return [
        ("…", _place(line)) if line.startswith("@@") else (line[:1], line[1:]) for line in lines
    ]


def _place(line: str) -> str:
    """Return of `@@ -11,6 +11,7 @@` the line of the new text."""
    number = line.partition("+")[2].partition(",")[0].strip("@ ")
    return f"line {number}"


def machine_time(at: datetime) -> str:
    """Return a moment as the `datetime` of a `<time>` has it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


FILTERS: Final = {
    "ago": ago,
    "body_text": body_text,
    "brief": brief,
    "as_typed": as_typed,
    "clock": clock,
    "counted": counted,
    "exact": exact,
    "machine_time": machine_time,
    "short_id": short_id,
    "signed": signed,
    "span": span,
    "value_text": value_text,
    "with_code": with_code,
}
