"""Takes secrets out of text, however they are spelled: for logs, errors, pages and the ledger.

A vendor may repeat a key as it is, in part (`key[:-3]…`), in percent form, as JSON or HTML escape
it, in other case, in UTF-16, or in base64 behind a user's name. So the text is read as it stands
and with its escapes undone, level by level, and whatever covers eight characters of a secret in a
row is hidden in all its length. Fewer are harmless; so are words that a secret is made of, such as
"helpdesk", which usual text has, too: of those it takes most of the secret, or sixteen characters.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Final

from bridge.core.model.syncs import Secret

HIDDEN: Final = "•••"
MAX_CHARS: Final = 64 * 1024
"""Characters of one text that are looked through; the rest is cut off."""
CUT: Final = 192
"""What is given up where a text was cut: a secret's piece there may be too short to be known."""
WINDOW: Final = 8
"""Characters of a secret in a row that are hidden; what is shorter is hidden as a whole alone."""
WORDS: Final = 16
"""So many where they are words: one case, no digits."""
LEVELS: Final = 4
"""Escapes within escapes that are undone."""
MIN_SECRET: Final = 4
"""Shorter secrets are not hidden: they occur within ordinary words."""

_ESCAPE: Final = re.compile(
    r"%[0-9A-Fa-f]{2}|\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[\s\S])|&#?[0-9A-Za-z]{1,32};?"
    # What cannot be seen, and what is shown in its place: UTF-16 has it between all letters.
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\xb7\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ufffd]+"
)
PIECE: Final = 5
STRIDE: Final = 4
"""Wherever a window begins, one of the pieces at every fourth character lies within it."""
_PIECES: Final = tuple(slice(at, at + PIECE) for at in range(0, 4096, STRIDE))
_CONTROLS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_PATTERNS: Final = (
    # Each is tried once at every letter and never goes back (`++`, `*+`): a vendor's text must not
    # be able to make it slow.
    re.compile(r"(?i)\b(bearer|basic|token)(\s++)([a-z0-9._~+/=-]{8,})"),
    re.compile(
        r"(?i)(?<![a-z0-9])(api[_-]?key|secret|passw(?:or)?d|token|authorization|cookie|signature)"
        r"(\s*+['\"]?+\s*+[:=]\s*+['\"]?+)(?!bearer\b|basic\b|token\b)([^\s'\",;&}]++)"
    ),
    re.compile(r"\b(whsec_|phx_|phc_|sk_)()([A-Za-z0-9+/=_-]{6,})"),
    re.compile(r"(://[^/\s:@]*+)(:)([^/\s@]++)(?=@)"),
)
"""What looks like a secret."""
_PREFIXES: Final = ("whsec_", "phx_", "phc_", "sk_")
_SIGNS: Final = (
    *("bearer", "basic", "token", "api", "secret", "passw", "authorization", "cookie"),
    *("signature", *_PREFIXES, "://"),
)
"""One of these stands in whatever a pattern matches."""


class Scrubber:
    """Takes secrets out of text: the given ones in every spelling, and whatever looks like one."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._windows: dict[str, int] = {}
        """Window of a secret -> characters in a row from which on it is hidden."""
        self._pieces: set[str] = set()
        """The pieces of all windows: a text that shows none of them shows no window."""
        self._short: set[str] = set()
        for secret in secrets:
            if len(secret.reveal()) >= MIN_SECRET:
                for form in set(_forms(secret.reveal())):
                    self._learn(form)

    def text(self, text: str) -> str:
        """Return the text without secrets. What is too long to be read is cut before that."""
        if len(text) > MAX_CHARS:
            return f"{self.beginning(text, MAX_CHARS)}… (cut)"
        return self._scrubbed(text)

    def beginning(self, text: str, length: int) -> str:
        """Return the beginning of a text without secrets, nor half of one at its end."""
        part = text[: 2 * length + CUT]
        clean = self._scrubbed(part)
        if len(part) < len(text):
            clean = clean[: max(0, len(clean) - CUT)]  # the cut may have gone through a secret
        return clean[:length]

    def holds(self, text: str) -> bool:
        """Return whether a given secret, or a piece of one, stands in a text."""
        return bool(self._found(text[:MAX_CHARS]))

    def is_clear(self, word: str) -> bool:
        """Return whether a word of letters, digits, and `/._~$-` certainly holds no secret.

        It is quick, for what is asked of every call; False says no more than to look closely.
        """
        low = word.lower()
        shown = map(low.__getitem__, _PIECES[: len(low) // STRIDE])
        if not self._pieces.isdisjoint(shown) or any(map(low.__contains__, self._short)):
            return False
        return "_" not in low or not any(map(low.__contains__, _PREFIXES))

    def _learn(self, form: str) -> None:
        low = _lower(form)
        if len(form) < WINDOW:
            self._short.add(low)
        most = max(WINDOW, min(WORDS, len(form) * 2 // 3))
        for at in range(len(form) - WINDOW + 1):
            needed = most if _is_words(form[at : at + WINDOW]) else WINDOW
            window = low[at : at + WINDOW]
            self._windows[window] = min(needed, self._windows.get(window, needed))
            self._pieces.update(window[by : by + PIECE] for by in range(STRIDE))

    def _scrubbed(self, text: str) -> str:
        parts, at = [], 0
        for begin, end in self._found(text):
            parts += [text[at:begin], HIDDEN]
            at = end
        text = "".join([*parts, text[at:]]) if parts else text
        return text if _is_plain(text) else _without_patterns(text)

    def _found(self, text: str) -> list[tuple[int, int]]:
        """Return where secrets begin and end, in order and apart from each other."""
        if not (self._windows or self._short):
            return []
        if _is_bare(text) or _ESCAPE.search(text) is None:  # nothing is to be undone
            low = _lower(text)
            return _joined([*self._runs(low), *self._whole(low)])
        reading: _Reading | None = _Reading(text, range(len(text)), range(1, len(text) + 1))
        spans: list[tuple[int, int]] = []
        for _ in range(LEVELS + 1):
            if reading is None:
                break
            low = _lower(reading.text)
            spans += [
                (reading.begins[begin], reading.ends[end - 1])
                for begin, end in (*self._runs(low), *self._whole(low))
            ]
            reading = _undone(reading)
        return _joined(spans)

    def _runs(self, low: str) -> Iterator[tuple[int, int]]:
        """Yield where enough of a secret's characters stand in a row."""
        windows = self._windows
        if len(low) <= STRIDE * len(_PIECES):
            shown = map(low.__getitem__, _PIECES[: len(low) // STRIDE])
            if self._pieces.isdisjoint(shown):  # as nearly always, and many times quicker to see
                return
        hits = [at for at in range(len(low) - WINDOW + 1) if low[at : at + WINDOW] in windows]
        first = 0
        for number, at in enumerate(hits):
            if number + 1 < len(hits) and hits[number + 1] == at + 1:
                continue
            run = hits[first : number + 1]
            begin, end = run[0], at + WINDOW
            if end - begin >= min(windows[low[each : each + WINDOW]] for each in run):
                yield begin, end
            first = number + 1

    def _whole(self, low: str) -> Iterator[tuple[int, int]]:
        for short in self._short:
            at = low.find(short)
            while at >= 0:
                yield at, at + len(short)
                at = low.find(short, at + len(short))


def _is_bare(text: str) -> bool:
    """Return whether a text has neither escapes nor what cannot be seen, as nearly all have not."""
    return (
        text.isascii()
        and text.isprintable()
        and "%" not in text
        and "\\" not in text
        and "&" not in text
    )


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in order, those that touch each other as one."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return joined


def _is_plain(text: str) -> bool:
    """Return whether no pattern can match: none of the words that they look for occurs.

    Letters beyond ASCII may count as one of these words' in another case.
    """
    if not text.isascii():
        return False
    low = text.lower()
    return not any(map(low.__contains__, _SIGNS))


def _without_patterns(text: str) -> str:
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1\2{HIDDEN}", text)
    return text


@dataclass(frozen=True, slots=True)
class _Reading:
    """A text, and where in the original each of its characters begins and ends."""

    text: str
    begins: range | list[int]
    ends: range | list[int]


def _undone(reading: _Reading) -> _Reading | None:
    """Return the reading with one level of escapes undone; None when it has none."""
    text, parts, at = reading.text, [], 0
    begins: list[int] = []
    ends: list[int] = []
    for match in _ESCAPE.finditer(text):
        meant = _meant(match[0])
        if meant == match[0]:
            continue
        begin, end = match.span()
        parts += [text[at:begin], meant]
        begins += [*reading.begins[at:begin], *[reading.begins[begin]] * len(meant)]
        ends += [*reading.ends[at:begin], *[reading.ends[end - 1]] * len(meant)]
        at = end
    if not parts:
        return None
    return _Reading(
        "".join([*parts, text[at:]]), [*begins, *reading.begins[at:]], [*ends, *reading.ends[at:]]
    )


def _meant(escape: str) -> str:
    """Return what an escape stands for; the escape itself where it is none."""
    if escape[0] == "&":
        return unescape(escape)
    if escape[0] == "%":
        return chr(int(escape[1:], 16))
    if escape[0] != "\\":
        return ""
    if len(escape) > 2:
        return chr(int(escape.lstrip("\\ux"), 16))
    return _CONTROLS.get(escape[1], escape[1])


def _lower(text: str) -> str:
    """Return the text in lower case, of the same length."""
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)


def _is_words(window: str) -> bool:
    """Return whether a piece may be a word of usual text: one case, no digits."""
    rest = window[1:]
    return rest in (rest.lower(), rest.upper()) and not any(map(str.isdigit, window))


def _forms(secret: str) -> Iterator[str]:
    """Yield the spellings of a secret that are looked for in what is read without its escapes."""
    raw = secret.encode("utf-8", "surrogatepass")
    yield from (secret, raw.decode("latin-1"), secret.replace(" ", "+"))
    reading = _Reading(secret, range(len(secret)), range(len(secret)))
    while (below := _undone(reading)) is not None and len(below.text) >= MIN_SECRET:
        yield below.text
        reading = below
    # In base64 three letters stand for two bytes and a bit: it depends on the bytes before it.
    for before in range(3):
        code = b64encode(bytes(before) + raw).decode()
        code = code[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
        yield from (code, code.replace("+", "-").replace("/", "_"))
    yield from _said_in_base64(secret.strip().removeprefix("whsec_"))


def _said_in_base64(secret: str) -> Iterator[str]:
    try:
        said = b64decode(secret, validate=True).decode("ascii")
    except ValueError:
        return
    if len(said) >= WINDOW and said.isprintable():
        yield said
