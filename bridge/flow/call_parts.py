"""The parts of a planned call: which can be sent alone, and what is left without others.

Fields that a vendor has refused stay out of a plan for as long as they are parked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bridge.core.model.state import Link
from bridge.core.model.values import Raw
from bridge.core.planning.calls import PlannedCall
from bridge.engine.context import Context
from bridge.ledger import parking
from bridge.ledger.database import Tx


def without_refused(
    tx: Tx, context: Context, link: Link, connection: str, calls: Sequence[PlannedCall]
) -> list[PlannedCall]:
    """Leave out what was refused and is parked for it.

    Refusals of values that the state has left since are forgotten.
    """
    if not calls:
        return []
    standing = []
    for row_id, refusal in parking.of_fields(tx, link.id, connection):
        # An edit since then asks for something else, so the refusal says nothing about it.
        state = link.state.get(refusal["field"])
        if state is not None and state.rev == refusal["rev"]:
            standing.append(refusal)
        else:
            parking.discard(tx, [row_id])
    if not standing:
        return list(calls)
    left = [_left_of(context, link, connection, call, standing) for call in calls]
    return [call for call in left if call is not None]


def divisible(context: Context, link: Link, connection: str, call: PlannedCall) -> bool:
    """Return whether the call has several fields, each of which could be sent alone."""
    verbs = context.capabilities[connection][link.entity].verbs
    return len(call.body) > 1 and not any(
        verb.also or verb.element for verb in verbs if verb.name == call.verb
    )


def of_element(context: Context, link: Link, connection: str, call: PlannedCall) -> bool:
    """Return whether the call is about one element of a set."""
    return any(
        verb.element
        for verb in context.capabilities[connection][link.entity].verbs
        if verb.name == call.verb
    )


def purpose(context: Context, link: Link, connection: str, call: PlannedCall) -> list[str]:
    """Return the fields that the call is made for, not those that it has to set besides."""
    verbs = context.capabilities[connection][link.entity].verbs
    meant = {key for verb in verbs if verb.name == call.verb for key in verb.writes}
    names = [field_of(context, link, connection, key) for key in call.body if key in meant]
    return [name for name in names if name in call.sent] or sorted(call.sent)


def cut(
    context: Context, link: Link, connection: str, call: PlannedCall, keys: set[str]
) -> PlannedCall:
    """Keep only these keys of a call."""
    names = {field_of(context, link, connection, key) for key in keys}
    return replace(
        call,
        body={key: raw for key, raw in call.body.items() if key in keys},
        sent={name: raw for name, raw in call.sent.items() if name in names},
        before={name: raw for name, raw in call.before.items() if name in names},
        state_values={name: value for name, value in call.state_values.items() if name in names},
        revs={name: rev for name, rev in call.revs.items() if name in names},
    )


def field_of(context: Context, link: Link, connection: str, key: str) -> str:
    """Return the canonical name of what is written by that key."""
    fields = context.maps[connection][link.entity].fields
    return next((name for name, field_map in fields.items() if field_map.write_key == key), key)


def _left_of(
    context: Context,
    link: Link,
    connection: str,
    call: PlannedCall,
    refusals: Sequence[dict[str, Any]],
) -> PlannedCall | None:
    """Return what is left of a call; None when nothing is."""
    for refusal in refusals:
        if refusal["field"] not in call.sent:
            continue
        if refusal["values"] is not None:  # it was one element of a set that was refused
            if refusal["verb"] == call.verb and refusal["values"] == call.body:
                return None
            call = _without_step(context, link, connection, call, refusal)
            continue
        keys = {
            key for key in call.body if field_of(context, link, connection, key) != refusal["field"]
        }
        if not keys or not divisible(context, link, connection, call):
            return None
        call = cut(context, link, connection, call, keys)
    return call


def _without_step(
    context: Context, link: Link, connection: str, call: PlannedCall, refusal: dict[str, Any]
) -> PlannedCall:
    """Correct a later step's `before` and `sent`, which assume that the refused step has worked.

    Each step of a set, of one element, starts from where the one before has led.
    """
    verbs = context.capabilities[connection][link.entity].verbs
    adds = any(verb.element == "add" for verb in verbs if verb.name == refusal["verb"])
    name, (element,) = refusal["field"], refusal["values"].values()
    shown = link.sides[connection].fields[name].shadow
    there = isinstance(shown, list | tuple) and element in shown

    def without(raw: Raw) -> Raw:
        others = [each for each in raw or () if each != element]
        return [*others, element] if there else others

    if adds == there:  # it never was a step: the side shows already what was wanted
        return call
    return replace(
        call,
        before={**call.before, name: without(call.before.get(name))},
        sent={**call.sent, name: without(call.sent.get(name))},
    )
