"""Create a counterpart exactly once.

No vendor takes idempotency keys. So as soon as the call may be made the intent is committed, with a
marker that the new record will carry, then the call is made, and where its fate is unknown the
record is looked up by the marker before anything is sent again. Records that match and are there
already are adopted (rules F10 and F11).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.connectors import left_out
from bridge.connectors.contract import Draft, Intent, Record
from bridge.core.merge.created_records import absorb_created
from bridge.core.model.capabilities import Support, creating
from bridge.core.model.counting import counted
from bridge.core.model.markers import Markers
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Link, Note, Side
from bridge.core.model.values import Raw, Ref
from bridge.core.planning.creation import CreatePlan
from bridge.engine.context import Context, Task
from bridge.engine.effects import (
    Procedure,
    Steps,
    await_grant,
    call_vendor,
    consult,
    search_vendor,
    transact,
)
from bridge.errors import (
    AlreadyExists,
    LeaseLost,
    NotFound,
    NotSent,
    RateLimited,
    Refused,
    Unauthorised,
    UnknownOutcome,
    Unsupported,
)
from bridge.flow import call_parts, copies, counterpart, parents, second_looks
from bridge.flow.commit import (
    changes,
    conclude,
    conclude_into,
    concluded,
    later,
    put_off,
    save,
    save_and_park,
    store_now,
    store_step,
    take_link,
    the_link,
)
from bridge.flow.counterpart import Prospect, ToBeMade
from bridge.flow.field_refusals import NO_SUCH_CALL, VALUE_STATUSES, park_refused_create
from bridge.flow.match import AMBIGUOUS, life_of
from bridge.flow.match_keys import customer_keys, match_keys
from bridge.flow.readings import observation
from bridge.flow.replan import fingerprint, plan_member
from bridge.ledger import intents, parking, probes, run_records, run_writes, work
from bridge.ledger.changes import Changes
from bridge.ledger.database import Tx
from bridge.ledger.intents import ClosedIntent, NewIntent, OpenIntent
from bridge.ledger.matching import LinkKeys
from bridge.ledger.new_links import AdoptedRecord

MAX_CREATES_SENT = 2
"""A create that was looked for and not found is sent once more; after that a human decides."""
NOT_OFFERED = NO_SUCH_CALL | {403, 404, 500}
"""Statuses that say so where nobody knew whether the system creates.

A 500 is a refusal only where a connector has seen that every create is answered so, a 403 only
where it is said of the action.
"""
BARE = "bare"
"""Key of a create's payload: it was refused, and is tried without what an update can bring."""


def create(context: Context, task: Task) -> Procedure:
    """Adopt a counterpart that is there on the row's connection, else make it once."""
    row = task.row
    if not (yield from take_link(context, task, str(row.link_id))):
        return
    link, connection = the_link(task), row.connection
    if (marker := link.intents.get(connection)) is not None:
        open_intent = yield from transact(lambda tx: intents.by_marker(tx, marker))
        if open_intent is not None:
            yield from look_up(context, task, open_intent)
        return
    to_be_made = ToBeMade(context, link, connection, row.lane, row.run_id)
    prospect = yield from consult(counterpart.prospects, to_be_made)
    if prospect.in_doubt and (
        yield from transact(lambda tx: counterpart.may_be_copied(tx, context, task))
    ):
        return
    planned = yield from wanted(context, task)
    if planned is None:
        return
    if prospect.search.needed and (yield from counterpart.already_there(context, task, planned)):
        return
    yield from await_grant(connection, task.deadline(context, connection))
    ready = yield from intend(context, task, planned, prospect)
    if ready is not None:
        yield from make(context, task, ready)


@dataclass(frozen=True, slots=True)
class OpenCreate:
    """A create whose intent is written down: to be sent by then, or never."""

    draft: Draft
    sent: dict[str, Raw]
    send_by: datetime


def intend(
    context: Context, task: Task, planned: CreatePlan, prospect: Prospect
) -> Steps[OpenCreate | None]:
    """Write the intent down, unless the lease was lost while we waited or looked for a counterpart.

    None when the record may not be made (any more); the work is parked or put off then.
    """
    to = changes(context, task)
    to.best_before = prospect.search.spared_until
    ready = write_down(context, task, to, task.row.connection, planned)

    def unless_spent(tx: Tx) -> bool:
        if creation_budget_spent(tx, context, task):
            return False
        store_now(tx, task, to, context.clock.now())
        return True

    if not prospect.is_limited:
        yield from store_step(task, to)
    elif not (yield from transact(unless_spent)):  # what was made is looked at, and locked
        return None
    if to.left_out:  # we waited for too long: a counterpart may have come meanwhile
        yield from put_off(context, task, context.clock.now())
        return None
    return ready


def write_down(
    context: Context, task: Task, to: Changes, connection: str, planned: CreatePlan
) -> OpenCreate:
    """Write a create's intent down in a step."""
    link, now = the_link(task), context.clock.now()
    ready = OpenCreate(
        Draft(link.entity, planned.values, marker=new_marker(context, link, connection)),
        planned.sent,
        now + timedelta(seconds=context.timing.send_within),
    )
    to.intended.append(
        NewIntent(
            link.id,
            connection,
            link.entity,
            ready.draft.marker,
            {"values": planned.values, "sent": planned.sent},
            ready.send_by,
            now,
            task.row.run_id,
            context.mapping_revision,
        )
    )
    return ready


def creation_budget_spent(tx: Tx, context: Context, task: Task) -> bool:
    """Park a create whose import has made all that it may; True if it did. The next run goes on.

    Asked in the transaction that writes the intent down, so that many at once never make one too
    many.
    """
    if task.row.run_id is None:
        return False
    run = run_records.get(tx, task.row.run_id)
    limit = run.figures.get("max_creates") if run is not None else None
    if run is None or limit is None:
        return False
    if run_writes.creates(tx, run.figures.get("import", [run.id])) < limit:
        return False
    why = (
        f"the import may make {counted(limit, 'record')} (`--limit`) and has; "
        "the next poll or `bridge backfill` makes this one"
    )
    work.park(tx, task.row, task.owner, why, parking.CREATION_BUDGET, context.clock.now())
    task.give_back(tx)
    return True


def new_marker(context: Context, link: Link, connection: str) -> str:
    """Return a marker that says of which record of the link the new one is a copy: its first."""
    first = next(iter(link.live().values()))
    original = Ref(first.connection, link.entity, first.remote_id)
    return Markers.of(context.connections[connection]).plant(original, context.fresh_id())


def wanted(context: Context, task: Task) -> Steps[CreatePlan | None]:
    """Plan the create from the ledger; conclude when there is none to make (any more)."""
    link, connection = the_link(task), task.row.connection
    plan = plan_member(context, link, connection)
    if plan.create is not None and not plan.create.missing:
        wanted_now = call_parts.create_without_refused(
            context, link, connection, plan.create, task.link_work
        )
        if (task.row.payload or {}).get(BARE):
            keys = set(wanted_now.values) - brought_later(context, link, connection, wanted_now)
            wanted_now = call_parts.cut_create(context, link, connection, wanted_now, keys)
        if not parents.belongs(context, connection, link.entity):
            return wanted_now
        placed = yield from transact(
            lambda tx: parents.placed(tx, context, link, connection, wanted_now)
        )
        if placed is not None:
            return placed
    yield from store_step(task, concluded(context, task, plan.notes))
    return None


def make(context: Context, task: Task, ready: OpenCreate) -> Procedure:
    """Send what was intended, and adopt the answer."""
    link, connection = the_link(task), task.row.connection
    draft, marker, send_by = ready.draft, ready.draft.marker, ready.send_by
    settling_time = context.settling_time(connection, link.entity)
    sent_at = context.clock.now()
    try:
        record = yield from call_vendor(
            connection, lambda c: c.create(draft), min(send_by, task.deadline(context, connection))
        )
    except (UnknownOutcome, AlreadyExists, NotFound) as error:
        why = str(error)
        at = send_by + settling_time
        yield from transact(lambda tx: look_up_later(tx, context, task, marker, why, at))
        return
    except (Refused, Unsupported) as error:
        denied = error
        yield from transact(lambda tx: refused(tx, context, task, draft, denied))
        return
    except (NotSent, RateLimited, Unauthorised, LeaseLost):  # nothing was sent
        yield from transact(
            lambda tx: intents.close(tx, marker, "not sent", None, context.clock.now())
        )
        raise
    if record is None:
        at, why = sent_at + settling_time, "the answer did not show the record"
        yield from transact(lambda tx: look_up_later(tx, context, task, marker, why, at))
        return
    yield from adopt(context, task, marker, ready.sent, record)


def look_up(context: Context, task: Task, intent: OpenIntent) -> Procedure:
    """Find out what became of a create of unknown outcome.

    It is found by its marker and adopted. That it is not there counts once it must have been shown.
    """
    link, connection = the_link(task), task.row.connection
    settled = intent.send_by + context.settling_time(connection, link.entity)
    if context.clock.now() < settled:
        yield from transact(lambda tx: later(tx, task, settled))
        return
    lookup = Intent(Draft(link.entity, intent.draft["values"], intent.marker), intent.send_by)
    looked_at = context.clock.now()
    records = yield from search_vendor(
        connection, lambda c: left_out.find_made(c, lookup), task.deadline(context, connection)
    )
    # The one that was made first comes first.
    marked = sorted(records, key=lambda record: (len(record.ref.id), record.ref.id))
    if marked:
        yield from adopt(context, task, intent.marker, intent.draft["sent"], marked[0], found=True)
        return
    shown_by = intent.send_by + context.appearing_time(connection, link.entity)
    if looked_at < shown_by:
        yield from transact(lambda tx: later(tx, task, shown_by))
        return
    yield from transact(lambda tx: lost(tx, context, task, intent))


def lost(tx: Tx, context: Context, task: Task, intent: OpenIntent) -> None:
    """Deal with a create that did not happen: try once more, then count it as refused.

    Only what was sent counts as a try: that a worker died before it could send says nothing about
    the vendor.
    """
    now, link = context.clock.now(), the_link(task)
    intents.close(tx, intent.marker, "not found" if intent.unanswered else "not seen", None, now)
    link.intents.pop(intent.connection, None)
    if intents.failures(tx, link.id, intent.connection) < MAX_CREATES_SENT:
        why = "a create was looked for and not found"
        save(tx, task, [Note("re-sent", intent.connection, "", {"why": why})], now)
        later(tx, task, now)
        return
    why = "two creates were answered with an error and nothing was found"
    give_up(tx, context, task, why, withdraws=is_uncertain(context, task), refused=False)


def refused(
    tx: Tx, context: Context, task: Task, draft: Draft, error: Refused | Unsupported
) -> None:
    """Deal with a system that will not create this.

    The fields that it names are parked, and it is made without them; where it names none, it is
    tried once with what cannot be brought later alone, so that an update finds the field.
    """
    now, link, connection = context.clock.now(), the_link(task), task.row.connection
    intents.close(tx, draft.marker, "refused", None, now)
    link.intents.pop(connection, None)
    if not isinstance(error, Refused) or error.status not in VALUE_STATUSES:
        give_up(tx, context, task, str(error), withdraws=says_never(context, task, error))
        return
    notes = park_refused_create(tx, context, task, draft.values, error)
    if notes is None:
        plan = CreatePlan(dict(draft.values), {}, {})
        bare = (task.row.payload or {}).get(BARE)
        if bare or not brought_later(context, link, connection, plan):
            give_up(tx, context, task, str(error), withdraws=False)
            return
        work.annotate(tx, task.row.key, {**(task.row.payload or {}), BARE: True})
    work.reschedule(tx, task.row, task.owner, now, str(error))
    save(tx, task, notes or [], now)
    task.give_back(tx)


def brought_later(context: Context, link: Link, connection: str, plan: CreatePlan) -> set[str]:
    """Return the keys of a new record that an update can bring once it is there."""
    writable = context.capabilities[connection][link.entity].writable
    fields = context.maps[connection][link.entity].fields.values()
    updated = {field_map.write_key for field_map in fields if field_map.on_update}
    return {
        key
        for key in plan.values
        if key in updated
        and not writable[key].required
        and writable[key].on_update is not Support.NO
    }


def is_uncertain(context: Context, task: Task) -> bool:
    """Return whether nobody knows yet that the connection makes such records."""
    link, connection = the_link(task), task.row.connection
    proven = context.probes.get(connection, {}).get(creating(link.entity))
    return context.syncs[link.sync].members[connection].create == Support.PROBED and not proven


def says_never(context: Context, task: Task, error: Refused | Unsupported) -> bool:
    """Return whether a refusal is about all such records; see `EntityCapabilities.creates`."""
    if isinstance(error, Refused) and error.status in NO_SUCH_CALL:
        return True
    named = isinstance(error, Unsupported) or error.status in NOT_OFFERED
    return named and is_uncertain(context, task)


def give_up(
    tx: Tx, context: Context, task: Task, why: str, *, withdraws: bool, refused: bool = True
) -> None:
    """Park a create that the system will not make.

    If it was `refused`, it waits until something else would be sent; else what failed may be well
    by the next reconciliation, which tries it again.

    With `withdraws`, the capability is withdrawn: then it is not carried, and so is every other
    create that was under way.
    """
    now, link, connection = context.clock.now(), the_link(task), task.row.connection
    detail = {"why": why, "code": Code.CREATE_REFUSED}
    note = Note("not carried", connection, "", detail)
    if withdraws:
        # Recorded each time: should the transaction be run again, only memory knows of the first.
        probes.record(tx, connection, creating(link.entity), False, why, now)
        context.probes.setdefault(connection, {})[creating(link.entity)] = False
        conclude(tx, context, task, [note])
        return
    plan = plan_member(context, link, connection).create
    if plan is not None and refused:
        sent = call_parts.create_without_refused(context, link, connection, plan, task.link_work)
        work.annotate(tx, task.row.key, {parking.REFUSED: fingerprint(sent)})
    save_and_park(tx, task, note, why, "create refused", now)


def look_up_later(
    tx: Tx, context: Context, task: Task, marker: str, why: str, at: datetime
) -> None:
    """Leave the intent open, and look the record up at that time."""
    intents.mark_unanswered(tx, marker)
    note = Note("unknown outcome", task.row.connection, "", {"why": why})
    save(tx, task, [note], context.clock.now())
    later(tx, task, at)


def adopt(
    context: Context,
    task: Task,
    marker: str,
    sent: dict[str, Raw],
    record: Record,
    *,
    found: bool = False,
) -> Procedure:
    """Make the record that we created a side of the link.

    The values that we sent are level; the vendor's defaults in the others are no edit (rule F12).
    """
    link, connection = the_link(task), task.row.connection
    sync = context.syncs[link.sync]
    link.intents.pop(connection, None)
    side = Side(connection=connection, remote_id=record.ref.id, handle=record.handle)
    link.sides[connection] = side
    entity_map = context.maps[connection][link.entity]
    obs = observation(record, entity_map, link.parent_id, own=not found)
    notes = absorb_created(link, obs, sent, context.rules(sync), found=found)
    values = entity_map.canonical(record.data)
    made = life_of(record, values).made
    keys = [*match_keys(sync, values, made), *customer_keys(values), copies.key_of(record.ref)]
    to = changes(context, task, ends=True)
    closed = ClosedIntent(marker, to.now, "created", record.ref.id)
    link_keys = LinkKeys(sync.name, link.id, connection, keys)
    to.adopted = AdoptedRecord(closed, link.id, link.entity, side, link_keys)
    if is_uncertain(context, task):
        context.probes.setdefault(connection, {})[creating(link.entity)] = True
        to.also.append(lambda tx: record_probe(tx, link, connection, to.now))
    if parents.may_be_followed(context, link, connection):
        to.also.append(lambda tx: parents.queue_children(tx, context, link, connection, to.now))
    detail = {"ref": str(record.ref)} | task.run_detail()
    conclude_into(context, task, to, [Note("created", connection, "", detail), *notes])
    to.raised += second_looks.second_look(link, record.ref, task.row, to.now)
    yield from store_step(task, to)
    if to.left_out:
        yield from transact(lambda tx: set_aside(tx, context, task, closed, record.ref))


def record_probe(tx: Tx, link: Link, connection: str, now: datetime) -> None:
    """Record that a connection makes such records."""
    probes.record(tx, connection, creating(link.entity), True, "a record was created", now)


def set_aside(tx: Tx, context: Context, task: Task, closed: ClosedIntent, made: Ref) -> None:
    """Park a create whose record belongs to another ticket by now; the link is as it was before."""
    now, link_id = context.clock.now(), the_link(task).id
    intents.close_all(tx, [closed])
    task.link = context.load(tx, [link_id])[link_id]
    why = f"{made} was made for this ticket but belongs to another; detach one of them"
    note = Note("ambiguous", task.row.connection, "", {"why": why})
    save_and_park(tx, task, note, why, AMBIGUOUS, now)
