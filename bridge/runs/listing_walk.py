"""The walk through a vendor's listing: page by page, and taken up where another worker stopped.

Reconciliations and imports both walk. A walk is one row of work: it fetches pages, hands their rows
to its job in batches, and stores with each batch how far it has come. So memory stays flat, a
killed worker costs the last batch at most, and after a turn other work of the lane comes first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

import orjson

from bridge.connectors import left_out
from bridge.connectors.contract import Connector, Page, Record
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, Steps, call_vendor, look, transact
from bridge.errors import BridgeError
from bridge.flow import people, target_survey
from bridge.ledger import paused_runs, run_records, work
from bridge.ledger.database import Tx
from bridge.ledger.run_records import RunFigures, RunRow
from bridge.runs.fingerprints import row_digest

Findings = TypeVar("Findings")
"""What a job finds out about rows before it writes anything."""

MAX_PAGES_PER_CALL: Final = 10
"""Pages that one call of the flow fetches, where no rate is declared for the connection."""
MAX_BATCH_ROWS: Final = 1000
MAX_BATCH_WAIT: Final = timedelta(seconds=1)
"""Rows wait no longer than this to be handed on."""
MAX_TURN: Final = timedelta(seconds=2)
"""After this long a walk goes back to the end of its lane."""
MAX_INTERRUPTION: Final = timedelta(minutes=10)
"""A listing interrupted for longer mixes different times: what it lacks proves nothing."""
MAX_PAGES: Final = 1_000_000
MAX_NAMED_ROWS: Final = 5
"""So many rows that were left out are named in the run's figures; the others are counted."""
NOT_WHOLE: Final = "the listing has rows that cannot be read, and any of them may be what it lacks"
MAX_SAME_PAGES: Final = 3
"""So often the same rows may come back before the listing is said to lead nowhere."""


@dataclass(frozen=True, slots=True)
class PayloadPart:
    """Part of a work row's payload. The names of the fields are its keys.

    Rows outlive versions of the bridge: what a renamed field held is lost.
    """

    @classmethod
    def of(cls, payload: Mapping[str, Any] | None) -> Self:
        """Return this part of a payload; keys of other parts and other versions are left aside."""
        names = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in (payload or {}).items() if name in names})


@dataclass(frozen=True, slots=True)
class ListingProgress(PayloadPart):
    """How far a walk has come: what its work row remembers from turn to turn."""

    cursor: Any = None
    pages: int = 0
    at: str = ""
    """When it last made progress."""
    broken: str = ""
    """Why absences in the listing mean nothing."""
    stuck: str = ""
    """Why the listing leads nowhere."""
    last: bool = False
    """The last page has come."""
    mark: Sequence[str] = ("", "")
    """Digests of the cursor and of the ids of an earlier page: meeting them again is a circle."""
    lap: int = 0
    """Pages since that one ..."""
    power: int = 1
    """... and how many there are to be before a later one takes its place."""
    repeats: int = 0

    @property
    def ended(self) -> bool:
        """Return whether no page follows."""
        return self.last or bool(self.stuck)

    def resumed(self, now: datetime) -> ListingProgress:
        """Return the progress with which a turn begins: one that comes late says so."""
        last_progress = datetime.fromisoformat(self.at) if self.at else now
        paused = now - last_progress
        if self.broken or self.cursor is None or paused <= MAX_INTERRUPTION:
            return self
        minutes = int(paused.total_seconds() // 60)
        broken = f"the listing was interrupted for {minutes} minutes; the next full run decides"
        return replace(self, broken=broken)

    def after(self, page: Page, now: datetime, *, poll: bool) -> ListingProgress:
        """Return the progress after one more page: where to go on, if anywhere."""
        last = page.cursor is None or (poll and not page.records)
        # A poll that ends without a cursor gives no watermark: the old one stands.
        cursor = self.cursor if poll and page.cursor is None else page.cursor
        progress = replace(self, cursor=cursor, pages=self.pages + 1, at=now.isoformat(), last=last)
        return progress if last else _watched(progress, page, _digest(self.cursor))


@dataclass(slots=True)
class Batch:
    """Rows that were fetched and not yet handed to the job."""

    progress: ListingProgress
    rows: dict[str, Record] = field(default_factory=dict)
    """By remote id."""
    digests: dict[str, str | None] = field(default_factory=dict)
    """Their digests (fingerprints.py), which are cheap while a page has just been read."""
    left_out: list[str] = field(default_factory=list)
    """Rows that show no record: where each was, and why."""
    seen: int = 0
    turn_over: bool = False

    def add(self, page: Page, now: datetime, left_out: Sequence[str], *, poll: bool) -> None:
        """Add a page, and what was left out of it."""
        self.progress = self.progress.after(page, now, poll=poll)
        if left_out:
            self.left_out += [f"page {self.progress.pages}, {where}" for where in left_out]
            self.progress = replace(self.progress, broken=NOT_WHOLE)
        for record in page.records:
            self.rows[record.ref.id] = record
            self.digests[record.ref.id] = row_digest(record)
        self.seen += len(page.records)


class ListingJob(ABC, Generic[Findings]):
    """One kind of run, as the walk sees it: it handles rows, and concludes when they have ended."""

    after_stuck: ClassVar[str]
    """Ends the error of a listing that leads nowhere: how it goes on."""

    @property
    @abstractmethod
    def run_id(self) -> int:
        """Return the id of the run."""

    @property
    @abstractmethod
    def poll(self) -> bool:
        """Return whether only what has changed is listed."""

    @abstractmethod
    def payload(self) -> dict[str, Any]:
        """Return what the work row remembers of the job itself, beside the progress."""

    def begin(self, tx: Tx, rows: Mapping[str, Record]) -> None:
        """Do what is to be done once, before the first rows of a listing are handled."""

    @abstractmethod
    def look_at(
        self, tx: Tx, rows: Mapping[str, Record], digests: Mapping[str, str | None]
    ) -> Findings:
        """Find out what is to be done about rows; writes nothing, and may take its time."""

    @abstractmethod
    def take_rows(
        self, tx: Tx, rows: Mapping[str, Record], found: Findings, figures: RunFigures
    ) -> int:
        """Handle rows by what was found out about them, as far as that still holds.

        Adds to the run's figures, and returns how many records were hinted at.
        """

    @abstractmethod
    def conclude(
        self, tx: Tx, run: RunRow, progress: ListingProgress, listed: int, figures: RunFigures
    ) -> tuple[int, str]:
        """Do what is left when the listing has ended: how many were hinted at, and what went wrong.

        `listed`: how many rows the run has seen in all.
        """


def walk_listing(context: Context, task: Task, job: ListingJob[Findings]) -> Procedure:
    """Fetch pages and hand them on in batches, until the listing ends or its turn is over."""
    row, turn_began = task.row, context.clock.now()
    progress = ListingProgress.of(row.payload).resumed(turn_began)
    batch, stored, stored_at = Batch(progress), progress, turn_began
    while True:
        try:
            yield from call_vendor(
                row.connection,
                _fetch(context, task, job, batch),
                task.deadline(context, row.connection),
            )
        except BridgeError:
            # The pages before the one that failed count, with rows or without.
            if batch.progress is not stored:
                yield from _hand_over(context, task, job, batch)
            raise
        now = context.clock.now()
        batch_full = len(batch.rows) >= MAX_BATCH_ROWS or now - stored_at >= MAX_BATCH_WAIT
        if not (batch.progress.ended or batch_full):
            continue
        batch.turn_over = now - turn_began > MAX_TURN
        if not (yield from _hand_over(context, task, job, batch)):
            return
        batch, stored, stored_at = Batch(batch.progress), batch.progress, now


def _fetch(
    context: Context, task: Task, job: ListingJob[Findings], batch: Batch
) -> Callable[[Connector], None]:
    """Return a call that adds pages to the batch: one where each counts against a declared rate."""
    connection, entity = task.row.connection, task.row.entity
    deadline = task.deadline(context, connection)
    max_pages = 1 if context.connections[connection].rates else MAX_PAGES_PER_CALL

    # The batch is filled while the call runs: pages that came before a failing one are not lost.
    def fetch(connector: Connector) -> None:
        for _ in range(max_pages):
            list_page = connector.changed if job.poll else connector.scan
            with left_out.collected() as rows:
                page = list_page(entity, batch.progress.cursor)
            now = context.clock.now()
            batch.add(page, now, rows, poll=job.poll)
            if batch.progress.ended or len(batch.rows) >= MAX_BATCH_ROWS or now >= deadline:
                return

    return fetch


def run_failed(tx: Tx, context: Context, task: Task, why: str, *, again: bool) -> bool:
    """Store why a try of a walk failed: it is tried again, or its run has ended for it."""
    run_id = int((task.row.payload or {})["run"])
    if again:
        run_records.note_failure(tx, run_id, why)
    else:
        run_records.finish(tx, run_id, context.clock.now(), error=why)
        work.finish(tx, task.row, task.owner, context.clock.now())
    return again


def _hand_over(
    context: Context, task: Task, job: ListingJob[Findings], batch: Batch
) -> Steps[bool]:
    """Let the job find out about a batch while others may write, then have it act on that."""
    found = yield from look(lambda tx: job.look_at(tx, batch.rows, batch.digests))
    return (yield from transact(lambda tx: hand_over(tx, context, task, job, batch, found)))


def hand_over(
    tx: Tx,
    context: Context,
    task: Task,
    job: ListingJob[Findings],
    batch: Batch,
    found: Findings,
) -> bool:
    """Hand a batch to the job and store how far it has come.

    Returns False when the walk is over, for now or for good, or another worker has taken it over.
    """
    row, now, progress = task.row, context.clock.now(), batch.progress
    run = run_records.get(tx, job.run_id)
    if run is None or run.finished_at is not None:
        work.finish(tx, row, task.owner, now)
        return False
    payload = job.payload() | asdict(progress)
    claimed_until = now + context.lease(context.connections)
    if not run_records.extend_claim(tx, row, task.owner, payload, claimed_until):
        return False  # our claim ran out, and another worker has gone on from the last checkpoint
    # Rows are not merged, but whom they show is known at once: the tickets may wait for them.
    shown = [person for record in batch.rows.values() for person in record.people]
    if shown:
        people.learn(tx, context, row.connection, shown, now)
    figures: RunFigures = {**run.figures, "pages": progress.pages}
    _note_left_out(figures, batch.left_out)
    if "pages" not in run.figures:
        job.begin(tx, batch.rows)
    target_survey.take_in(tx, context, row.connection, row.entity, batch.rows.values())
    hinted, error = job.take_rows(tx, batch.rows, found, figures), ""
    if progress.ended:
        more, error = job.conclude(tx, run, progress, run.seen + batch.seen, figures)
        hinted += more
    run_records.progress(
        tx,
        run.id,
        cursor=progress.cursor,
        seen=batch.seen,
        hinted=hinted,
        now=now,
        figures=figures,
    )
    if progress.ended:
        # Now, and not as the batch came in: what the job has queued meanwhile was found until then.
        _finish(tx, task, job, progress, error, context.clock.now())
        return False
    if run.paused_at is not None:
        paused_runs.hold(tx, row, task.owner, now)
        return False
    if batch.turn_over:
        work.reschedule(tx, row, task.owner, now, count=False, lane="reconcile")
        return False
    return True


def _finish(
    tx: Tx,
    task: Task,
    job: ListingJob[Findings],
    progress: ListingProgress,
    error: str,
    now: datetime,
) -> None:
    if progress.stuck:
        # No later poll may take a cursor that leads nowhere for its watermark.
        run_records.forget_cursor(tx, job.run_id)
        error = f"{progress.stuck}; {job.after_stuck}"
    run_records.finish(tx, job.run_id, now, error=error)
    work.finish(tx, task.row, task.owner, now)


def _note_left_out(figures: RunFigures, rows: Sequence[str]) -> None:
    """Add rows that were left out to the figures: how many, and the first by name."""
    if rows:
        figures["unreadable"] = figures.get("unreadable", 0) + len(rows)
        shown = figures.get("unreadable_rows", [])
        figures["unreadable_rows"] = [*shown, *rows][:MAX_NAMED_ROWS]


def _watched(progress: ListingProgress, page: Page, came_from: str) -> ListingProgress:
    """Return the progress after a page, as stuck if the page was met before.

    Each page is compared with one that was marked earlier. The mark moves on after 1, 2, 4, 8 …
    pages, so that a circle of any length is met, for the price of one digest (Brent's way).
    """
    cursor = _digest(page.cursor)
    ids = _digest(sorted(record.ref.id for record in page.records))
    marked_cursor, marked_ids = progress.mark
    if cursor in (marked_cursor, came_from):
        why = f"the listing's cursor came back to where it was after {progress.pages} pages"
        return replace(progress, stuck=why)
    repeats = progress.repeats + (ids == marked_ids and bool(page.records))
    if repeats >= MAX_SAME_PAGES:
        why = f"the listing gives the same page again and again ({progress.pages} pages so far)"
        return replace(progress, stuck=why)
    if progress.pages >= MAX_PAGES:
        return replace(progress, stuck=f"the listing has not ended after {progress.pages} pages")
    if progress.lap + 1 < progress.power:
        return replace(progress, lap=progress.lap + 1, repeats=repeats)
    return replace(progress, lap=0, power=2 * progress.power, mark=(cursor, ids), repeats=0)


def _digest(value: Any) -> str:
    text = orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS)
    return blake2b(text, digest_size=12).hexdigest()
