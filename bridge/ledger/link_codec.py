"""Encodes a link's values as plain dictionaries and back; default values are left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import NEVER, Attempt, Element, FieldState, Link, Side, SideField
from bridge.core.model.values import NO_BASE
from bridge.ledger import value_codec


def dumps(link: Link) -> str:
    """Encode a whole link as JSON text, for exports and tests; the tables keep its parts apart."""
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
    """Decode what `dumps` encoded."""
    data = value_codec.loads(text)
    return Link(
        id=data["id"],
        sync=data["sync"],
        entity=data["entity"],
        state=to_state(data["state"]),
        sides={name: to_side(value) for name, value in data["sides"].items()},
        intents=data["intents"],
        paused=data["paused"],
    )


def state(fields: dict[str, FieldState]) -> dict[str, Any]:
    """Encode the agreed state."""
    return {name: _field_state(value) for name, value in fields.items()}


def to_state(data: dict[str, Any]) -> dict[str, FieldState]:
    """Decode the agreed state."""
    return {name: _to_field_state(value) for name, value in data.items()}


def side_fields(fields: dict[str, SideField]) -> dict[str, Any]:
    """Encode what a side showed last."""
    return {name: _side_field(value) for name, value in fields.items()}


def to_side_fields(data: dict[str, Any]) -> dict[str, SideField]:
    """Decode what a side showed last."""
    return {name: _to_side_field(value) for name, value in data.items()}


def attempt(value: Attempt) -> dict[str, Any]:
    """Encode an attempt; its stored keys are older than its attributes' names."""
    return {
        "id": value.id,
        "verb": value.verb,
        "sent": value.sent,
        "before": value.before,
        "values": value.state_values,
        "revs": value.revs,
        "send_by": value.send_by,
        "call": value.body,
        "version": value.version,
        "carried": value.inherited,
    }


def to_attempt(data: dict[str, Any]) -> Attempt:
    """Decode an attempt."""
    return Attempt(**{_ATTEMPT_ATTRIBUTES.get(key, key): value for key, value in data.items()})


def side(value: Side) -> dict[str, Any]:
    """Encode a whole side."""
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
        "handle": value.handle,
        "id": value.id,
    }


def to_side(data: dict[str, Any]) -> Side:
    """Decode a side."""
    attempt_data = data["attempt"]
    return Side(
        **{
            **data,
            "fields": to_side_fields(data["fields"]),
            "attempt": None if attempt_data is None else to_attempt(attempt_data),
        }
    )


def _field_state(value: FieldState) -> dict[str, Any]:
    data: dict[str, Any] = {"value": value.value, "rev": value.rev}
    origin = {"by": value.set_by, "from": value.read_from}
    data |= {key: connection for key, connection in origin.items() if connection}
    if value.lo is not None:
        data["lo"] = value.lo
    if value.hi is not None:
        data["hi"] = value.hi
    if value.elements:
        data["elements"] = {
            name: [item.present, item.rev, item.by] for name, item in value.elements.items()
        }
    if value.candidates is not None:
        data["candidates"] = value.candidates
    if value.why_open:
        data["why_open"] = value.why_open
    if value.ended is not None:
        data["ended"] = list(value.ended)
    if value.flips:
        data["flips"] = [list(flip) for flip in value.flips]
    if value.over_since is not None:
        data["over_since"] = list(value.over_since)
    if value.in_our_time is not None:
        data["our_time"] = list(value.in_our_time)
    return data


def _to_field_state(data: dict[str, Any]) -> FieldState:
    ended, over_since = data.get("ended"), data.get("over_since")
    return FieldState(
        value=data["value"],
        rev=data["rev"],
        set_by=data.get("by", ""),
        read_from=data.get("from", ""),
        lo=data.get("lo"),
        hi=data.get("hi"),
        elements={name: Element(*item) for name, item in data.get("elements", {}).items()},
        candidates=data.get("candidates"),
        why_open=data.get("why_open", ""),
        ended=None if ended is None else (ended[0], ended[1]),
        flips=[(at, by) for at, by in data.get("flips", [])],
        over_since=None if over_since is None else (over_since[0], over_since[1]),
        in_our_time=_to_span(data),
    )


def is_unread(fields: Mapping[str, SideField]) -> bool:
    """Return whether a side shows a value that its mapping has no reading for."""
    return any(field.unreadable_code == Code.READ_VALUE for field in fields.values())


def _side_field(value: SideField) -> dict[str, Any]:
    data = {
        name: item
        for name, default in _SIDE_FIELD_DEFAULTS.items()
        if (item := getattr(value, _SIDE_FIELD_ATTRIBUTES.get(name, name))) != default
    }
    # NO_BASE is encoded by leaving the key out: a shadow of None is a null that was read.
    if value.shadow is not NO_BASE:
        data["shadow"] = value.shadow
    if value.remembered_answer is not None:
        data["got"] = list(value.remembered_answer)
    if value.in_our_time is not None:
        data["our_time"] = list(value.in_our_time)
    return data


def _to_side_field(data: dict[str, Any]) -> SideField:
    got = data.get("got")
    return SideField(
        shadow=data.get("shadow", NO_BASE),
        map_rev=data.get("map_rev", ""),
        taken_from=data.get("path", ""),
        level=data.get("level", NEVER),
        seen_at=data.get("seen"),
        remembered_answer=None if got is None else (got[0], got[1]),
        alias=data.get("alias", {}),
        decided=data.get("decided"),
        decided_why=data.get("decided_why", ""),
        decided_code=data.get("decided_code", ""),
        open_to_review=data.get("open_to_review", False),
        lacks=data.get("lacks", {}),
        unreadable=data.get("unreadable", ""),
        unreadable_code=data.get("unreadable_code", ""),
        shown=data.get("shown"),
        tried=data.get("tried", NEVER),
        in_our_time=_to_span(data),
    )


def _to_span(data: dict[str, Any]) -> tuple[datetime, datetime] | None:
    span = data.get("our_time")
    return None if span is None else (span[0], span[1])


_ATTEMPT_ATTRIBUTES = {"values": "state_values", "call": "body", "carried": "inherited"}
"""Stored key -> attribute of Attempt, where the two differ."""
_SIDE_FIELD_ATTRIBUTES = {"seen": "seen_at", "path": "taken_from"}
"""Stored key -> attribute of SideField, where the two differ."""
_SIDE_FIELD_DEFAULTS: dict[str, Any] = {
    "map_rev": "",
    "path": "",
    "level": NEVER,
    "seen": None,
    "alias": {},
    "decided": None,
    "decided_why": "",
    "decided_code": "",
    "open_to_review": False,
    "lacks": {},
    "unreadable": "",
    "unreadable_code": "",
    "shown": None,
    "tried": NEVER,
}
"""By stored key: the values of a new SideField, which are not stored."""
