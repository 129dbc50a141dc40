"""A record in the first place: whether a link gets a counterpart on a connection, and what it is made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.merge.case import Rules
from bridge.core.merge.equality import present_elements
from bridge.core.model.capabilities import EntityCapabilities, Support
from bridge.core.model.state import Link, Side
from bridge.core.model.values import NotCarried, Raw
from bridge.core.planning.calls import EMPTY_VALUES, value_to_write

CREATE = "create"
"""The name under which it is remembered whether a connection can create."""


@dataclass(frozen=True, slots=True)
class CreatePlan:
    """A record to be made for a link."""

    values: dict[str, Raw]
    """By write key."""
    sent: dict[str, Raw]
    """By canonical field."""
    revs: dict[str, int]
    missing: tuple[str, ...] = ()
    """Required keys that have no value yet: it cannot be made now."""


def plan_create(
    link: Link,
    connection: str,
    rules: Rules,
    capabilities: EntityCapabilities,
    probed: Mapping[str, bool],
) -> CreatePlan | None:
    """Plan a counterpart; None if there must not be one, or one is on its way."""
    allowed = (rules.sync.members[connection].create, capabilities.creates)
    if Support.NO in allowed or (Support.PROBED in allowed and probed.get(CREATE) is False):
        return None
    if connection in link.intents or not any(_vouches(side) for side in link.live().values()):
        return None
    made = CreatePlan(values={}, sent={}, revs={})
    for name, mapped in rules.maps[connection].fields.items():
        raw = _first_value(link, connection, rules, mapped, capabilities)
        if mapped.write_key is not None and raw not in EMPTY_VALUES:
            made.values[mapped.write_key] = made.sent[name] = raw
            made.revs[name] = link.state[name].rev
    missing = tuple(
        key
        for key, able in capabilities.writable.items()
        if able.required and key not in made.values
    )
    if not made.values and not missing:
        return None  # nothing has been read of the link yet
    return CreatePlan(made.values, made.sent, made.revs, missing)


def _vouches(side: Side) -> bool:
    """Tell whether a side says that the thing is really there, and ours to mirror."""
    return side.in_scope and side.missing_since is None


def _first_value(
    link: Link, connection: str, rules: Rules, mapped: FieldMap, capabilities: EntityCapabilities
) -> Raw | None:
    """Give what a new record is made with; None for a field that is left out."""
    state, to = link.state.get(mapped.name), rules.policy(mapped.name).to
    able = capabilities.writable.get(mapped.write_key or "")
    if state is None or not state.rev or state.candidates is not None or able is None:
        return None
    if not (mapped.on_create and able.on_create) or (to is not None and connection not in to):
        return None
    if mapped.is_set:
        forms = [mapped.write(each) for each in sorted(present_elements(state))]
        return list(dict.fromkeys(raw for raw in forms if not isinstance(raw, NotCarried)))
    raw = value_to_write(mapped, state.value, able)
    return None if isinstance(raw, NotCarried) else raw
