"""Reconciliation: list what a system has, compare it with the ledger, and hint at whatever differs.

A row of a listing is never merged: it may have been fetched before a write of ours. It is only a reason to look, so
the same observe that a webhook causes does the rest. One page is one piece of work, in the lowest lane but one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bridge.connectors.base import Page, Record
from bridge.core import guard
from bridge.core.state import Link
from bridge.flow.context import Context, Task
from bridge.flow.effects import Call, Procedure, Transact
from bridge.flow.match import out_of_scope
from bridge.flow.records import differs
from bridge.flow.replan import plans
from bridge.ledger import links, runs, work
from bridge.ledger.session import Tx

KINDS = ("poll", "full")


def start(tx: Tx, connection: str, entity: str, kind: str, now: datetime) -> str | None:
    """Begin a run unless one of its kind is under way; give its id, or None."""
    run_id = runs.begin(tx, kind=kind, connection=connection, entity=entity, due=now, now=now)
    if run_id is not None:
        cursor = runs.watermark(tx, connection, entity) if kind == "poll" else None
        work.raise_(
            tx,
            kind="reconcile",
            key=f"reconcile:{run_id}",
            connection=connection,
            entity=entity,
            lane="reconcile",
            due_at=now,
            now=now,
            payload={"run": run_id, "kind": kind, "cursor": cursor, "first": True},
        )
    return run_id


def page(context: Context, task: Task) -> Procedure:
    """Fetch one page, hint at what differs, checkpoint, and queue the next page."""
    row = task.row
    step: dict[str, Any] = dict(row.payload or {})
    cursor, kind = step.get("cursor"), step["kind"]
    listing: Page = yield Call(
        row.connection,
        lambda c: (c.changed if kind == "poll" else c.scan)(row.entity, cursor),
        task.deadline(context, row.connection),
    )
    yield Transact(lambda tx: absorb_page(tx, context, task, step, listing))


def absorb_page(tx: Tx, context: Context, task: Task, step: dict[str, Any], listing: Page) -> None:
    """Compare one page with the ledger in a handful of queries."""
    row, now, run_id = task.row, context.clock.now(), step["run"]
    records = {record.ref.id: record for record in listing.records}
    if step["kind"] == "full" and step["first"] and not records:
        stop = guard.emptied(0, links.count_sides(tx, row.connection))
        if stop is not None:
            runs.finish(tx, run_id, now, error=stop)
            work.finish(tx, row, task.owner, now)
            return
    hinted = hint_differences(tx, context, row.connection, row.entity, records, now)
    runs.progress(tx, run_id, cursor=listing.cursor, seen=len(records), hinted=hinted, now=now)
    last = not records if step["kind"] == "poll" else listing.cursor is None
    work.finish(tx, row, task.owner, now)
    if last:
        runs.finish(tx, run_id, now)
        return
    work.raise_(
        tx,
        kind="reconcile",
        key=row.key,
        connection=row.connection,
        entity=row.entity,
        lane="reconcile",
        due_at=now,
        now=now,
        payload={**step, "cursor": listing.cursor, "first": False},
    )


def hint_differences(
    tx: Tx, context: Context, connection: str, entity: str, records: dict[str, Record], now: datetime
) -> int:
    """Queue an observe for every row that is unknown, differs from its shadow, or whose link has work left undone."""
    known = links.sides_of(tx, connection, entity, list(records))
    loaded = links.load(tx, sorted({found[0] for found in known.values()}))
    hinted = 0
    for remote_id, record in records.items():
        link = loaded.get(known[remote_id][0]) if remote_id in known else None
        if not (worth_a_look(context, link, record) if link is not None else could_join(context, record)):
            continue
        hinted += 1
        work.raise_(
            tx,
            kind="observe",
            key=f"observe:{connection}:{entity}:{remote_id}",
            connection=connection,
            entity=entity,
            remote_id=remote_id,
            lane="reconcile",
            due_at=now,
            now=now,
        )
    return hinted


def could_join(context: Context, record: Record) -> bool:
    """Say whether a row that no link knows could get one: what is out of scope anyway costs no read."""
    ref = record.ref
    if not context.capabilities[ref.connection][ref.entity].originates:
        return False
    return record.partial or not out_of_scope(context.sync_of(ref.connection, ref.entity), ref, record)


def worth_a_look(context: Context, link: Link, record: Record) -> bool:
    """Say whether the row differs from what we know, or the link still owes some side a write (merge.md F9)."""
    side = link.sides[record.ref.connection]
    if side.tombstone or side.missing_since or differs(record, context.maps[side.connection][link.entity], side):
        return True
    owed = plans(context, link).values()
    return any(found.calls or (found.create and not found.create.missing) for found in owed)
