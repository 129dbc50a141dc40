"""A vendor that shows one record oddly for a while: as no parser, or no reader, expects it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

MANY: Final = 100_000
_TEXTS: Final = ("subject", "original_text", "summary")
_WORDS: Final = ("priority", "status")
_TIMES: Final = ("updated_at", "last_message_at", "modified_at")
HALF_A_CHARACTER: Final = "\ud83d"

NO_RECORD: Final = "no record"
"""Nothing in the answer tells that the record is there."""

POISONS: Final = ("half a character", "not a number", "no time", NO_RECORD, "a crowd of tags")


def poisoned(body: bytes, poisons: Mapping[str, str]) -> bytes:
    """Return an answer in which these records, by id, are shown oddly."""
    try:
        answer = {"data": json.loads(body)}
    except ValueError:
        return body
    changed = False
    for place, key in [*_records(answer), *_records(answer["data"])]:
        record = place[key]
        poison = poisons.get(str(record.get("id"))) if isinstance(record, dict) else None
        if poison is not None:
            place[key] = _spoilt(record, poison)
            changed = True
    return json.dumps(answer["data"]).encode() if changed else body


def _records(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield where the records of an answer stand: alone, or in its list."""
    if not isinstance(value, dict):
        return
    for name in ("data", "results"):
        inner = value.get(name)
        if isinstance(inner, dict):
            yield value, name
        elif isinstance(inner, list):
            yield from ((inner, at) for at, row in enumerate(inner) if isinstance(row, dict))


def _set(record: dict[str, Any], names: Sequence[str], odd: Callable[[Any], Any]) -> None:
    """Replace what a record, or a part of it, has by these names."""
    for part in (record, *(value for value in record.values() if isinstance(value, dict))):
        for name in part.keys() & set(names):
            part[name] = odd(part[name])


def _spoilt(record: dict[str, Any], poison: str) -> Any:
    if poison == NO_RECORD:
        return [None]
    if poison == "half a character":
        _set(record, _TEXTS, lambda text: f"{text}{HALF_A_CHARACTER}" if text else text)
    elif poison == "not a number":
        _set(record, _WORDS, lambda _: float("nan"))
    elif poison == "no time":
        _set(record, _TIMES, lambda _: None)
    elif "tags" in record:
        record["tags"] = [f"tag {number}" for number in range(MANY)]
    return record
