"""First sight of a record that belongs to no link yet: is it one we know? Rules F10 and F11.

What was read joins an existing link only by its keys, and its values are read again under that
link's lease. A link of its own is born with the values at once: nobody can have leased what did not
exist, so nothing newer can be known of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.connectors.contract import Record
from bridge.core.model.state import Link, Note, Side
from bridge.core.model.syncs import Sync
from bridge.core.model.values import Ref
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, read_record, transact
from bridge.flow import parents, people
from bridge.flow.commit import answer_webhooks, tell
from bridge.flow.match_keys import Key, customer_keys, match_keys, window
from bridge.flow.readings import merge_record
from bridge.flow.replan import plans, queue
from bridge.ledger import drift_findings, intents, links, matching, timeline, work
from bridge.ledger.database import Tx

WAIT = timedelta(seconds=1)
"""How long to leave a record that may be our own create in flight."""


def first_sight(context: Context, task: Task, ref: Ref, webhooks_upto: int) -> Procedure:
    """Read the record, then join it to the link that matches, or start one with it."""
    sync = context.sync_of(ref.connection, ref.entity)
    record: Record | None = None
    if sync is not None:
        record = yield from read_record(
            ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
        )
    yield from transact(lambda tx: place(tx, context, task, ref, sync, record, webhooks_upto))


def place(
    tx: Tx,
    context: Context,
    task: Task,
    ref: Ref,
    sync: Sync | None,
    record: Record | None,
    webhooks_upto: int,
) -> None:
    """Decide, in one transaction and under the locks of the record's match keys, where it belongs."""
    now = context.clock.now()
    refusal = out_of_scope(sync, ref, record)
    if sync is None or record is None or refusal:
        answer_webhooks(tx, ref, webhooks_upto, "out of scope" if record else "no-op", refusal, now)
        work.finish(tx, task.row, task.owner, now)
        return
    keys = match_keys(sync, context.maps[ref.connection][ref.entity].canonical(record.data))
    parent, orphan = parents.parent_of(tx, context, ref, record, now)
    matching.lock(tx, sync.name, sorted({digest for _rule, digest, _at in keys} | {f"ref:{ref}"}))
    if links.of_refs(tx, [ref]):
        work.reschedule(tx, task.row, task.owner, now, count=False)
        return
    if parent is None and orphan:
        if task.row.attempts < parents.max_lookups(context, ref):
            work.reschedule(tx, task.row, task.owner, now + WAIT * 2**task.row.attempts, orphan)
            return
        answer_webhooks(tx, ref, webhooks_upto, "out of scope", orphan, now)
        drift_findings.set_reason(tx, ref, f"not mirrored: {orphan}")
        work.finish(tx, task.row, task.owner, now)
        return
    if (record.marker and intents.is_open(tx, record.marker)) or intents.sibling_under_way(
        tx, ref.connection, ref.entity, parent
    ):
        work.reschedule(tx, task.row, task.owner, now + WAIT, count=False)
        return
    assign(tx, context, task, sync, record, keys, parent, webhooks_upto)


def assign(
    tx: Tx,
    context: Context,
    task: Task,
    sync: Sync,
    record: Record,
    keys: list[Key],
    parent: str | None,
    webhooks_upto: int,
) -> None:
    """Join the record to the one link that matches; where none does, start one."""
    now, ref = context.clock.now(), record.ref
    found, waiting = eligible(tx, sync, ref, keys)
    values = context.maps[ref.connection][ref.entity].canonical(record.data)
    known_by = [*keys, *customer_keys(values)]
    if waiting:
        work.reschedule(tx, task.row, task.owner, now + WAIT, count=False)
    elif not found and not context.capabilities[ref.connection][ref.entity].originates:
        why = f"{ref} is a copy of nothing that is mirrored"
        answer_webhooks(tx, ref, webhooks_upto, "out of scope", why, now)
        drift_findings.set_reason(tx, ref, f"not mirrored: {why}")
        work.finish(tx, task.row, task.owner, now)
    elif len(found) > 1:
        why = f"{ref} matches {len(found)} tickets equally well; join it to one of them: {', '.join(sorted(found))}"
        answer_webhooks(tx, ref, webhooks_upto, "quarantined", why, now)
        work.park(tx, task.row, task.owner, why, "ambiguous match", now)
    elif found:
        joined = found.pop()
        if join(tx, sync, ref, joined, known_by, now):
            parents.wake(tx, context, links.load(tx, [joined])[joined], ref.connection, now)
        work.reschedule(tx, task.row, task.owner, task.follow_up_due(now), count=False)
    elif now - record.read_at > context.lease(context.connections):
        work.reschedule(
            tx, task.row, task.owner, now, count=False
        )  # held up for longer than any lease: read it again
    else:
        bear(tx, context, task, sync, record, known_by, parent, webhooks_upto)


def bear(
    tx: Tx,
    context: Context,
    task: Task,
    sync: Sync,
    record: Record,
    keys: list[Key],
    parent: str | None,
    webhooks_upto: int,
) -> None:
    """Start a link with a record and what it shows, and plan what the other sides need."""
    now, ref = context.clock.now(), record.ref
    side = Side(connection=ref.connection, remote_id=ref.id)
    link = Link(
        context.fresh_id(), sync.name, ref.entity, sides={ref.connection: side}, parent_id=parent
    )
    people.learn(
        tx, context, ref.connection, record.people, now
    )  # before they are read as strangers
    found = merge_record(context, task.row, link, side, record)
    planned = plans(context, link)
    if not links.create(tx, link, now):
        work.reschedule(tx, task.row, task.owner, now, count=False)
        return
    work.finish(tx, task.row, task.owner, now)
    matching.add(tx, sync.name, link.id, ref.connection, keys)
    answer_webhooks(tx, ref, webhooks_upto, found.verdict, found.why, now)
    decided = queue(
        tx,
        context,
        link,
        planned,
        now,
        lane=task.row.lane,
        run_id=task.row.run_id,
        due=task.follow_up_due(now),
    )
    notes = [Note("linked", ref.connection, "", {"ref": str(ref)}), *found.notes, *decided]
    tell(tx, link, notes, now, disputed=False)
    people.note_strangers(tx, context, link, notes, now, payload=task.row.payload)


def out_of_scope(sync: Sync | None, ref: Ref, record: Record | None) -> str:
    """Say why a record is not mirrored; empty when it is."""
    if sync is None:
        return f"no sync mirrors {ref.entity}s of {ref.connection}"
    if record is None:
        return "there is no such record"
    only = sync.members[ref.connection].only
    return (
        f"outside `only` of {ref.connection} in {sync.name}"
        if only and not only(record.data)
        else ""
    )


def eligible(tx: Tx, sync: Sync, ref: Ref, keys: list[Key]) -> tuple[set[str], bool]:
    """Give the links that match and have no side on this connection, and whether one may be about to get it."""
    found: set[str] = set()
    for rule, digest, at in keys:
        found |= set(matching.find(tx, sync.name, rule, digest, at=at, within=window(sync, rule)))
    loaded = links.load(tx, sorted(found))
    waiting = any(ref.connection in link.intents for link in loaded.values())
    return {
        name
        for name, link in loaded.items()
        if ref.connection not in link.sides and not link.paused
    }, waiting


def join(tx: Tx, sync: Sync, ref: Ref, link_id: str, keys: list[Key], now: datetime) -> bool:
    """Add the record as a side of the link that matches.

    False, and nothing stored, when another worker has just linked the record, or given that link
    another one.
    """
    if not links.add_side(tx, link_id, Side(connection=ref.connection, remote_id=ref.id), now):
        return False
    timeline.add(tx, link_id, now, [Note("matched", ref.connection, "", {"ref": str(ref)})])
    matching.put(tx, sync.name, link_id, ref.connection, keys)
    return True
