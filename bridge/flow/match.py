"""First sight of a record that belongs to no link yet: rules F10 and F11.

It joins the link that its match keys find; its values are read again then, under that link's
lease. Where none matches, a link is started, with the values at once: nobody can have leased what
did not exist, so nothing newer can be known of it. Only where a link that matches has got another
record on this connection since, perhaps because this one is gone, is the record read anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import chain

from bridge.connectors.contract import Record
from bridge.core.merge.identity import (
    SAME,
    Judgement,
    Life,
    Sameness,
    judge,
    life_of_link,
    life_of_record,
)
from bridge.core.model.entities import BUILT_IN, STATUS
from bridge.core.model.state import Link, Note, Side
from bridge.core.model.syncs import Sync
from bridge.core.model.values import Canonical, Ref, Unreadable
from bridge.engine.context import Context, Task
from bridge.flow import catching_up, copies, parents, people, read_anew
from bridge.flow.commit import answer_webhooks, conclude_into, store_now, the_link
from bridge.flow.match_keys import customer_keys, match_keys, window
from bridge.flow.readings import merge_record
from bridge.flow.replan import WantedWork
from bridge.ledger import (
    drift_findings,
    hints,
    intents,
    links,
    matching,
    stray_copies,
    timeline,
    work,
)
from bridge.ledger.changes import Changes
from bridge.ledger.database import Tx
from bridge.ledger.matching import Key, LinkKeys
from bridge.ledger.new_links import NewLink
from bridge.ledger.webhook_inbox import Answered

AMBIGUOUS = "ambiguous match"
"""Cause of work that is parked until a human says which ticket a record belongs to."""
SHORT_WAIT = timedelta(seconds=1)
"""How long to leave a record that may be our own create in flight."""


def place(
    tx: Tx,
    context: Context,
    task: Task,
    ref: Ref,
    sync: Sync | None,
    record: Record | None,
    webhooks_upto: int,
) -> None:
    """Decide where the record belongs.

    That is in one transaction, and under the locks of its match keys (rule F11).
    """
    now = context.clock.now()
    refusal = out_of_scope(sync, ref, record)
    if sync is None or record is None or refusal:
        answer_webhooks(tx, ref, webhooks_upto, "out of scope" if record else "no-op", refusal, now)
        stray_copies.forget(tx, ref)
        drift_findings.forget(tx, ref)
        work.finish(tx, task.row, task.owner, now)
        return
    values = context.maps[ref.connection][ref.entity].canonical(record.data)
    keys = match_keys(sync, values, life_of(record, values).made)
    original = copies.original_of(tx, context, record)
    parent, orphan = parents.parent_of(tx, context, ref, record, now)
    digests = {digest for _rule, digest, _at in keys} | copies.lock_names(ref, original)
    matching.lock(tx, sync.name, sorted(digests | {f"ref:{ref}"}))
    if links.of_refs(tx, [ref]):  # another worker was faster: observe it under the lease
        work.reschedule(tx, task.row, task.owner, now, count=False)
        return
    if parent is None and orphan:
        if task.row.attempts < parents.max_lookups(context, ref):
            work.reschedule(
                tx, task.row, task.owner, now + SHORT_WAIT * 2**task.row.attempts, orphan
            )
            return
        leave_out(tx, task, ref, orphan, now, webhooks_upto)
        return
    if (record.marker and intents.is_open(tx, record.marker)) or intents.sibling_under_way(
        tx, ref.connection, ref.entity, parent
    ):
        work.reschedule(tx, task.row, task.owner, now + SHORT_WAIT, count=False)
        return
    if original and place_copy(tx, context, task, sync, record, original, keys, webhooks_upto):
        return
    join_or_start(tx, context, task, sync, record, keys, parent, webhooks_upto)


def place_copy(
    tx: Tx,
    context: Context,
    task: Task,
    sync: Sync,
    record: Record,
    original: str,
    keys: list[Key],
    webhooks_upto: int,
) -> bool:
    """Put a copy of ours that no link knows where it belongs; False: match rules decide."""
    now, ref = context.clock.now(), record.ref
    values = context.maps[ref.connection][ref.entity].canonical(record.data)
    known_by = [*keys, *customer_keys(values)]
    found = copies.place_of(tx, context, ref, original)
    if found is None:
        if any(eligible(tx, context, sync, record, keys, values)):
            return False
        why = copies.stray(tx, context, record, original, known_by, sync.name, now)
        if copies.may_still_come(tx, context, ref.connection):
            work.reschedule(tx, task.row, task.owner, now + copies.WAIT, why, count=False)
        elif context.capabilities[ref.connection][ref.entity].originates:
            set_aside(tx, task, ref, why, now, webhooks_upto)
        else:
            leave_out(tx, task, ref, why, now, webhooks_upto)
        return True
    stray_copies.forget(tx, ref)
    if found.why_not:
        stray_copies.put(tx, ref, original, now)  # it may be wanted yet: see observe.heir_of
        set_aside(tx, task, ref, found.why_not, now, webhooks_upto)
    elif found.is_known or found.link is None:
        work.finish(tx, task.row, task.owner, now)
    else:
        place_at(tx, context, task, sync, ref, found.link, known_by)
    return True


def place_at(
    tx: Tx, context: Context, task: Task, sync: Sync, ref: Ref, link: Link, keys: list[Key]
) -> None:
    """Join a copy to the link of its original, and have it read there."""
    now = context.clock.now()
    own_keys = keys if link.sync == sync.name else []
    if not join(tx, context.syncs[link.sync], ref, link.id, own_keys, now):
        work.reschedule(tx, task.row, task.owner, now + SHORT_WAIT, count=False)
        return
    parents.queue_children(tx, context, link, ref.connection, now)
    work.finish(tx, task.row, task.owner, now)
    # It may be there as another entity than it was listed as.
    hints.give(tx, Ref(ref.connection, link.entity, ref.id), now, lane=task.row.lane)


def set_aside(tx: Tx, task: Task, ref: Ref, why: str, now: datetime, webhooks_upto: int) -> None:
    """Park a record that an operator has to join to its ticket."""
    answer_webhooks(tx, ref, webhooks_upto, "quarantined", why, now)
    work.park(tx, task.row, task.owner, why, AMBIGUOUS, now)


def join_or_start(
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
    values = context.maps[ref.connection][ref.entity].canonical(record.data)
    life = life_of(record, values)
    matches, doubtful, waiting = eligible(tx, context, sync, record, keys, values)
    is_late = catching_up.is_late(tx, ref.connection, life.made)
    alike = copies.alike_keys(values, life.made, is_late=is_late)
    known_by = [*keys, *customer_keys(values), *alike]
    unread = unread_matches(tx, context, task, matches, life)
    if waiting:
        work.reschedule(tx, task.row, task.owner, now + SHORT_WAIT, count=False)
        return
    if unread:
        again_at = read_anew.wait_for(tx, context, task, chain(*unread.values()))
        if again_at is not None:
            work.reschedule(tx, task.row, task.owner, again_at, count=False)
            return
        matches -= unread.keys()
        doubtful |= {link_id: read_anew.why_unread(refs) for link_id, refs in unread.items()}
    if doubtful and not matches and not is_approved(task):
        why = in_doubt(str(ref), doubtful)
        set_aside(tx, task, ref, why, now, webhooks_upto)
    elif not matches and not context.capabilities[ref.connection][ref.entity].originates:
        why = f"{ref} is a copy of nothing that is mirrored"
        leave_out(tx, task, ref, why, now, webhooks_upto)
    elif len(matches) > 1:
        named = ", ".join(sorted(matches))
        why = f"{ref} matches {len(matches)} tickets equally well; join it to one of them: {named}"
        set_aside(tx, task, ref, why, now, webhooks_upto)
    elif matches:
        joined = matches.pop()
        if join(tx, sync, ref, joined, known_by, now):
            parents.queue_children(
                tx, context, context.load(tx, [joined])[joined], ref.connection, now
            )
        work.reschedule(tx, task.row, task.owner, task.follow_up_due(now), count=False)
    elif now - record.read_at > context.lease(context.connections):
        # Held up for longer than any lease: what was read may be old, so it is read again.
        work.reschedule(tx, task.row, task.owner, now, count=False)
    else:
        start_link(tx, context, task, sync, record, known_by, parent, webhooks_upto)


def leave_out(tx: Tx, task: Task, ref: Ref, why: str, now: datetime, webhooks_upto: int) -> None:
    """Finish the work for a record that is not mirrored, and say why wherever somebody may ask."""
    answer_webhooks(tx, ref, webhooks_upto, "out of scope", why, now)
    drift_findings.set_reason(tx, ref, f"not mirrored: {why}")
    work.finish(tx, task.row, task.owner, now)


def start_link(
    tx: Tx,
    context: Context,
    task: Task,
    sync: Sync,
    record: Record,
    keys: list[Key],
    parent: str | None,
    webhooks_upto: int,
) -> None:
    """Start a link of which it is certain that nothing else is the same, under its locks."""
    now, ref = context.clock.now(), record.ref
    # Before the merge: somebody who is not known yet would be merged as a stranger.
    people.learn(tx, context, ref.connection, record.people, now)
    to, _wanted = begin_link(context, task, sync, record, parent, webhooks_upto)
    link_keys = LinkKeys(sync.name, the_link(task).id, ref.connection, [*keys, copies.key_of(ref)])
    to.started = NewLink(the_link(task), link_keys)
    store_now(tx, task, to)
    task.link = None
    if to.left_out:
        work.reschedule(tx, task.row, task.owner, now, count=False)


def begin_link(
    context: Context,
    task: Task,
    sync: Sync,
    record: Record,
    parent: str | None,
    webhooks_upto: int,
) -> tuple[Changes, WantedWork]:
    """Give the task a new link with a record and what it shows, and plan what other sides need.

    Return the step that stores it, but for the link itself, and what the plan asks for.
    """
    now, ref = context.clock.now(), record.ref
    side = Side(connection=ref.connection, remote_id=ref.id)
    task.link = link = Link(
        context.fresh_id(), sync.name, ref.entity, sides={ref.connection: side}, parent_id=parent
    )
    reading = merge_record(context, task.row, link, side, record)
    to = Changes(now, task.owner)
    if webhooks_upto:
        to.answered.append(Answered(ref, webhooks_upto, reading.verdict, reading.why, now))
    linked = Note("linked", ref.connection, "", {"ref": str(ref)})
    return to, conclude_into(context, task, to, [linked, *reading.notes])


def out_of_scope(sync: Sync | None, ref: Ref, record: Record | None) -> str:
    """Return why a record is not mirrored; empty when it is."""
    if sync is None:
        return f"no sync mirrors {ref.entity}s of {ref.connection}"
    if record is None:
        return "there is no such record"
    only = sync.members[ref.connection].only
    if only and not only(record.data):
        return f"outside `only` of {ref.connection} in {sync.name}"
    return ""


def life_of(record: Record, values: Mapping[str, Canonical | Unreadable]) -> Life:
    """Return the life of a record, of which these are the canonical values."""
    return life_of_record(values, record.clocks, record.read_at, record.changed_before)


def sameness(
    tx: Tx,
    sync: Sync,
    link: Link,
    connection: str,
    values: Mapping[str, Canonical | Unreadable],
    life: Life,
) -> Judgement:
    """Return whether a ticket and a record of a connection that matches it are one.

    What has no status has no end either.
    """
    if STATUS not in BUILT_IN[sync.entity]:
        return SAME
    may_be_copy = copies.may_be_forgotten(tx, link, connection, values, life.made)
    return judge(life_of_link(link), life, sync.match_age, may_be_copy=may_be_copy)


def is_approved(task: Task) -> bool:
    """Return whether a human has said that the record is a ticket of its own."""
    return bool((task.row.payload or {}).get("approved"))


def in_doubt(what: str, doubtful: Mapping[str, str]) -> str:
    """Return the reason why nobody but a human can say whether a record is the same as others."""
    named = "; ".join(f"{other}: {why}" for other, why in sorted(doubtful.items()))
    return (
        f"{what} matches, but may be another request: {named}. If they are one, join them with "
        "`bridge link relink`; if not, `bridge parked retry ID --approve` makes it one of its own"
    )


def eligible(
    tx: Tx,
    context: Context,
    sync: Sync,
    record: Record,
    keys: list[Key],
    values: Mapping[str, Canonical | Unreadable],
) -> tuple[set[str], dict[str, str], bool]:
    """Return the links that are the same thing and have no side on this connection.

    Then those of which only a human can say so, with the reason; and whether to wait, and read the
    record anew: one of those that match may be about to get a side there, or its side there was
    read or made after this record was read.
    """
    connection, life = record.ref.connection, life_of(record, values)
    link_ids: set[str] = set()
    for rule, digest, at in keys:
        within = window(sync, rule)
        link_ids |= set(matching.find(tx, sync.name, rule, digest, at=at, within=within))
    loaded = context.load(tx, sorted(link_ids))
    free: set[str] = set()
    doubtful: dict[str, str] = {}
    for link_id, link in loaded.items():
        if connection in link.sides or link.paused:
            continue
        verdict, why = sameness(tx, sync, link, connection, values, life)
        if verdict is Sameness.SAME:
            free.add(link_id)
        elif verdict is Sameness.DOUBTFUL:
            doubtful[link_id] = why
    waiting = any(
        connection in link.intents or _is_older(record, link.sides.get(connection))
        for link in loaded.values()
    )
    return free, doubtful, waiting


def unread_matches(
    tx: Tx, context: Context, task: Task, link_ids: Iterable[str], life: Life
) -> dict[str, list[Ref]]:
    """Return the ones of these links of which too little is known yet, with what is to be read."""
    loaded = context.load(tx, sorted(link_ids))
    unread = {link.id: read_anew.unread(context, task, link, life) for link in loaded.values()}
    return {link_id: refs for link_id, refs in unread.items() if refs}


def _is_older(record: Record, side: Side | None) -> bool:
    """Return whether a record was read before what is known of another one on its connection."""
    return side is not None and side.read_at is not None and record.read_at < side.read_at


def join(tx: Tx, sync: Sync, ref: Ref, link_id: str, keys: list[Key], now: datetime) -> bool:
    """Add the record as a side of the link that matches.

    False, and nothing stored, when another worker has just linked the record, or given that link
    another one.
    """
    if not links.add_side(tx, link_id, Side(connection=ref.connection, remote_id=ref.id), now):
        return False
    matched = Note("matched", ref.connection, "", {"ref": str(ref)})
    timeline.add(tx, link_id, now, [matched])
    matching.put(tx, sync.name, link_id, ref.connection, [*keys, copies.key_of(ref)])
    stray_copies.forget(tx, ref)
    return True
