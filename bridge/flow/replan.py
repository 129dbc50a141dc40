"""Planning the whole link, and saying which work the plans ask for.

Done after every reading, also one that showed nothing new: that is how a delivery that was lost is
found again (rule F9).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from bridge.core.merge.leaving import settle_without_absent
from bridge.core.model.state import Link, Note, Side
from bridge.core.planning.calls import PlannedCall
from bridge.core.planning.creation import CreatePlan
from bridge.core.planning.planner import Plan, plan
from bridge.engine.context import Context
from bridge.flow import call_parts, parents
from bridge.ledger import parking, work
from bridge.ledger.database import Tx
from bridge.ledger.taking import LinkWork
from bridge.ledger.work import NewWork


def plans(context: Context, link: Link) -> dict[str, Plan]:
    """Plan every member of the link's sync; nothing when the sync is not there (any more)."""
    return {name: plan_member(context, link, name) for name in context.members(link)}


def plan_member(context: Context, link: Link, name: str) -> Plan:
    """Plan one member.

    An open attempt holds up nothing if a read has closed all of it that could be read.
    """
    side = link.sides.get(name)
    leftover_only = side is not None and leftover(context, link, side)
    rules, able = context.rules(context.syncs[link.sync]), context.capabilities[name][link.entity]
    return plan(link, name, rules, able, context.probes.get(name, {}), leftover_only=leftover_only)


def still_open(context: Context, link: Link, side: Side) -> datetime | None:
    """Return the time until which no read can tell what became of the side's open attempt.

    None: there is none, or it has settled (rule F3).
    """
    if side.attempt is None:
        return None
    until = side.attempt.send_by + context.settling_time(side.connection, link.entity)
    return until if context.clock.now() < until else None


def leftover(context: Context, link: Link, side: Side) -> bool:
    """Return whether only fields that cannot be read are left of the side's open attempt.

    So it is when the side was read after the attempt had settled.
    """
    if side.attempt is None or side.read_at is None:
        return False
    settling_time = context.settling_time(side.connection, link.entity)
    return side.read_at >= side.attempt.send_by + settling_time


@dataclass(slots=True)
class WantedWork:
    """What the plans for a link ask for."""

    calls: dict[str, list[PlannedCall]] = field(default_factory=dict)
    """By connection: the calls of the deliveries among its work."""
    creates: dict[str, CreatePlan] = field(default_factory=dict)
    """By connection: what the creates among its work would make."""
    notes: list[Note] = field(default_factory=list)
    """The decisions taken on the way."""
    work: list[NewWork] = field(default_factory=list)
    """Only the kind of work, never the calls: it plans again under its own lease."""
    needless: list[int] = field(default_factory=list)
    """Parked rows of work that nobody asks for any more."""
    awaiting: list[NewWork] = field(default_factory=list)
    """Creates that are asked for only where the ticket of the record is there."""

    def also(self, context: Context, link: Link) -> list[Callable[[Tx], object]]:
        """Return what storing it takes besides raising the work."""
        acts: list[Callable[[Tx], object]] = []
        if self.needless:
            acts.append(lambda tx: parking.discard(tx, self.needless))
        if self.awaiting:
            acts.append(lambda tx: self._raise_awaiting(tx, context, link))
        return acts

    def store(self, tx: Tx, context: Context, link: Link) -> None:
        """Store it."""
        work.enqueue_all(tx, self.work)
        for act in self.also(context, link):
            act(tx)

    def _raise_awaiting(self, tx: Tx, context: Context, link: Link) -> None:
        """Raise what waits for its ticket no more; else `parents.queue_children` does it later."""
        ready = [
            each for each in self.awaiting if parents.ready(tx, context, link, each.connection)
        ]
        work.enqueue_all(tx, ready)


def replan(
    context: Context,
    link: Link,
    link_work: Sequence[LinkWork],
    now: datetime,
    *,
    lane: str = "live",
    run_id: int | None = None,
    due: datetime | None = None,
    not_before: Mapping[str, datetime] = MappingProxyType({}),
) -> WantedWork:
    """Plan the link, and say what its sides need. `due` is the place of that work in its lane.

    `not_before`: by connection, when something may be done there at the earliest.
    """
    if (sync := context.syncs.get(link.sync)) is None:
        return WantedWork()
    notes = settle_without_absent(link, context.rules(sync))
    made = plans(context, link)
    wanted = wanted_by(
        context,
        link,
        made,
        link_work,
        now,
        lane=lane,
        run_id=run_id,
        due=due or now,
        not_before=not_before,
    )
    wanted.notes[:0] = notes
    return wanted


def wanted_by(
    context: Context,
    link: Link,
    made: Mapping[str, Plan],
    link_work: Sequence[LinkWork],
    now: datetime,
    *,
    lane: str,
    run_id: int | None,
    due: datetime,
    not_before: Mapping[str, datetime],
) -> WantedWork:
    """Return what these plans ask for, given the link's work that is in the ledger."""
    wanted = WantedWork(needless=unwanted(link, made, link_work))
    for connection, planned in made.items():
        wanted.notes.extend(planned.notes)
        wanted.needless += call_parts.forgotten(link, connection, link_work)
        calls = call_parts.without_refused(context, link, connection, planned.calls, link_work)
        kind = kind_of_work(planned, has_calls=bool(calls))
        if kind is None:
            continue
        key = work_key(kind, link.id, connection)
        new = NewWork(
            kind=kind,
            key=key,
            connection=connection,
            entity=link.entity,
            link_id=link.id,
            lane=lane,
            due_at=max(due, not_before.get(connection, due)),
            now=now,
            unpark=planned.create is None
            or _frees(context, link, connection, key, planned.create, link_work, lane),
            run_id=run_id,
        )
        if kind == "deliver":
            wanted.calls[connection] = calls
        if kind == "create" and planned.create is not None:
            wanted.creates[connection] = planned.create
        waits = kind == "create" and parents.belongs(context, connection, link.entity)
        (wanted.awaiting if waits else wanted.work).append(new)
    return wanted


def unwanted(link: Link, made: Mapping[str, Plan], link_work: Iterable[LinkWork]) -> list[int]:
    """Return the parked work of a link that its plans do not ask for any more.

    A human has done it there, for instance. While a side is at rest, or has a write under way, its
    plan does not tell. What is parked for one field alone is left to `call_parts`.
    """
    found = []
    for parked in link_work:
        connection = parked.connection
        planned, side = made.get(connection), link.sides.get(connection)
        if not parked.is_parked or planned is None or link.paused or connection in link.intents:
            continue
        if side is not None and (side.attempt is not None or side.detached or not side.in_scope):
            continue
        wanted = {"create": planned.create is not None, "deliver": bool(planned.calls)}
        wanted["remove"] = planned.delete
        kind = parked.key.partition(":")[0]
        if parked.key == work_key(kind, link.id, connection) and not wanted.get(kind, True):
            found.append(parked.id)
    return found


def _frees(
    context: Context,
    link: Link,
    connection: str,
    key: str,
    create: CreatePlan,
    link_work: Sequence[LinkWork],
    lane: str,
) -> bool:
    """Return whether a create that is wanted (again) frees parked work of its key.

    What the vendor has refused is sent again when something else would be sent, and not before.
    """
    refused = next(
        (
            each.payload.get(parking.REFUSED)
            for each in link_work
            if each.is_parked and each.key == key
        ),
        None,
    )
    if refused is None:
        return lane in {"reconcile", "backfill"}
    create = call_parts.create_without_refused(context, link, connection, create, link_work)
    return bool(refused != fingerprint(create))


def fingerprint(create: CreatePlan) -> str:
    """Return a hash of what a create sends."""
    text = json.dumps(create.values, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def work_key(kind: str, link_id: str, connection: str) -> str:
    """Return the key of the work that brings a link's side level."""
    return f"{kind}:{link_id}:{connection}"


def kind_of_work(plan: Plan, *, has_calls: bool) -> str | None:
    """Return the kind of work that a plan asks for, if any."""
    if plan.create is not None and plan.create.missing:
        return None  # something that the vendor requires is not known yet
    if plan.delete:
        return "remove"
    if has_calls:
        return "deliver"
    return "create" if plan.create is not None else None
