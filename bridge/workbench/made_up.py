"""A record with made-up values in place of personal ones, so that it can be shown and kept.

Everything is taken for personal but what the mapping's rules look at (`looked_at`). The form stays:
an address is an address, a time a time, words have their length and their capitals, numbers as many
digits, HTML its elements. What was the same is the same afterwards.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from bridge.core.model.limits import size_of
from bridge.core.model.values import NO_NUMBER
from bridge.errors import NotPossible
from bridge.workbench.looked_at import LookedAt, ToldApart
from bridge.workbench.made_up_words import MadeUpWords

MAX_CHARS: Final = 20_000
"""In all texts of a record; the file of a mapping is to stay one that people read."""
MAX_PARTS: Final = 500
MAX_DEPTH: Final = 20
LONG_TEXT: Final = 100
"""Characters. In longer text no word always gets the same one: who counts could guess them."""
FIRST_MOMENT: Final = datetime(2001, 2, 3, 10, tzinfo=UTC)
_EAST: Final = timezone(timedelta(hours=1))
_SECONDS: Final = range(946_684_800, 4_102_444_800)
"""Numbers that may be times, from 2000 to 2100; a thousand times as much, in milliseconds."""
_MAX_DIGITS: Final = 15
_PIECE: Final = re.compile(
    r"(?P<url>https?://[^\s<>\"']{1,2000})"
    r"|(?P<email>[^\s<>\"'(),:;@/]{1,64}@[^\s<>\"'(),:;@/]{1,255})"
    r"|(?P<uuid>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b)"
    r"|(?P<moment>(?<![0-9])[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}"
    r"(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?(?![0-9]))"
    r"|(?P<day>(?<![0-9])[0-9]{2}[./][0-9]{2}[./][0-9]{4}(?![0-9]))"
    r"|(?P<element></?[A-Za-z][A-Za-z0-9]{0,9}(?=[\s/>]))"
    r"|(?P<entity>&[A-Za-z]{2,6};)"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<digits>\d+)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_MOMENT: Final = re.compile(
    r"[0-9-]{10}([T ])[0-9]{2}:[0-9]{2}(:[0-9]{2})?(?:\.([0-9]+))?(Z|[+-][0-9:]+)?"
)
_WORD_OR_DIGITS: Final = re.compile(r"(?P<word>[^\W\d_]+)|(?P<digits>\d+)")
_ELEMENT_NAMES: Final = """
a abbr b blockquote body br code div em font h1 h2 h3 h4 h5 h6 head hr html i img li ol p pre
s script small span strike strong style sub sup table tbody td th thead title tr u ul
"""
_OF_HTML: Final = frozenset(_ELEMENT_NAMES.split())
_IN_ELEMENTS: Final = frozenset({"href", "src", "alt", "style", "display", "none", "hidden"})
_ENTITIES: Final = frozenset(["&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&nbsp;"])


def made_up(record: Mapping[str, Any], looked: LookedAt) -> tuple[dict[str, Any], MadeUp]:
    """Return a record with everything replaced that the mapping does not look at, and by what.

    Raises NotPossible for a record that is too large for an example.
    """
    size = size_of(record)
    for count, most, what in (
        (size.chars, MAX_CHARS, "characters"),
        (size.parts, MAX_PARTS, "values"),
        (size.depth, MAX_DEPTH, "levels"),
    ):
        if count > most:
            advice = "take a smaller one, or write the example by hand"
            raise NotPossible(
                f"the record is too large for an example: more than {most:,} {what}; {advice}"
            )
    making = MadeUp(record, looked)
    return making.record(record), making


class MadeUp:
    """What stands in place of one record's values. The record is of a size that fits."""

    def __init__(self, record: Mapping[str, Any], looked: LookedAt) -> None:
        self.looked = looked
        texts = list(_texts(record))
        self.words = MadeUpWords(
            found.group() for text in texts for found in _WORD_OR_DIGITS.finditer(text)
        )
        moments = {at for value in _scalars(record) for at in _moments(value)}
        self.moments = {at: place for place, at in enumerate(sorted(moments))}
        self.numbered: dict[tuple[str, str], int] = {}

    def record(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what stands in place of the record."""
        return {
            self.name(name): self.value(value, self.looked.below(name))
            for name, value in given.items()
        }

    def value(self, value: Any, rules: ToldApart) -> Any:
        """Return what stands in place of a value."""
        if value is None or isinstance(value, bool) or value == NO_NUMBER or rules.keeps(value):
            return value
        if isinstance(value, str):
            return self.text(value, rules)
        if isinstance(value, int):
            return self.whole(value)
        if isinstance(value, float):
            return self.broken(value)
        if isinstance(value, Mapping):
            return {self.name(str(name)): self.value(item, rules) for name, item in value.items()}
        return [self.value(item, rules) for item in value]

    def name(self, name: str) -> str:
        """Return what stands in place of a name in an object."""
        return name if name in self.looked.names else f"name_{self._number('name', name)}"

    def email(self, address: str) -> str:
        """Return what stands in place of an address; other spellings of it give the same one."""
        local, _, domain = address.rpartition("@")
        name, plus, more = local.partition("+")
        number = self._number("email", f"{name}@{domain}".casefold().rstrip("."))
        written = f"person{number}{plus}{self._plain(more)}@example.com"
        return written if address == address.lower() else written.capitalize()

    def text(self, text: str, rules: ToldApart) -> str:
        """Return what stands in place of a text: pieces that the rules look for stay in it."""
        if not rules.pieces:
            return self._replaced(text)
        cut = re.split(f"({'|'.join(map(re.escape, rules.pieces))})", text)
        return "".join(
            part if part in rules.pieces or rules.keeps(part) else self._replaced(part)
            for part in cut
        )

    def whole(self, number: int) -> int:
        """Return a whole number of as many digits; a single digit stays."""
        if abs(number) < 10:
            return number
        for at in _moments(number):
            return round(self._at(at).timestamp()) * (1 if number in _SECONDS else 1000)
        digits = str(abs(number))[:_MAX_DIGITS]
        made = int(f"1{self.words.digits(digits[1:])}")
        made += made == abs(number)
        return -made if number < 0 else made

    def broken(self, number: float) -> float:
        """Return a number of about the same size; a share stays, rounded."""
        return round(number, 1) if abs(number) <= 1 else float(self.whole(int(number))) + 0.5

    def _number(self, kind: str, key: str) -> int:
        """Return the number of a thing among those of its kind, from 1."""
        known = sum(kind == each for each, _key in self.numbered)
        return self.numbered.setdefault((kind, key), known + 1)

    def _replaced(self, text: str) -> str:
        place = 97 * self._number("text", text) if len(text) > LONG_TEXT else None
        made, in_element = [], False
        for found in _PIECE.finditer(text):
            kind, piece = found.lastgroup, found.group()
            in_element = (in_element or kind == "element") and piece != ">"
            if kind in ("word", "digits") and place is not None:
                place += 1
            made.append(self._piece(kind or "", piece, place, in_element=in_element))
        return "".join(made)

    def _piece(self, kind: str, piece: str, place: int | None, *, in_element: bool) -> str:
        if kind == "word":
            if in_element and piece in _IN_ELEMENTS:
                return piece
            return self.words.word(piece) if place is None else self.words.next_word(piece, place)
        if kind == "digits":
            return (
                self.words.digits(piece) if place is None else self.words.next_digits(piece, place)
            )
        if kind == "entity":
            return piece if piece in _ENTITIES else "&amp;"
        ways = {
            "url": self._url,
            "email": self.email,
            "uuid": self._uuid,
            "moment": self._moment,
            "day": self._day,
            "element": self._element,
        }
        return ways[kind](piece) if kind in ways else _sign(piece)

    def _plain(self, text: str) -> str:
        """Return a text of which only the words and digits are replaced."""
        return _WORD_OR_DIGITS.sub(
            lambda found: (
                self.words.word(found[0]) if found["word"] else self.words.digits(found[0])
            ),
            text,
        )

    def _url(self, url: str) -> str:
        scheme, _, rest = url.partition("://")
        place = re.split(r"[/?#]", rest, maxsplit=1)[0]
        number = self._number("host", place.casefold())
        return f"{scheme}://site{number}.example.com{self._plain(rest[len(place) :])}"

    def _uuid(self, uuid: str) -> str:
        return f"00000000-0000-4000-8000-{self._number('uuid', uuid.casefold()):012d}"

    def _at(self, moment: datetime) -> datetime:
        """Return what stands in place of a moment: their order stays, the time between does not."""
        return FIRST_MOMENT + timedelta(days=self.moments[moment])

    def _moment(self, text: str) -> str:
        found = next(_moments(text), None)
        if found is None:
            return self._plain(text)
        made, shape = self._at(found), _MOMENT.fullmatch(text)
        if shape is None:
            return made.date().isoformat()
        between, seconds, fraction, offset = shape.groups()
        if offset and offset.strip("Z+-0:"):
            made, offset = made.astimezone(_EAST), "+01:00" if ":" in offset else "+0100"
        clock = made.strftime("%H:%M:%S" if seconds else "%H:%M")
        parts = f".{'0' * len(fraction)}" if fraction else ""
        return f"{made.date().isoformat()}{between}{clock}{parts}{offset or ''}"

    def _day(self, text: str) -> str:
        """Return a day that is one whether the month stands first or not."""
        number = f"{(self._number('day', text) - 1) % 12 + 1:02d}"
        return f"{number}{text[2]}{number}{text[5]}2001"

    def _element(self, text: str) -> str:
        name = text.lstrip("</")
        return text if name.lower() in _OF_HTML else text.replace(name, self._plain(name))


def _sign(char: str) -> str:
    """Return what stands in place of a character that is no letter and no digit."""
    category = unicodedata.category(char)
    if char.isascii() and (char.isprintable() or char in "\n\r\t"):
        return char
    if category[0] == "S":
        return "\N{WHITE DIAMOND}"
    return "\N{ZERO WIDTH SPACE}" if category[0] == "C" else char


def _moments(value: Any) -> Iterator[datetime]:
    """Yield the moments in a text, or the one that a number may stand for."""
    if isinstance(value, str):
        for found in _PIECE.finditer(value):
            if found.lastgroup == "moment":
                at = _parsed(found.group())
                if at is not None:
                    yield at
    elif value in _SECONDS or value // 1000 in _SECONDS:
        seconds = value if value in _SECONDS else value / 1000
        yield datetime.fromtimestamp(seconds, UTC)


def _parsed(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _scalars(value: Any) -> Iterator[str | int]:
    """Yield the texts and whole numbers of a record."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _scalars(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _scalars(item)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield value


def _texts(value: Any) -> Iterator[str]:
    return (each for each in _scalars(value) if isinstance(each, str))
