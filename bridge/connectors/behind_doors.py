"""What is written behind a door (`custom_fields.<name>`), and all else there that has to stay.

Whether a write of such an object keeps the names that it leaves out is documented nowhere. So it is
sent whole, as it was just read: then both do the same. Where that cannot be done without harm to
what is there, nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.core.model.limits import size_of, why_too_large
from bridge.core.model.values import NO_NUMBER, Raw
from bridge.errors import Refused


def parted(place: str, values: Mapping[str, Raw]) -> tuple[dict[str, Raw], dict[str, Raw]]:
    """Return the values that are not behind this door, and by name those that are."""
    start = f"{place}."
    behind = {key[len(start) :]: raw for key, raw in values.items() if key.startswith(start)}
    return {key: raw for key, raw in values.items() if not key.startswith(start)}, behind


def whole(
    connection: str, of: str, place: str, shown: Any, behind: Mapping[str, Raw]
) -> dict[str, Any]:
    """Return the object that stands at `place`, with these names set and all others as shown.

    `of` says in words whose object it is. Raises Refused where it cannot be sent back as it is.
    """
    if shown is None:
        return dict(behind)
    if not isinstance(shown, Mapping):
        raise Refused(connection, f"{of} has something else in {place}; correct it there")
    # Measured first: what is nested without end is looked at no further.
    if why := why_too_large(shown, size_of(shown), is_set=False):
        raise Refused(connection, f"{place} of {of} is {why}")
    if _holds_no_number(shown):
        why = f"has a number in {place} that JSON does not have; correct it there"
        raise Refused(connection, f"{of} {why}")
    return {**shown, **behind}


def _holds_no_number(value: Any) -> bool:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if part == NO_NUMBER:
            return True
        if isinstance(part, Mapping):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return False
