"""Reconciliation: list what a system has, compare it with the ledger, and hint at whatever differs.

A row of a listing is never merged: it may have been fetched before a write of ours. It is only a
reason to look, so the same observe that a webhook causes does the rest. A run is one row of work in
the lowest lane but one; it fetches page after page and checkpoints every few of them, so that
memory stays flat and another worker can go on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

import orjson

from bridge.connectors.contract import Page, Record
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, call_vendor, transact
from bridge.errors import BridgeError
from bridge.flow import people
from bridge.ledger import drift_findings as findings
from bridge.ledger import run_records, work
from bridge.ledger.database import Tx
from bridge.ledger.run_records import RunRow
from bridge.runs import absences, comparison
from bridge.runs.comparison import Difference

KINDS: Final = ("poll", "full")
REPORT: Final = "report"
"""The kind of a run that only looks."""
CATALOGUES: Final = ("agent",)
"""Entities that no sync mirrors: a full run lists them for the people they show."""

AT_ONCE: Final = 10
"""Pages fetched by one call of the flow, where no rate is declared for the connection."""
BATCH: Final = 1000
"""Rows compared and checkpointed at once."""
EVERY = timedelta(seconds=1)
"""Rows wait no longer than this to be compared."""
TURN = timedelta(seconds=2)
"""After this long a run goes back to the end of its lane."""
INTERRUPTED = timedelta(minutes=10)
"""A listing that rested for longer than this no longer shows one state of affairs: absences in it mean nothing."""
MOST_PAGES: Final = 1_000_000
SAME_AGAIN: Final = 3
SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Step:
    """Where a run is: what its work row remembers from turn to turn."""

    run: str
    kind: str
    cursor: Any = None
    report: bool = False
    accept: bool = False
    """Believe a listing that lacks many records, because an admin said so."""
    first: bool = False
    """Nothing of the connection was ever listed before: what is new there was missed by nobody."""
    pages: int = 0
    at: str = ""
    """When it last made progress."""
    broken: str = ""
    """Why its absences mean nothing."""
    stuck: str = ""
    last: bool = False
    mark: tuple[str, str] = ("", "")
    """Digests of the cursor and of the ids of an earlier page: meeting them again is going round in circles."""
    lap: int = 0
    power: int = 1
    repeats: int = 0

    @classmethod
    def of(cls, payload: Mapping[str, Any] | None) -> Step:
        """Read what the work row remembers."""
        told = {name: value for name, value in (payload or {}).items() if name in cls.__slots__}
        return cls(**told | {"mark": tuple(told.get("mark") or ("", ""))})

    def turned(self, listing: Page, now: datetime) -> Step:
        """Take in a page: where to go on, whether it was the last, and whether the listing leads anywhere."""
        ended = listing.cursor is None or (self.kind == "poll" and not listing.records)
        pages, at = self.pages + 1, now.isoformat()
        # What ends a poll without a cursor gives no watermark: the old one stands.
        cursor = self.cursor if self.kind == "poll" and listing.cursor is None else listing.cursor
        step = replace(self, cursor=cursor, pages=pages, at=at, last=ended)
        if ended:
            return step
        met = _digest(listing.cursor), _digest(sorted(each.ref.id for each in listing.records))
        if met[0] in (self.mark[0], _digest(self.cursor)):
            return replace(
                step, stuck=f"the listing's cursor came back to where it was after {pages} pages"
            )
        again = self.repeats + (met[1] == self.mark[1] and bool(listing.records))
        if again >= SAME_AGAIN:
            return replace(
                step,
                stuck=f"the listing gives the same page again and again ({pages} pages so far)",
            )
        if pages >= MOST_PAGES:
            return replace(step, stuck=f"the listing has not ended after {pages} pages")
        if self.lap + 1 < self.power:
            return replace(step, lap=self.lap + 1, repeats=again)
        return replace(step, lap=0, power=2 * self.power, mark=met, repeats=0)


@dataclass(slots=True)
class _Batch:
    """Rows that wait to be compared."""

    step: Step
    rows: dict[str, Record] = field(default_factory=dict)
    seen: int = 0
    rest: bool = False

    @property
    def ended(self) -> bool:
        """Tell whether no page follows."""
        return self.step.last or bool(self.step.stuck)

    def take(self, listing: Page, now: datetime) -> None:
        """Add a page."""
        self.step = self.step.turned(listing, now)
        self.rows |= {record.ref.id: record for record in listing.records}
        self.seen += len(listing.records)


def entities(context: Context, connection: str, kind: str) -> list[str]:
    """Give what a run of this kind lists on a connection: what is mirrored, and in a full one the catalogues."""
    mirrored = [sync.entity for sync in context.syncs.values() if connection in sync.members]
    if kind != "full" or not mirrored:
        return mirrored
    has = context.capabilities.get(connection, {})
    return mirrored + [name for name in CATALOGUES if name in has and name not in mirrored]


def start(
    tx: Tx,
    connection: str,
    entity: str,
    kind: str,
    now: datetime,
    *,
    due: datetime | None = None,
    report: bool = False,
    accept: bool = False,
) -> str | None:
    """Begin a run unless one of its kind is under way; give its id, or None.

    `report`: only look. `accept`: believe the listing however much it lacks.
    """
    findings.mark_healed(tx)
    named = REPORT if report else kind
    run_id = run_records.begin(
        tx, kind=named, connection=connection, entity=entity, due=due or now, now=now
    )
    if run_id is None:
        return None
    mark = run_records.watermark(tx, connection, entity)
    step = Step(
        run_id,
        kind,
        mark if kind == "poll" else None,
        report=report,
        accept=accept,
        first=mark is None,
    )
    work.enqueue(
        tx,
        kind="reconcile",
        key=f"reconcile:{run_id}",
        connection=connection,
        entity=entity,
        lane="reconcile",
        due_at=now,
        now=now,
        payload=asdict(step),
    )
    return run_id


def list_and_compare(context: Context, task: Task) -> Procedure:
    """Fetch pages, hint at what differs, checkpoint; until the listing ends, or its turn is over."""
    row = task.row
    batch = _Batch(_resumed(Step.of(row.payload), context.clock.now()))
    checkpoint, began = batch.step, context.clock.now()
    flushed = began
    while True:
        try:
            yield from call_vendor(
                row.connection, _fetch(context, task, batch), task.deadline(context, row.connection)
            )
        except BridgeError:
            if batch.step is not checkpoint:
                yield from transact(
                    _absorbing(context, task, batch)
                )  # what was fetched before counts, rows or none
            raise
        now = context.clock.now()
        if not batch.ended and len(batch.rows) < BATCH and now - flushed < EVERY:
            continue
        batch.rest = now - began > TURN
        if not (yield from transact(_absorbing(context, task, batch))):
            return
        batch, checkpoint, flushed = _Batch(batch.step), batch.step, now


def absorb(tx: Tx, context: Context, task: Task, batch: _Batch) -> bool:
    """Compare the rows, hint, checkpoint; False when the run is over, for now or for good."""
    row, now, step = task.row, context.clock.now(), batch.step
    run = run_records.get(tx, step.run)
    if run is None or run.finished_at is not None:
        work.finish(tx, row, task.owner, now)
        return False
    if not run_records.extend_claim(
        tx, row, task.owner, asdict(step), now + context.lease(context.connections)
    ):
        return False  # our claim ran out, and another worker has gone on from the last checkpoint
    shown = [person for record in batch.rows.values() for person in record.people]
    if shown:
        people.learn(tx, context, row.connection, shown, now)
    figures = dict(run.figures)
    hinted = _compare(tx, context, task, batch, figures, now)
    error = step.stuck and f"{step.stuck}; stopped, the next full run lists everything"
    if step.last and not step.stuck:
        more, error = _conclude(tx, context, task, step, run, run.seen + batch.seen, figures)
        hinted += more
    figures["pages"] = step.pages
    run_records.progress(
        tx,
        step.run,
        cursor=step.cursor,
        seen=batch.seen,
        hinted=0 if step.report else hinted,
        now=now,
        figures=figures,
    )
    if step.last or step.stuck:
        if step.stuck:
            run_records.forget_cursor(tx, step.run)
        findings.explain(
            tx, step.run, webhooks=context.connections[row.connection].webhook is not None
        )
        run_records.finish(tx, step.run, now, error=error)
        work.finish(tx, row, task.owner, now)
        return False
    if batch.rest:
        work.reschedule(tx, row, task.owner, now, count=False, lane="reconcile")
        return False
    return True


def _compare(
    tx: Tx, context: Context, task: Task, batch: _Batch, figures: dict[str, Any], now: datetime
) -> int:
    row, step = task.row, batch.step
    if not batch.rows or context.sync_of(row.connection, row.entity) is None:
        return 0
    full = step.kind == "full"
    compared = comparison.compare(
        tx, context, row.connection, row.entity, batch.rows, full=full, now=now
    )
    comparison.keep(tx, compared, int(step.run) if full else 0)
    _add(figures, "unchanged", compared.unchanged)
    return _tell(
        tx, context, task, step, compared.findings, figures, now, batch.rows if full else None
    )


def _tell(
    tx: Tx,
    context: Context,
    task: Task,
    step: Step,
    found: list[Difference],
    figures: dict[str, Any],
    now: datetime,
    records: Mapping[str, Record] | None,
) -> int:
    """Write findings down and hint at them; a report keeps the first of them in the run itself."""
    row = task.row
    for each in found:
        _add(figures, each.kind, 1)
    rows = comparison.report(tx, row.connection, row.entity, found, first=step.first)
    if step.report:
        listed = figures.setdefault("found", [])
        listed += rows[: SHOWN - len(listed)]
        return len(found)
    spare = max(
        0,
        comparison.NEW_LISTED - (figures.get("new", 0) - sum(each.kind == "new" for each in found)),
    )
    rows = [each for each in rows if each["why"] != findings.WAITS]
    kept = [each for each in rows if each["kind"] != "new"] + [
        each for each in rows if each["kind"] == "new"
    ][:spare]
    findings.add(tx, [each | {"run_id": int(step.run), "found_at": now} for each in kept])
    comparison.hint(
        tx,
        context,
        row.connection,
        row.entity,
        [each.remote_id for each in found],
        now,
        records,
        int(step.run),
    )
    return len(found)


def _conclude(
    tx: Tx,
    context: Context,
    task: Task,
    step: Step,
    run: RunRow,
    listed: int,
    figures: dict[str, Any],
) -> tuple[int, str]:
    """Look for what a full listing lacks; gives how many there were, and why the run must stop instead."""
    if step.kind != "full":
        return 0, ""
    row, number, since = task.row, int(step.run), run.started_at
    verdict = absences.weigh(
        tx,
        context,
        row.connection,
        row.entity,
        number,
        listed=listed,
        since=since,
        broken=step.broken,
        accept=step.accept,
    )
    if verdict.not_judged:
        figures["absences"] = f"not judged: {verdict.not_judged}"
    if verdict.stop or not verdict.absent:
        return 0, verdict.stop
    after = total = 0
    now = context.clock.now()
    while True:
        found, after = absences.missing(tx, row.connection, row.entity, number, since, after)
        total += _tell(tx, context, task, step, found, figures, now, None)
        if not after:
            return total, ""


def _resumed(step: Step, now: datetime) -> Step:
    last = datetime.fromisoformat(step.at) if step.at else now
    if step.broken or step.cursor is None or now - last <= INTERRUPTED:
        return step
    rested = int((now - last).total_seconds() // 60)
    return replace(
        step, broken=f"the listing was interrupted for {rested} minutes; the next full run decides"
    )


def _fetch(context: Context, task: Task, batch: _Batch) -> Callable[[Any], None]:
    """Give a call that adds pages to the batch: one where each is counted against a declared rate, else several."""
    entity, deadline = task.row.entity, task.deadline(context, task.row.connection)
    most = 1 if context.connections[task.row.connection].rates else AT_ONCE

    def act(connector: Any) -> None:
        for _ in range(most):
            step = batch.step
            listing: Page = (connector.changed if step.kind == "poll" else connector.scan)(
                entity, step.cursor
            )
            now = context.clock.now()
            batch.take(listing, now)
            if batch.ended or len(batch.rows) >= BATCH or now >= deadline:
                return

    return act


def _absorbing(context: Context, task: Task, batch: _Batch) -> Callable[[Tx], bool]:
    return lambda tx: absorb(tx, context, task, batch)


def _digest(value: Any) -> str:
    return blake2b(
        orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS), digest_size=12
    ).hexdigest()


def _add(figures: dict[str, Any], name: str, more: int) -> None:
    if more:
        figures[name] = figures.get(name, 0) + more
