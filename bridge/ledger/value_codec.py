"""Encodes values as JSON text, with the types that JSON lacks: tuples, times and markers.

These are written as an object with one key that starts with a dollar sign. A vendor's own object
with such a key is wrapped (`$map`), so nothing that a vendor sends can be mistaken for one of ours.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from bridge.core.model.values import Marker

_PLAIN: Final = frozenset({str, int, bool, type(None)})
"""Types that need no packing. Most values are of them, and this look-up is quicker than a call."""
_ENCODER: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))
_BEYOND_64_BITS: Final = 2.0**63


class _NoNumber(float):
    """NaN or an infinity: orjson refuses it in this guise, and would write null otherwise."""


def dumps(value: Any, *, lenient: bool = False) -> str:
    """Encode a value as ASCII JSON text; unknown types become text if `lenient`, else TypeError."""
    packed = _pack(value, lenient)
    try:
        text = orjson.dumps(packed)
    except orjson.JSONEncodeError:  # half of a surrogate pair, an integer beyond 64 bits, NaN
        return _ENCODER.encode(packed)
    return text.decode() if text.isascii() and b"\x7f" not in text else _ENCODER.encode(packed)


def loads(text: str) -> Any:
    """Decode what `dumps` encoded."""
    try:
        return _unpack(orjson.loads(text))
    except (orjson.JSONDecodeError, OverflowError):
        return _unpack(json.loads(text, parse_float=_tag_float, parse_constant=_tag_float))


def parsed(text: str) -> Any:
    """Return the JSON of what `dumps` encoded, not decoded; None where it takes `loads` to read it.

    A float may stand for an integer that is too large for one.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def storable(text: str) -> str:
    """Replace the characters that no database stores in a text column."""
    clean = text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
    return clean.replace("\0", "\ufffd") if "\0" in clean else clean


def _pack(value: Any, lenient: bool) -> Any:
    # By exact type first: to ask whether something is a Mapping costs more than all the rest.
    if type(value) is dict:
        return _pack_mapping(value, lenient)
    if type(value) is datetime:
        return _pack_time(value)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return _pack_mapping(value, lenient)
    if isinstance(value, list | tuple):
        items = [item if type(item) in _PLAIN else _pack(item, lenient) for item in value]
        return items if isinstance(value, list) else {"$tuple": items}
    return _pack_rare(value, lenient)


def _pack_mapping(value: Mapping[Any, Any], lenient: bool) -> dict[str, Any]:
    packed = {
        key if type(key) is str else _key(key, lenient): item
        if type(item) in _PLAIN
        else _pack(item, lenient)
        for key, item in value.items()
    }
    for key in packed:
        if key.startswith("$"):
            return {"$map": packed}
    return packed


def _pack_rare(value: Any, lenient: bool) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else _NoNumber(value)
    if isinstance(value, datetime):
        return _pack_time(value)
    if isinstance(value, Marker):
        return {"$marker": value.name}
    if not lenient:
        raise TypeError(f"the ledger cannot keep a {type(value).__name__}: {value!r}")
    if isinstance(value, set | frozenset):
        return [_pack(item, lenient) for item in sorted(value, key=str)]
    return str(value)


def _pack_time(value: datetime) -> dict[str, str]:
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone; the ledger keeps aware times only")
    utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    return {"$time": utc.isoformat()}


def _key(key: Any, lenient: bool) -> str:
    if isinstance(key, str):
        return key
    if lenient:
        return str(key)
    raise TypeError(f"the ledger cannot keep {key!r} as a key; keys are strings")


def _unpack_mapping(packed: dict[str, Any]) -> dict[str, Any]:
    return {key: item if type(item) in _PLAIN else _unpack(item) for key, item in packed.items()}


def _tag_float(digits: str) -> dict[str, float]:
    return {"$float": float(digits)}


_TAGS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "$map": _unpack_mapping,
    "$tuple": lambda items: tuple(_unpack(item) for item in items),
    "$time": datetime.fromisoformat,
    "$marker": lambda name: Marker[name],
    "$float": lambda number: number,  # never written: see `loads`
}


def _unpack(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpack(item) for item in value]
    if isinstance(value, float) and abs(value) >= _BEYOND_64_BITS:
        # It may be an integer, which orjson reads as a float.
        raise OverflowError(value)
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, item),) = value.items()
        if key in _TAGS:
            return _TAGS[key](item)
    return _unpack_mapping(value)
