"""A stream of edits that people make on several systems, some of them against each other."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.sandbox.population import AGENTS, EXTRA_TAGS, SUBJECTS
from bridge.sandbox.registry import sandbox_class


@dataclass(frozen=True, slots=True)
class PlannedEdit:
    """One human edit. Edits of one burst are made without waiting in between."""

    burst: int
    ticket: int
    """Index into the tickets of the run."""
    system: str
    field: str
    """The canonical field."""
    fields: Mapping[str, Any]
    """The changed fields, in the system's own words."""
    conflicting: bool


def edits(
    n: int, seed: int, where: Sequence[Sequence[str]], conflicting: float = 0.35
) -> list[PlannedEdit]:
    """Draft `n` edits of tickets, each on a system that holds the ticket.

    `where` names the systems that hold each ticket. `conflicting` is the share of edits that stand
    against one on another system, as far as there are tickets on two.
    """
    rng = random.Random(f"edits {seed}")
    stream: list[PlannedEdit] = []
    in_conflict = 0
    burst = 0
    while len(stream) < n:
        burst += 1
        ticket = rng.randrange(len(where))
        systems = where[ticket]
        room = n - len(stream) >= 2 and len(systems) >= 2
        if room and in_conflict < conflicting * (len(stream) + 2):
            stream += _against_each_other(rng, burst, ticket, systems)
            in_conflict += 2
        else:
            stream.append(_alone(rng, burst, ticket, systems))
    return stream


def _alone(rng: random.Random, burst: int, ticket: int, systems: Sequence[str]) -> PlannedEdit:
    field = rng.choice(("status", "status", "priority", "tags", "tags", "assignee", "team"))
    system = rng.choice(systems)
    if not _has(field, system):
        field = "status"
    fields = _change(rng, system, field)
    return PlannedEdit(burst, ticket, system, field, fields, conflicting=False)


def _against_each_other(
    rng: random.Random, burst: int, ticket: int, systems: Sequence[str]
) -> list[PlannedEdit]:
    first, second = rng.sample(systems, 2)
    field = rng.choice(("status", "priority", "assignee", "team"))
    if not (_has(field, first) and _has(field, second)):
        field = "status"
    if field == "assignee":
        somebody, somebody_else = rng.sample(AGENTS, 2)
        changes = {
            first: sandbox_class(first).assignment(somebody),
            second: sandbox_class(second).assignment(somebody_else),
        }
    else:
        words = {system: sandbox_class(system).CHOICES[field] for system in (first, second)}
        value, other = rng.sample(sorted(set(words[first]) & set(words[second])), 2)
        changes = {
            system: sandbox_class(system).choice(field, words[system][chosen])
            for system, chosen in ((first, value), (second, other))
        }
    return [
        PlannedEdit(burst, ticket, system, field, fields, conflicting=True)
        for system, fields in changes.items()
    ]


def _change(rng: random.Random, system: str, field: str) -> dict[str, Any]:
    if field == "assignee":
        return sandbox_class(system).assignment(rng.choice(AGENTS))
    if field == "tags":
        verb = rng.choice(("add_tags", "add_tags", "remove_tags"))
        return {verb: [rng.choice((*EXTRA_TAGS, *(tag for _, _, tag in SUBJECTS)))]}
    sandbox = sandbox_class(system)
    return sandbox.choice(field, rng.choice(sorted(sandbox.CHOICES[field].values())))


def _has(field: str, system: str) -> bool:
    """Return whether somebody there can edit a field; all know tags and who is in charge."""
    return field in ("tags", "assignee") or field in sandbox_class(system).CHOICES
