"""After every observation, also an equal one: what does each other side still need? This is what heals (rule F9)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bridge.core.model.state import Link, Note, Side
from bridge.core.planning.planner import Plan, plan
from bridge.engine.context import Context
from bridge.flow import call_parts, parents
from bridge.ledger import work
from bridge.ledger.database import Tx


def plans(context: Context, link: Link) -> dict[str, Plan]:
    """Plan every member of the link's sync."""
    return {name: plan_member(context, link, name) for name in context.syncs[link.sync].members}


def plan_member(context: Context, link: Link, name: str) -> Plan:
    """Plan one member. An attempt that a read has closed, but for fields that cannot be read, holds up nothing."""
    side = link.sides.get(name)
    carrying = side is not None and leftover(context, link, side)
    rules, able = context.rules(context.syncs[link.sync]), context.capabilities[name][link.entity]
    return plan(link, name, rules, able, context.probes.get(name, {}), carrying=carrying)


def leftover(context: Context, link: Link, side: Side) -> bool:
    """Tell whether the side was read after its open attempt had settled: then only unreadable parts are left of it."""
    if side.attempt is None or side.read_at is None:
        return False
    return side.read_at >= side.attempt.send_by + context.settling_time(
        side.connection, link.entity
    )


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
    """Queue what the link's sides need (`due`: its place in the lane), and give the decisions taken on the way."""
    return queue(
        tx, context, link, plans(context, link), now, lane=lane, run_id=run_id, due=due or now
    )


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
    """Queue what was planned for the link, and give the plans' decisions."""
    notes: list[Note] = []
    for connection, planned in made.items():
        notes.extend(planned.notes)
        calls = call_parts.without_refused(tx, context, link, connection, planned.calls)
        kind = (
            "remove"
            if planned.delete
            else "deliver"
            if calls
            else "create"
            if planned.create
            else None
        )
        if kind is None or (planned.create and planned.create.missing):
            continue
        if kind == "create" and not parents.ready(tx, context, link, connection):
            continue  # its ticket is not there yet; family.wake asks again when it is
        work.enqueue(
            tx,
            kind=kind,
            key=f"{kind}:{link.id}:{connection}",
            connection=connection,
            entity=link.entity,
            link_id=link.id,
            lane=lane,
            due_at=due,
            now=now,
            unpark=kind != "create" or lane in {"reconcile", "backfill"},
            run_id=run_id,
        )
    return notes
