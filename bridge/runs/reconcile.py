"""Reconciliation: list what a system has, compare it with the ledger, and look at what differs.

A row of a listing is never merged: it may have been fetched before a write of ours. It is only a
reason to look, so the same observe that a webhook causes does the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from bridge.connectors.contract import Record
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure
from bridge.ledger import drift_findings, failing_runs, parking, run_records, run_writes, work
from bridge.ledger.database import Tx
from bridge.ledger.run_records import RunFigures, RunRow
from bridge.runs import absences, comparison
from bridge.runs.comparison import Comparison, Difference
from bridge.runs.fingerprints import row_digest
from bridge.runs.listing_walk import (
    ListingJob,
    ListingProgress,
    PayloadPart,
    run_failed,
    walk_listing,
)

KINDS: Final = ("poll", "full")
REPORT: Final = "report"
"""The kind of a run that only looks."""
CATALOGUES: Final = ("agent",)
"""Entities that no sync mirrors: a full run lists them for the people they show."""

FORGET_WATERMARK_AFTER: Final = 3
"""Polls in a row that were refused before their first row: then the next one lists everything."""
MAX_REPORTED: Final = 200
"""Differences that a report keeps; the others are only counted."""
MAX_NEW_STORED: Final = 1000
"""Unknown records of one run that are stored one by one; the others are only counted."""


@dataclass(frozen=True, slots=True)
class ReconcileRequest(PayloadPart):
    """A reconciliation as it was asked for."""

    run: str
    """The id of the run; text in the rows of all versions."""
    kind: str
    report: bool = False
    """Only look."""
    accept: bool = False
    """Believe a listing that lacks many records, because an admin said so."""
    first: bool = False
    """Nothing of the connection was ever listed before: nobody missed what is new there."""


def entities(context: Context, connection: str, kind: str) -> list[str]:
    """Return what a run lists on a connection: what is mirrored; a full one the catalogues too."""
    mirrored = [sync.entity for sync in context.syncs.values() if connection in sync.members]
    if kind != "full" or not mirrored:
        return mirrored
    has = context.capabilities.get(connection, {})
    return mirrored + [name for name in CATALOGUES if name in has and name not in mirrored]


def work_key(run_id: int) -> str:
    """Return the key of the work of a run's listing."""
    return f"reconcile:{run_id}"


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
) -> int | None:
    """Begin a run and return its id, or None when one of its kind is under way.

    `report`: only look. `accept`: believe the listing however much it lacks.
    """
    # Nobody else marks regularly what was healed since earlier runs found it. And a new record that
    # was found before is only stored again once that finding is marked.
    drift_findings.mark_healed(tx)
    run_kind = REPORT if report else kind
    run_id = run_records.begin(
        tx, kind=run_kind, connection=connection, entity=entity, due=due or now, now=now
    )
    if run_id is None:
        return None
    if not report:  # a limit of an import holds back that one only
        run_writes.release_leftovers(tx, run_id, parking.CREATION_BUDGET, now)
    watermark = run_records.watermark(tx, connection, entity)
    request = ReconcileRequest(str(run_id), kind, report, accept, first=watermark is None)
    goes_on = kind == "poll" and not _is_refused(tx, connection, entity)
    progress = ListingProgress(cursor=watermark if goes_on else None)
    work.enqueue(
        tx,
        kind="reconcile",
        key=work_key(run_id),
        connection=connection,
        entity=entity,
        lane="reconcile",
        due_at=now,
        now=now,
        payload=asdict(request) | asdict(progress),
    )
    return run_id


def _is_refused(tx: Tx, connection: str, entity: str) -> bool:
    """Return whether the vendor takes the watermark no more, or so it seems: then all is listed."""
    failing = failing_runs.of(tx, "poll", connection, entity)
    return failing is not None and failing.saw_nothing and failing.ended >= FORGET_WATERMARK_AFTER


def start_all(
    tx: Tx,
    context: Context,
    connection: str,
    kind: str,
    *,
    report: bool = False,
    accept: bool = False,
) -> list[int]:
    """Begin a run of each entity of a connection, and return their ids."""
    now = context.clock.now()
    begun = [
        start(tx, connection, entity, kind, now, report=report, accept=accept)
        for entity in entities(context, connection, kind)
    ]
    return [run_id for run_id in begun if run_id is not None]


def start_syncs(tx: Tx, context: Context, names: Iterable[str]) -> list[int]:
    """Begin a full run of every member of these syncs; return the ids, also of those under way."""
    now, found = context.clock.now(), []
    for name in names:
        entity = context.syncs[name].entity
        for member in context.syncs[name].members:
            run_id = start(tx, member, entity, "full", now)
            if run_id is None:  # a command that was killed has left one, and it goes on
                run = run_records.last(tx, kind="full", connection=member, entity=entity)
                run_id = run.id if run is not None else None
            found.append(run_id)
    return [run_id for run_id in found if run_id is not None]


def list_and_compare(context: Context, task: Task) -> Procedure:
    """Walk through the listing and have every record looked at whose row differs."""
    request = ReconcileRequest.of(task.row.payload)
    yield from walk_listing(context, task, ReconcileJob(context, task, request))


def failed(tx: Tx, context: Context, task: Task, why: str, *, again: bool) -> bool:
    """Store why a reconciliation failed, and return whether it is tried again from where it is.

    One that comes after a failed one is tried once: its next page is then asked for when the next
    run is due, ever rarer. One that has got a page goes on as long as others would.
    """
    run = run_records.get(tx, int(ReconcileRequest.of(task.row.payload).run))
    if run is not None and not run.figures.get("pages"):
        failing = failing_runs.of(tx, run.kind, run.connection, run.entity)
        again = again and (failing is None or not failing.ended)
    return run_failed(tx, context, task, why, again=again)


@dataclass(frozen=True, slots=True)
class ReconcileJob(ListingJob[Comparison]):
    """A reconciliation under way: it compares the rows of a listing with the ledger."""

    context: Context
    task: Task
    request: ReconcileRequest
    after_stuck: ClassVar[str] = "stopped, the next full run lists everything"

    @property
    def run_id(self) -> int:
        """Return the id of the run."""
        return int(self.request.run)

    @property
    def poll(self) -> bool:
        """Return whether only what has changed is listed."""
        return self.request.kind == "poll"

    def payload(self) -> dict[str, Any]:
        """Return what was asked for."""
        return asdict(self.request)

    def look_at(
        self, tx: Tx, rows: Mapping[str, Record], digests: Mapping[str, str | None]
    ) -> Comparison:
        """Compare rows with the ledger; a catalogue's are not compared."""
        connection, entity = self.task.row.connection, self.task.row.entity
        if not rows or self.context.sync_of(connection, entity) is None:
            return Comparison()
        now = self.context.clock.now()
        return comparison.compare(
            tx, self.context, connection, entity, rows, digests, full=not self.poll, now=now
        )

    def take_rows(
        self, tx: Tx, rows: Mapping[str, Record], found: Comparison, figures: RunFigures
    ) -> int:
        """Have those rows looked at that differ; a link that has moved since is compared again."""
        if not self.request.report:
            parking.free_shown(tx, [row.ref for row in rows.values()], self.context.clock.now())
        moved = comparison.moved_since(tx, self.task.row.connection, self.task.row.entity, found)
        compared = found.without(moved)
        if moved:
            again = {remote_id: rows[remote_id] for remote_id in rows if remote_id in moved}
            digests = {remote_id: row_digest(record) for remote_id, record in again.items()}
            compared = compared.joined(self.look_at(tx, again, digests))
        # Only a full listing lists every record, so only there it counts which ones were seen.
        full = not self.poll
        comparison.store_sightings(tx, compared, self.run_id if full else 0)
        if compared.unchanged:
            figures["unchanged"] = figures.get("unchanged", 0) + compared.unchanged
        return self._act_on(tx, compared.differences, figures, rows if full else None)

    def conclude(
        self, tx: Tx, run: RunRow, progress: ListingProgress, listed: int, figures: RunFigures
    ) -> tuple[int, str]:
        """Look for what a full listing lacks, and explain what was found."""
        hinted, error = 0, ""
        if not self.poll and not progress.stuck:
            hinted, error = self._judge_absences(tx, run, progress, listed, figures)
        webhooks = self.context.connections[run.connection].webhook is not None
        drift_findings.explain(tx, run.id, webhooks=webhooks)
        return hinted, error

    def _judge_absences(
        self, tx: Tx, run: RunRow, progress: ListingProgress, listed: int, figures: RunFigures
    ) -> tuple[int, str]:
        """Have absent records looked at; how many they are, or why the run must end badly."""
        verdict = absences.weigh(
            tx,
            self.context,
            run,
            listed=listed,
            broken=progress.broken,
            accept=self.request.accept,
        )
        if verdict.not_judged:
            figures["absences"] = f"not judged: {verdict.not_judged}"
        if not verdict.absent:
            return 0, verdict.stop
        hinted = last_side = 0
        while True:
            absent, last_side = absences.page_of_absent(tx, run, last_side)
            hinted += self._act_on(tx, absent, figures)
            if not last_side:
                return hinted, verdict.stop

    def _act_on(
        self,
        tx: Tx,
        differences: list[Difference],
        figures: RunFigures,
        rows: Mapping[str, Record] | None = None,
    ) -> int:
        """Store differences and queue a look at each; a report keeps some in the run itself."""
        row, now = self.task.row, self.context.clock.now()
        new_before = figures.get("new", 0)
        drift = [each for each in differences if each.is_drift]
        for each in drift:
            figures[each.kind] = figures.get(each.kind, 0) + 1
        # Before the records are queued: afterwards each of them would be found waiting.
        findings = comparison.as_findings(
            tx, row.connection, row.entity, drift, first=self.request.first
        )
        if self.request.report:
            reported = figures.setdefault("found", [])
            reported += findings[: MAX_REPORTED - len(reported)]
            return 0
        stored = _worth_storing(findings, max(0, MAX_NEW_STORED - new_before))
        drift_findings.add(tx, [each | {"run_id": self.run_id, "found_at": now} for each in stored])
        comparison.queue_observes(
            tx,
            self.context,
            row.connection,
            row.entity,
            [each.remote_id for each in differences],
            now,
            rows,
            self.run_id,
        )
        return len(differences)


def _worth_storing(findings: list[dict[str, Any]], room_for_new: int) -> list[dict[str, Any]]:
    """Leave out what waits to be read anyway, and unknown records beyond the run's limit."""
    drifted = [each for each in findings if each["why"] != drift_findings.WAITS]
    known = [each for each in drifted if each["kind"] != "new"]
    new = [each for each in drifted if each["kind"] == "new"]
    return known + new[:room_for_new]
