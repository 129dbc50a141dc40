"""Encodes values as JSON text, with the types that JSON lacks: tuples, times and markers.

These are written as an object with one key that starts with a dollar sign. A vendor's own object
with such a key is wrapped (`$map`), so nothing that a vendor sends can be mistaken for one of ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from bridge.core.model.values import Marker

_PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types that JSON has. Most values are of them, and this look-up is quicker than a call."""
_encoder = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


def dumps(value: Any, *, lenient: bool = False) -> str:
    """Encode a value as ASCII JSON text; unknown types become text if `lenient`, else TypeError."""
    return _encoder.encode(_pack(value, lenient))


def loads(text: str) -> Any:
    """Decode what `dumps` encoded."""
    return _unpack(json.loads(text))


def storable(text: str) -> str:
    """Replace the characters that no database stores in a text column."""
    clean = text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
    return clean.replace("\0", "\ufffd")


def _pack(value: Any, lenient: bool) -> Any:
    if value is None or isinstance(value, str | int | float):
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
    return {"$map": packed} if "$" in {key[:1] for key in packed} else packed


def _pack_rare(value: Any, lenient: bool) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; the ledger keeps aware times only")
        return {"$time": value.astimezone(UTC).isoformat()}
    if isinstance(value, Marker):
        return {"$marker": value.name}
    if not lenient:
        raise TypeError(f"the ledger cannot keep a {type(value).__name__}: {value!r}")
    if isinstance(value, set | frozenset):
        return [_pack(item, lenient) for item in sorted(value, key=str)]
    return str(value)


def _key(key: Any, lenient: bool) -> str:
    if isinstance(key, str):
        return key
    if lenient:
        return str(key)
    raise TypeError(f"the ledger cannot keep {key!r} as a key; keys are strings")


def _unpack_mapping(packed: dict[str, Any]) -> dict[str, Any]:
    return {key: item if type(item) in _PLAIN else _unpack(item) for key, item in packed.items()}


_TAGS: Mapping[str, Callable[[Any], Any]] = {
    "$map": _unpack_mapping,
    "$tuple": lambda items: tuple(_unpack(item) for item in items),
    "$time": datetime.fromisoformat,
    "$marker": lambda name: Marker[name],
}


def _unpack(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpack(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, item),) = value.items()
        if key in _TAGS:
            return _TAGS[key](item)
    return _unpack_mapping(value)
