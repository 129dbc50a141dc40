"""After every observation, also an equal one: what does each other side still need? This is what heals (rule F9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from bridge.core.merge import Rules
from bridge.core.plan import Plan, plan
from bridge.core.state import Link, Note
from bridge.flow.context import Context
from bridge.ledger import probed, work
from bridge.ledger.session import Tx

Probed = Mapping[str, Mapping[str, bool]]


def known_probes(tx: Tx, connections: Iterable[str]) -> dict[str, dict[str, bool]]:
    """Give what has been found out about each connection's uncertain capabilities."""
    return {name: probed.all_(tx, name) for name in connections}


def plans(context: Context, link: Link, rules: Rules, probes: Probed) -> dict[str, Plan]:
    """Plan every member of the link's sync."""
    return {
        name: plan(link, name, rules, context.capabilities[name][link.entity], probes.get(name, {}))
        for name in rules.sync.members
        if name in context.capabilities
    }


def replan(tx: Tx, context: Context, link: Link, now: datetime, *, lane: str = "live") -> list[Note]:
    """Queue what the link's sides need, and give the decisions that were taken on the way (not carried, …)."""
    sync = context.syncs[link.sync]
    notes: list[Note] = []
    found = plans(context, link, context.rules(sync), known_probes(tx, sync.members))
    for connection, planned in found.items():
        notes.extend(planned.notes)
        kind = "deliver" if planned.calls else "create" if planned.create else None
        if kind is None or (planned.create and planned.create.missing):
            continue
        work.raise_(
            tx,
            kind=kind,
            key=f"{kind}:{link.id}:{connection}",
            connection=connection,
            entity=link.entity,
            link_id=link.id,
            lane=lane,
            due_at=now,
            now=now,
        )
    return notes
