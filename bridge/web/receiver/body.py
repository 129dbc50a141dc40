"""Reads request bodies within limits, parses them, and scrubs those that are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import IO, Any, Final

from bridge import foreign_json
from bridge.errors import Malformed, TooLarge, UnsupportedMedia
from bridge.scrubber import HIDDEN, Scrubber

LIMIT: Final = 1024 * 1024
"""Bytes of a webhook's body. The largest that a documented vendor sends is a fraction of this."""
MAX_DEPTH: Final = 64
"""Levels of objects and lists within one another."""
MAX_KEPT_BYTES: Final = 8 * 1024
"""The part of a quarantined body that is kept."""

LONGEST_LENGTH: Final = 18
"""Digits of a declared length; more are too many, whatever they say."""

_JSON = re.compile(r"application/(json|[\w.+-]+\+json)\s*(;.*)?", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]++(?:\.[\w-]++)++")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def read(headers: Mapping[str, str], stream: IO[bytes], limit: int = LIMIT) -> bytes:
    """Read the raw body. Its bytes are counted, whatever length is declared.

    Header names are lower-case.
    """
    if not _JSON.fullmatch(headers.get("content-type", "").strip()):
        raise UnsupportedMedia("send Content-Type: application/json")
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise UnsupportedMedia(
            "send the body without Content-Encoding: its signature covers the bytes as they arrive"
        )
    declared = headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > LONGEST_LENGTH or int(declared) > limit):
        raise TooLarge(f"the body is longer than {limit} bytes")
    chunks: list[bytes] = []
    allowed = limit + 1  # one byte more shows that the body is too long
    while allowed > 0 and (chunk := stream.read(min(allowed, 65536))):
        chunks.append(chunk)
        allowed -= len(chunk)
    if allowed <= 0:
        raise TooLarge(f"the body is longer than {limit} bytes")
    return b"".join(chunks)


def parse(body: bytes) -> dict[str, Any]:
    """Parse a JSON object, of which one odd value hides no other. Raises Malformed.

    A webhook is a hint: it is taken where its id can be read, however the rest of it looks.
    """
    try:
        parsed = foreign_json.loads(body)
    except ValueError as error:
        raise Malformed(str(error)) from None
    if not isinstance(parsed, dict):
        raise Malformed("the body is JSON, but not an object")
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:  # as nearly none has: it is quickly seen
        _check_depth(parsed)
    return parsed


def scrub(body: bytes, scrubber: Scrubber) -> str:
    """Return the beginning of a body without control characters, e-mail addresses and secrets."""
    text = scrubber.beginning(body[: 4 * MAX_KEPT_BYTES].decode("utf-8", "replace"), MAX_KEPT_BYTES)
    return _EMAIL.sub(HIDDEN, _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


def clean(text: str, max_length: int = 200) -> str:
    """Return a vendor's text in one line without control characters."""
    text = text[:max_length]
    if text.isprintable():
        return text
    shown = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return shown.replace("\n", " ").replace("\t", " ")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise Malformed(f"nested deeper than {MAX_DEPTH} levels")
