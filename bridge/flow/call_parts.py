"""The parts of a planned call: which can be sent alone, and what is left without others.

Fields that a vendor has refused stay out of a plan for as long as they are parked.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.core.merge.equality import identities, identity
from bridge.core.model.state import Link
from bridge.core.model.values import Raw
from bridge.core.planning.calls import PlannedCall
from bridge.core.planning.creation import CreatePlan
from bridge.engine.context import Context
from bridge.ledger.taking import LinkWork


def without_refused(
    context: Context,
    link: Link,
    connection: str,
    calls: Sequence[PlannedCall],
    link_work: Iterable[LinkWork],
) -> list[PlannedCall]:
    """Leave out what was refused and is parked for it."""
    if not calls:
        return []
    refusals = _Refusals()
    for refusal in _standing(link, connection, link_work):
        refusals.add(context, link, connection, refusal)
    left = [refusals.left_of(context, link, connection, call) for call in calls]
    return [call for call in left if call is not None]


def create_without_refused(
    context: Context,
    link: Link,
    connection: str,
    create: CreatePlan,
    link_work: Iterable[LinkWork],
) -> CreatePlan:
    """Leave the fields out of a new record that were refused and are parked for it."""
    refused = {refusal["field"] for refusal in _standing(link, connection, link_work)}
    keys = {key for key in create.values if field_of(context, link, connection, key) in refused}
    return cut_create(context, link, connection, create, set(create.values) - keys)


def forgotten(link: Link, connection: str, link_work: Iterable[LinkWork]) -> list[int]:
    """Return the parked rows of refusals of values that the state has left since."""
    return [each.id for each in _refusals(connection, link_work) if not _stands(link, each)]


def cut_create(
    context: Context, link: Link, connection: str, create: CreatePlan, keys: set[str]
) -> CreatePlan:
    """Keep only these keys of a new record."""
    names = {field_of(context, link, connection, key) for key in keys}
    return replace(
        create,
        values={key: raw for key, raw in create.values.items() if key in keys},
        sent={name: raw for name, raw in create.sent.items() if name in names},
        revs={name: rev for name, rev in create.revs.items() if name in names},
    )


def _standing(
    link: Link, connection: str, link_work: Iterable[LinkWork]
) -> list[Mapping[str, Any]]:
    """Return the refusals that are parked for a side and still hold."""
    return [each.payload for each in _refusals(connection, link_work) if _stands(link, each)]


def _refusals(connection: str, link_work: Iterable[LinkWork]) -> list[LinkWork]:
    """Return a side's parked rows that are about one field each."""
    return [
        each
        for each in link_work
        if each.is_parked and each.connection == connection and "field" in each.payload
    ]


def _stands(link: Link, refusal: LinkWork) -> bool:
    """Return whether the state has not changed since: an edit asks for something else."""
    state = link.state.get(refusal.payload["field"])
    return state is not None and state.rev == refusal.payload["rev"]


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


@dataclass(slots=True)
class _RefusedElements:
    """Elements of one set of which the vendor refused to take one in, or to give one up."""

    calls: set[Hashable] = field(default_factory=set)
    """The refused calls themselves: verb and element."""
    never_added: set[Hashable] = field(default_factory=set)
    never_removed: list[Raw] = field(default_factory=list)

    def without(self, raw: Raw) -> Raw:
        """Return a set as it is when none of the refused steps was made."""
        stay = {identity(element) for element in self.never_removed}
        gone = self.never_added | stay
        return [each for each in raw or () if identity(each) not in gone] + self.never_removed


@dataclass(slots=True)
class _Refusals:
    """What stands refused for one side: whole fields, and elements of sets."""

    fields: set[str] = field(default_factory=set)
    elements: dict[str, _RefusedElements] = field(default_factory=dict)

    def add(
        self, context: Context, link: Link, connection: str, refusal: Mapping[str, Any]
    ) -> None:
        """Take one in, as its parked row says it."""
        name, values = refusal["field"], refusal["values"]
        if values is None:
            self.fields.add(name)
            return
        known = self.elements.setdefault(name, _RefusedElements())
        known.calls.add((refusal["verb"], identity(values)))
        verbs = context.capabilities[connection][link.entity].verbs
        adds = any(verb.element == "add" for verb in verbs if verb.name == refusal["verb"])
        (element,) = values.values()
        there = identity(element) in identities(link.sides[connection].fields[name].shadow)
        # Else it never was a step: the side shows already what was wanted.
        if adds and not there:
            known.never_added.add(identity(element))
        elif there and not adds:
            known.never_removed.append(element)

    def left_of(
        self, context: Context, link: Link, connection: str, call: PlannedCall
    ) -> PlannedCall | None:
        """Return what is left of a call; None when nothing is.

        Each step of a set, of one element, starts from where the one before has led: where that
        one is refused, `before` and `sent` are corrected.
        """
        for name, refused in self.elements.items():
            if name not in call.sent:
                continue
            if (call.verb, identity(call.body)) in refused.calls:
                return None
            call = replace(
                call,
                before={**call.before, name: refused.without(call.before.get(name))},
                sent={**call.sent, name: refused.without(call.sent.get(name))},
            )
        if self.fields.isdisjoint(call.sent):
            return call
        keys = {
            key for key in call.body if field_of(context, link, connection, key) not in self.fields
        }
        if not keys or not divisible(context, link, connection, call):
            return None
        return cut(context, link, connection, call, keys)
