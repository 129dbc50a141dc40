"""Plans a new record: whether a link gets a counterpart on a connection, and with which values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.merge.case import Rules
from bridge.core.merge.equality import present_elements
from bridge.core.model.capabilities import (
    EntityCapabilities,
    Support,
    Writable,
    creating,
    refused_value,
)
from bridge.core.model.state import FieldState, Link, Side
from bridge.core.model.values import NotCarried, Raw
from bridge.core.planning.calls import EMPTY_VALUES, value_to_write

NEVER_SET = FieldState()
"""Of a field that nobody has said anything of; only looked at."""
CREATE = "create"
"""What is done to make a record, as other work has the verb of its call."""


@dataclass(frozen=True, slots=True)
class CreatePlan:
    """A record to be made for a link."""

    values: dict[str, Raw]
    """By write key."""
    sent: dict[str, Raw]
    """By canonical field."""
    revs: dict[str, int]
    """The state's revision that each field is written for."""
    missing: tuple[str, ...] = ()
    """Required keys that have no value yet: it cannot be made now."""


def plan_create(
    link: Link,
    connection: str,
    rules: Rules,
    capabilities: EntityCapabilities,
    probed: Mapping[str, bool],
) -> CreatePlan | None:
    """Return the counterpart that a link needs on a connection where it has no side.

    None if it must not have one (rule F21), if one is on its way, or if nothing was read of the
    link yet. Changes nothing.
    """
    if not _may_create(link, connection, rules, capabilities, probed):
        return None
    values: dict[str, Raw] = {}
    sent: dict[str, Raw] = {}
    revs: dict[str, int] = {}
    for name, field_map in rules.maps[connection].fields.items():
        key = field_map.write_key
        if key is None or not field_map.on_create or not _receives(rules, connection, name):
            continue
        state, writable = link.state.get(name, NEVER_SET), capabilities.writable.get(key)
        if writable is None or not writable.on_create:
            continue
        raw = _first_value(state, field_map, writable, probed)
        if raw in EMPTY_VALUES:
            raw = _composed(link, state, field_map, writable)
        if raw not in EMPTY_VALUES:
            values[key] = sent[name] = raw
            revs[name] = state.rev
    missing = tuple(
        key
        for key, writable in capabilities.writable.items()
        if writable.required and key not in values
    )
    # Neither: nothing has been read of the link yet.
    return CreatePlan(values, sent, revs, missing) if values or missing else None


def _may_create(
    link: Link,
    connection: str,
    rules: Rules,
    capabilities: EntityCapabilities,
    probed: Mapping[str, bool],
) -> bool:
    """Return whether sync and system allow a counterpart, and a living side vouches for it."""
    allowed = (rules.sync.members[connection].create, capabilities.creates)
    if Support.NO in allowed or probed.get(creating(link.entity)) is False:
        return False
    if connection in link.intents:
        return False  # one is on its way
    return any(_vouches(side) for side in link.live().values())


def _vouches(side: Side) -> bool:
    """Return whether a side shows that the thing is really there, and in the sync's scope."""
    return side.in_scope and side.missing_since is None


def _is_refused(key: str, raw: Raw, probed: Mapping[str, bool]) -> bool:
    """Return whether this deployment was seen to refuse the value, in a create or altogether."""
    names = (refused_value(key, raw, on_create=True), refused_value(key, raw))
    return any(probed.get(name) is False for name in names)


def _receives(rules: Rules, connection: str, name: str) -> bool:
    """Return whether the sync sends a field to a connection."""
    to = rules.policy(name).to
    return to is None or connection in to


def _composed(link: Link, state: FieldState, field_map: FieldMap, writable: Writable) -> Raw | None:
    """Return what a new record gets where a field has no value, if the mapping says so.

    It is nobody's value: the state stays without one.
    """
    if field_map.create_from is None or state.candidates is not None:
        return None
    values = {name: state.value for name, state in link.state.items() if state.candidates is None}
    raw = field_map.create_from(values)
    if isinstance(raw, NotCarried):
        return None
    return raw[: writable.max_length] if writable.max_length and isinstance(raw, str) else raw


def _first_value(
    state: FieldState, field_map: FieldMap, writable: Writable, probed: Mapping[str, bool]
) -> Raw | None:
    """Return what a new record is made with; None for a field that is left out.

    A field that is frozen by an open conflict is left out (rule F18), and a word that the
    deployment was seen to refuse.
    """
    if not state.rev or state.candidates is not None:
        return None
    if field_map.is_set:
        forms = [field_map.write(element) for element in sorted(present_elements(state))]
        return list(dict.fromkeys(raw for raw in forms if not isinstance(raw, NotCarried)))
    raw = value_to_write(field_map, state.value, writable)
    if isinstance(raw, NotCarried) or _is_refused(field_map.write_key or "", raw, probed):
        return None
    return raw
