"""The link's values as plain dictionaries and back; what stands at its default is left out, to keep rows small."""

from __future__ import annotations

from typing import Any

from bridge.core.model.state import NEVER, Attempt, Element, FieldState, Link, Side, SideField
from bridge.core.model.values import NO_BASE
from bridge.ledger import value_codec


def dumps(link: Link) -> str:
    """Write a whole link as JSON text (exports and tests; the tables keep its parts in columns of their own)."""
    return value_codec.dumps(
        {
            "id": link.id,
            "sync": link.sync,
            "entity": link.entity,
            "state": state(link.state),
            "sides": {name: side(value) for name, value in link.sides.items()},
            "intents": link.intents,
            "paused": link.paused,
        }
    )


def loads(text: str) -> Link:
    """Read what `dumps` wrote."""
    found = value_codec.loads(text)
    return Link(
        id=found["id"],
        sync=found["sync"],
        entity=found["entity"],
        state=to_state(found["state"]),
        sides={name: to_side(value) for name, value in found["sides"].items()},
        intents=found["intents"],
        paused=found["paused"],
    )


def state(fields: dict[str, FieldState]) -> dict[str, Any]:
    """Write the agreed state."""
    return {name: _field_state(value) for name, value in fields.items()}


def to_state(found: dict[str, Any]) -> dict[str, FieldState]:
    """Read the agreed state."""
    return {name: _to_field_state(value) for name, value in found.items()}


def side_fields(fields: dict[str, SideField]) -> dict[str, Any]:
    """Write what one side last showed."""
    return {name: _side_field(value) for name, value in fields.items()}


def to_side_fields(found: dict[str, Any]) -> dict[str, SideField]:
    """Read what one side last showed."""
    return {name: _to_side_field(value) for name, value in found.items()}


def attempt(value: Attempt) -> dict[str, Any]:
    """Write an attempt."""
    return {
        "id": value.id,
        "verb": value.verb,
        "sent": value.sent,
        "before": value.before,
        "values": value.values,
        "revs": value.revs,
        "send_by": value.send_by,
        "call": value.call,
        "version": value.version,
        "carried": value.carried,
    }


def to_attempt(found: dict[str, Any]) -> Attempt:
    """Read an attempt."""
    return Attempt(**found)


def side(value: Side) -> dict[str, Any]:
    """Write a side with everything that it holds."""
    return {
        "connection": value.connection,
        "remote_id": value.remote_id,
        "fields": side_fields(value.fields),
        "version": value.version,
        "read_at": value.read_at,
        "attempt": None if value.attempt is None else attempt(value.attempt),
        "missing_since": value.missing_since,
        "tombstone": value.tombstone,
        "suspect": value.suspect,
        "in_vain": value.in_vain,
        "in_scope": value.in_scope,
        "detached": value.detached,
        "id": value.id,
    }


def to_side(found: dict[str, Any]) -> Side:
    """Read a side."""
    opened = found["attempt"]
    return Side(
        **{
            **found,
            "fields": to_side_fields(found["fields"]),
            "attempt": None if opened is None else to_attempt(opened),
        }
    )


def _field_state(value: FieldState) -> dict[str, Any]:
    found: dict[str, Any] = {"value": value.value, "rev": value.rev}
    if value.set_by:
        found["by"] = value.set_by
    if value.lo is not None:
        found["lo"] = value.lo
    if value.hi is not None:
        found["hi"] = value.hi
    if value.elements:
        found["elements"] = {
            name: [item.present, item.rev, item.by] for name, item in value.elements.items()
        }
    if value.candidates is not None:
        found["candidates"] = value.candidates
    if value.why_open:
        found["why_open"] = value.why_open
    if value.flips:
        found["flips"] = [list(flip) for flip in value.flips]
    return found


def _to_field_state(found: dict[str, Any]) -> FieldState:
    return FieldState(
        value=found["value"],
        rev=found["rev"],
        set_by=found.get("by", ""),
        lo=found.get("lo"),
        hi=found.get("hi"),
        elements={name: Element(*item) for name, item in found.get("elements", {}).items()},
        candidates=found.get("candidates"),
        why_open=found.get("why_open", ""),
        flips=[(at, by) for at, by in found.get("flips", [])],
    )


def _side_field(value: SideField) -> dict[str, Any]:
    found = {
        name: item for name, usual in _USUAL.items() if (item := getattr(value, name)) != usual
    }
    # NO_BASE is written as absence of the key: a shadow of None is a null that was read, quite
    # another thing.
    if value.shadow is not NO_BASE:
        found["shadow"] = value.shadow
    if value.got is not None:
        found["got"] = list(value.got)
    return found


def _to_side_field(found: dict[str, Any]) -> SideField:
    got = found.get("got")
    return SideField(
        shadow=found.get("shadow", NO_BASE),
        map_rev=found.get("map_rev", ""),
        level=found.get("level", NEVER),
        seen=found.get("seen"),
        got=None if got is None else (got[0], got[1]),
        alias=found.get("alias", {}),
        decided=found.get("decided"),
        decided_why=found.get("decided_why", ""),
        open_to_review=found.get("open_to_review", False),
        lacks=found.get("lacks", {}),
        unreadable=found.get("unreadable", ""),
        shown=found.get("shown"),
        tried=found.get("tried", NEVER),
    )


_USUAL: dict[str, Any] = {
    "map_rev": "",
    "level": NEVER,
    "seen": None,
    "alias": {},
    "decided": None,
    "decided_why": "",
    "open_to_review": False,
    "lacks": {},
    "unreadable": "",
    "shown": None,
    "tried": NEVER,
}
"""A side's field as it begins."""
