"""Planning the whole link, and queueing the work that the plans ask for.

Done after every reading, also one that showed nothing new: that is how a delivery that was lost is
found again (rule F9).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from bridge.core.merge.leaving import settle_without_absent
from bridge.core.model.state import Link, Note, Side
from bridge.core.planning.creation import CreatePlan
from bridge.core.planning.planner import Plan, plan
from bridge.engine.context import Context
from bridge.flow import call_parts, parents
from bridge.ledger import parking, work
from bridge.ledger.database import Tx


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


def leftover(context: Context, link: Link, side: Side) -> bool:
    """Return whether only fields that cannot be read are left of the side's open attempt.

    So it is when the side was read after the attempt had settled.
    """
    if side.attempt is None or side.read_at is None:
        return False
    settling_time = context.settling_time(side.connection, link.entity)
    return side.read_at >= side.attempt.send_by + settling_time


def replan(
    tx: Tx,
    context: Context,
    link: Link,
    now: datetime,
    *,
    lane: str = "live",
    run_id: int | None = None,
    due: datetime | None = None,
) -> list[Note]:
    """Plan the link and queue what its sides need. Return the decisions taken on the way.

    `due` is the place of that work in its lane.
    """
    if (sync := context.syncs.get(link.sync)) is None:
        return []
    notes = settle_without_absent(link, context.rules(sync))
    made = plans(context, link)
    return notes + queue(tx, context, link, made, now, lane=lane, run_id=run_id, due=due or now)


def queue(
    tx: Tx,
    context: Context,
    link: Link,
    made: Mapping[str, Plan],
    now: datetime,
    *,
    lane: str,
    run_id: int | None,
    due: datetime,
) -> list[Note]:
    """Queue what was planned for the link. Return the plans' decisions.

    Only the kind of work is stored, never the calls: `deliver` plans again under its own lease.
    """
    notes: list[Note] = []
    parking.discard(tx, unwanted(tx, link, made))
    for connection, planned in made.items():
        notes.extend(planned.notes)
        calls = call_parts.without_refused(tx, context, link, connection, planned.calls)
        kind = kind_of_work(planned, has_calls=bool(calls))
        if kind is None:
            continue
        if kind == "create" and not parents.ready(tx, context, link, connection):
            continue  # its ticket is not there yet; `parents.queue_children` asks again when it is
        key = work_key(kind, link.id, connection)
        work.enqueue(
            tx,
            kind=kind,
            key=key,
            connection=connection,
            entity=link.entity,
            link_id=link.id,
            lane=lane,
            due_at=due,
            now=now,
            unpark=planned.create is None or _frees(tx, context, link, key, planned.create, lane),
            run_id=run_id,
        )
    return notes


def unwanted(tx: Tx, link: Link, made: Mapping[str, Plan]) -> list[int]:
    """Return the parked work of a link that its plans do not ask for any more.

    A human has done it there, for instance. While a side is at rest, or has a write under way, its
    plan does not tell. What is parked for one field alone is left to `call_parts`.
    """
    found = []
    for row_id, key, connection in parking.of_link(tx, link.id):
        planned, side = made.get(connection), link.sides.get(connection)
        if planned is None or link.paused or connection in link.intents:
            continue
        if side is not None and (side.attempt is not None or side.detached or not side.in_scope):
            continue
        wanted = {"create": planned.create is not None, "deliver": bool(planned.calls)}
        wanted["remove"] = planned.delete
        kind = key.partition(":")[0]
        if key == work_key(kind, link.id, connection) and not wanted.get(kind, True):
            found.append(row_id)
    return found


def _frees(tx: Tx, context: Context, link: Link, key: str, create: CreatePlan, lane: str) -> bool:
    """Return whether a create that is wanted (again) frees parked work of its key.

    What the vendor has refused is sent again when something else would be sent, and not before.
    """
    refused = parking.refused_create(tx, key)
    if refused is None:
        return lane in {"reconcile", "backfill"}
    connection = key.rpartition(":")[2]
    create = call_parts.create_without_refused(tx, context, link, connection, create)
    return refused != fingerprint(create)


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
