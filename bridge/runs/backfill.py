"""The first import: list what a system has, and let each record that is not mirrored yet be matched, linked, created.

A page is only queued here. Matching, linking and creating is done by the same observe and create as
always, in the lowest lane; so a worker may be killed anywhere, and an import may be started again
whenever one likes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from bridge.connectors.contract import Connector, Page, Record
from bridge.core.model.capabilities import Support
from bridge.core.model.state import Link
from bridge.core.model.syncs import Sync
from bridge.core.model.values import Ref
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, call_vendor, transact
from bridge.flow import people
from bridge.flow.create import CREATION_BUDGET, MAX_CREATES
from bridge.ledger import hints, links, run_records, run_writes, work
from bridge.ledger.database import Tx
from bridge.runs.reconcile import TURN

KIND: Final = "backfill"
CARRIED: Final = "carried over"
"""In a run's figures: the pieces of work that earlier imports had left undone."""
FINE: Final = 1e-8
"""Work is taken by its time, oldest first. The order of records is put into fractions of a second of it."""


AGELESS: Final = timedelta(0)
LONGEST: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Step:
    """Where an import is: what its work row remembers."""

    run: str
    started: str
    cursor: Any = None
    since: str = ""
    newest_first: bool = False
    pages: int = 0

    @classmethod
    def of(cls, payload: Mapping[str, Any] | None) -> Step:
        """Read what the work row remembers."""
        return cls(
            **{name: value for name, value in (payload or {}).items() if name in cls.__slots__}
        )


def start(
    tx: Tx,
    connection: str,
    entity: str,
    now: datetime,
    *,
    since: datetime | None = None,
    newest_first: bool = False,
    max_creates: int | None = None,
) -> str | None:
    """Begin an import, or None while one is under way.

    It goes on with what earlier ones left undone.
    """
    run_id = run_records.begin(
        tx, kind=KIND, connection=connection, entity=entity, due=now, now=now
    )
    if run_id is None:
        return None
    figures = {} if max_creates is None else {MAX_CREATES: max_creates}
    figures[CARRIED] = run_writes.take_over_leftovers(tx, int(run_id), CREATION_BUDGET, now)
    run_records.progress(tx, run_id, cursor=None, seen=0, hinted=0, now=now, figures=figures)
    step = Step(run_id, now.isoformat(), None, since.isoformat() if since else "", newest_first)
    work.enqueue(
        tx,
        kind=KIND,
        key=f"reconcile:{run_id}",  # the name by which `runs.begin` knows that a run still has work
        connection=connection,
        entity=entity,
        lane="reconcile",
        due_at=now,
        now=now,
        payload=asdict(step),
    )
    return run_id


def list_and_queue(context: Context, task: Task) -> Procedure:
    """Fetch page after page until its turn is over, and queue what is on it; each page is checkpointed."""
    row, step = task.row, Step.of(task.row.payload)
    began = context.clock.now()
    while True:
        listing: Page = yield from call_vendor(
            row.connection, _fetch(row.entity, step), task.deadline(context, row.connection)
        )
        stuck = listing.cursor is not None and listing.cursor == step.cursor
        step = replace(step, cursor=listing.cursor, pages=step.pages + 1)
        rest = context.clock.now() - began > TURN
        if not (
            yield from transact(_absorbing(context, task, step, listing, stuck=stuck, rest=rest))
        ):
            return


def _fetch(entity: str, step: Step) -> Callable[[Connector], Page]:
    return lambda c: c.scan(entity, step.cursor)


def _absorbing(
    context: Context, task: Task, step: Step, listing: Page, *, stuck: bool, rest: bool
) -> Callable[[Tx], bool]:
    return lambda tx: absorb(tx, context, task, step, listing, stuck=stuck, rest=rest)


def absorb(
    tx: Tx,
    context: Context,
    task: Task,
    step: Step,
    listing: Page,
    *,
    stuck: bool = False,
    rest: bool = False,
) -> bool:
    """Queue a page's records and checkpoint.

    False when the listing is over, rests until its next turn, or another worker has taken it over.
    """
    row, now = task.row, context.clock.now()
    run = run_records.get(tx, step.run)
    if run is None or run.finished_at is not None:
        work.finish(tx, row, task.owner, now)
        return False
    if not run_records.extend_claim(
        tx, row, task.owner, asdict(step), now + context.lease(context.connections)
    ):
        return False
    shown = [person for record in listing.records for person in record.people]
    if shown:
        people.learn(tx, context, row.connection, shown, now)
    wanted = _wanted(tx, context, task, step, listing.records)
    for record in wanted:
        hints.give(
            tx, record.ref, now, lane=KIND, due_at=_turn(step, record, now), run_id=int(step.run)
        )
    figures = run.figures | {"pages": step.pages}
    run_records.progress(
        tx,
        step.run,
        cursor=step.cursor,
        seen=len(listing.records),
        hinted=len(wanted),
        now=now,
        figures=figures,
    )
    if step.cursor is None or stuck:
        why = (
            f"the listing gave the same page twice ({step.pages} pages so far); start the import again"
            if stuck
            else ""
        )
        run_records.finish(tx, step.run, now, error=why)
        work.finish(tx, row, task.owner, now)
        return False
    if rest:
        work.reschedule(tx, row, task.owner, now, count=False, lane="reconcile")
        return False
    return True


def _wanted(tx: Tx, context: Context, task: Task, step: Step, records: Any) -> list[Record]:
    """Give the records that are young enough, not mirrored everywhere yet, and not on their way to it already."""
    row = task.row
    sync = context.sync_of(row.connection, row.entity)
    if sync is None:
        return []
    since = datetime.fromisoformat(step.since) if step.since else None
    young = [
        each
        for each in records
        if since is None or each.changed_before is None or each.changed_before >= since
    ]
    known = links.of_refs(tx, [Ref(row.connection, row.entity, each.ref.id) for each in young])
    loaded = links.load(tx, sorted(set(known.values())))
    pending = work.pending(tx, "create", loaded)

    def wanted(link: Link) -> bool:
        if not all(side.fields or side.tombstone for side in link.sides.values()):
            return True  # not read yet
        return link.id not in pending and not _complete(context, sync, link)

    return [each for each in young if each.ref not in known or wanted(loaded[known[each.ref]])]


def _complete(context: Context, sync: Sync, link: Link) -> bool:
    """Tell whether a link has a record wherever one could be made."""
    return all(
        name in link.sides
        or Support.NO in (member.create, context.capabilities[name][link.entity].creates)
        for name, member in sync.members.items()
    )


def _turn(step: Step, record: Record, now: datetime) -> datetime:
    """Give a time a few seconds before the run, by the age of the record: ten years are three seconds of it."""
    started = datetime.fromisoformat(step.started)
    age = max(AGELESS, started - (record.changed_before or now)) * FINE
    return started - age if not step.newest_first else started - LONGEST + age
