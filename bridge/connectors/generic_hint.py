"""What all webhooks have in common: dotted paths, ids, and the generic hint that any connection takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bridge.connectors.contract import Hint, Parsed
from bridge.errors import Malformed

LONGEST_ID = 200
GENERIC = "hint"
"""The event name under which a generic hint is recorded."""


def at(body: Any, path: str) -> Any:
    """Follow a dotted path through objects; None where it leads nowhere."""
    for step in path.split("."):
        if not isinstance(body, Mapping):
            return None
        body = body.get(step)
    return body


def event_name(body: Any, path: str) -> str:
    """Read an event's name. Raises Malformed when it isn't a short text."""
    name = at(body, path)
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID or not name.isprintable():
        raise Malformed(f"no event name at {path!r}; check the connection's webhook.event")
    return name


def record_id(value: Any, where: str) -> str:
    """Read a record's id, a text or a number. Raises Malformed for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_ID
        and value.isprintable()
        and value.strip() == value
    ):
        return value
    raise Malformed(f"no record id at {where!r}; check the connection's webhook.id")


def generic(body: Any, entities: Collection[str]) -> Parsed | None:
    """Read `{"entity": …, "id": …}`, which a customer's own automation may send; None when the body is not one.

    Raises Malformed when it is one but names no entity of this connection, or no id.
    """
    if not isinstance(body, Mapping) or set(body) != {"entity", "id"}:
        return None
    entity = body["entity"]
    if not isinstance(entity, str) or entity not in entities:
        raise Malformed(f"entity is {str(entity)[:40]!r}; allowed: {', '.join(sorted(entities))}")
    found = record_id(body["id"], "id")
    return Parsed(
        hints=(Hint(entity, found),), event=GENERIC, projection={"entity": entity, "id": found}
    )


def ignored(event: str, known: Collection[str]) -> Parsed:
    """Say that an event leads to nothing: by choice, or because nobody has described it to us."""
    why = f"event {event} is not used" if event in known else f"unknown event {event}"
    return Parsed(hints=(), event=event, ignored=why, projection={"event": event})
