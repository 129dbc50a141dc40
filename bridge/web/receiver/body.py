"""Reads the bodies of requests: bounded, strict, and scrubbed where one has to be kept for a human to look at."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson
from flask import Request

from bridge.errors import Malformed, TooLarge, UnsupportedMedia
from bridge.observability.log import HIDDEN, Scrubber

LIMIT: Final = 1024 * 1024
"""Bytes of a webhook's body. The largest that a documented vendor sends is a fraction of this."""
DEPTH: Final = 64
KEPT: Final = 8 * 1024
"""Bytes of a quarantined body that are kept."""

_JSON = re.compile(r"application/(json|[\w.+-]+\+json)\s*(;.*)?", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def read(request: Request, limit: int = LIMIT) -> bytes:
    """Read the raw body, at most one byte more than is allowed. A declared length is a hint only: count what comes."""
    media = request.headers.get("Content-Type", "")
    if not _JSON.fullmatch(media.strip()):
        raise UnsupportedMedia("send Content-Type: application/json")
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
        raise UnsupportedMedia(
            "send the body without Content-Encoding: it is verified as it arrives"
        )
    if (request.content_length or 0) > limit:
        raise TooLarge(f"the body is longer than {limit} bytes")
    chunks: list[bytes] = []
    left = limit + 1
    while left > 0 and (chunk := request.stream.read(min(left, 65536))):
        chunks.append(chunk)
        left -= len(chunk)
    if left <= 0:
        raise TooLarge(f"the body is longer than {limit} bytes")
    return b"".join(chunks)


def parse(body: bytes) -> dict[str, Any]:
    """Read a JSON object, or raise Malformed: no duplicate keys, no NaN, UTF-8 only, not too deep."""
    try:
        orjson.loads(body)  # strict about UTF-8, NaN, lone surrogates and depth, and quick
        found = json.loads(
            body, object_pairs_hook=_unique
        )  # exact about integers of any size, and about duplicates
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not strict JSON: {error}") from None
    if not isinstance(found, dict):
        raise Malformed(f"the body is a {type(found).__name__}, not an object")
    _check_depth(found)
    return found


def scrub(body: bytes, scrubber: Scrubber) -> str:
    """Make the beginning of a body fit to be kept and shown: no control characters, addresses or secrets."""
    # Before it is cut: half a secret would not be known for one.
    text = scrubber.text(body[: 2 * KEPT].decode("utf-8", "replace"))[:KEPT]
    return _EMAIL.sub(HIDDEN, _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


def clean(text: str, longest: int = 200) -> str:
    """Make a vendor's word fit for a column, a page and a log line."""
    return (
        _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)[:longest]
        .replace("\n", " ")
        .replace("\t", " ")
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"the key {clean(twice, 40)!r} stands twice in one object")
    return found


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise Malformed(f"nested deeper than {DEPTH} levels")
