"""An import: list what a system has, and let each record that is not mirrored yet be observed.

Rows are only queued here. Matching, linking and creating is done by the same observe and create as
always, in the lowest lane; so a worker may be killed anywhere, and an import may be started again
whenever one likes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from bridge.connectors.contract import Record
from bridge.core.model.state import Link
from bridge.core.model.syncs import Sync
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure
from bridge.flow import target_survey
from bridge.ledger import hints, links, run_records, run_writes, work
from bridge.ledger.database import Tx
from bridge.ledger.parking import CREATION_BUDGET
from bridge.ledger.run_records import RunFigures, RunRow
from bridge.runs.listing_walk import (
    ListingJob,
    ListingProgress,
    PayloadPart,
    walk_listing,
)

KIND: Final = "backfill"
SECONDS_PER_SECOND_OF_AGE: Final = 1e-8
"""Work is taken by its time, oldest first. The age of records is put into fractions of a second of
it: ten years are three seconds."""
MAX_AGE_SHIFT: Final = timedelta(seconds=30)
"""More than any record's age comes to, when the newest go first."""


@dataclass(frozen=True, slots=True)
class ImportRequest(PayloadPart):
    """An import as it was asked for."""

    run: str
    """The id of the run; text in the rows of all versions."""
    started: str
    since: str = ""
    """Leave out what has not changed since then; empty: take everything."""
    newest_first: bool = False


def start(
    tx: Tx,
    connection: str,
    entity: str,
    now: datetime,
    *,
    since: datetime | None = None,
    newest_first: bool = False,
) -> int | None:
    """Begin an import, or None while one is under way.

    It goes on with what earlier ones left undone.
    """
    run_id = run_records.begin(
        tx, kind=KIND, connection=connection, entity=entity, due=now, now=now
    )
    if run_id is None:
        return None
    carried_over = run_writes.take_over_leftovers(tx, run_id, CREATION_BUDGET, now)
    figures: RunFigures = {"carried over": carried_over}
    run_records.progress(tx, run_id, cursor=None, seen=0, hinted=0, now=now, figures=figures)
    oldest = since.isoformat() if since else ""
    request = ImportRequest(str(run_id), now.isoformat(), oldest, newest_first)
    work.enqueue(
        tx,
        kind=KIND,
        # By this key `run_records.begin` knows that a run still has work.
        key=f"reconcile:{run_id}",
        connection=connection,
        entity=entity,
        lane="reconcile",
        due_at=now,
        now=now,
        payload=asdict(request) | asdict(ListingProgress()),
    )
    return run_id


def limit(tx: Tx, run_ids: Collection[int], max_creates: int) -> None:
    """Let the runs of one import make at most so many records together."""
    for run_id in run_ids:
        if (run := run_records.get(tx, run_id)) is not None:
            figures: RunFigures = {"max_creates": max_creates, "import": sorted(run_ids)}
            run_records.set_figures(tx, run_id, run.figures | figures)


def list_and_queue(context: Context, task: Task) -> Procedure:
    """Walk through the listing and queue every record that is not mirrored yet."""
    request = ImportRequest.of(task.row.payload)
    yield from walk_listing(context, task, ImportJob(context, task, request))


@dataclass(frozen=True, slots=True)
class ImportJob(ListingJob[None]):
    """An import under way: it queues the rows of a listing."""

    context: Context
    task: Task
    request: ImportRequest
    after_stuck: ClassVar[str] = "start the import again"

    @property
    def run_id(self) -> int:
        """Return the id of the run."""
        return int(self.request.run)

    @property
    def poll(self) -> bool:
        """Return False: an import lists everything."""
        return False

    def payload(self) -> dict[str, Any]:
        """Return what was asked for."""
        return asdict(self.request)

    def begin(self, tx: Tx, rows: Mapping[str, Record]) -> None:
        """Begin the survey by which what the import makes there need not be searched for."""
        row, asked = self.task.row, datetime.fromisoformat(self.request.started)
        target_survey.begin(tx, self.context, row.connection, row.entity, rows.values(), asked)

    def look_at(
        self, tx: Tx, rows: Mapping[str, Record], digests: Mapping[str, str | None]
    ) -> None:
        """Do nothing: a few queries say what is to be imported."""

    def take_rows(
        self,
        tx: Tx,
        rows: Mapping[str, Record],
        found: None,  # noqa: ARG002
        figures: RunFigures,  # noqa: ARG002
    ) -> int:
        """Queue those that are to be imported, in the order that was asked for."""
        now, run_id = self.context.clock.now(), self.run_id
        wanted = self._wanted(tx, rows.values())
        observes = [
            hints.wanted(
                record.ref,
                now,
                lane=KIND,
                due_at=due_by_age(self.request, record, now),
                run_id=run_id,
                handle=record.handle,
            )
            for record in wanted
        ]
        work.enqueue_all(tx, observes)
        return len(wanted)

    def conclude(
        self,
        tx: Tx,
        run: RunRow,
        progress: ListingProgress,
        listed: int,  # noqa: ARG002
        figures: RunFigures,  # noqa: ARG002
    ) -> tuple[int, str]:
        """Complete the survey; what else a listing lacks is no matter of an import."""
        if not (progress.broken or progress.stuck):
            target_survey.complete(tx, run.connection, run.entity)
        return 0, ""

    def _wanted(self, tx: Tx, records: Iterable[Record]) -> list[Record]:
        """Return the records that are young enough and not mirrored everywhere, nor about to be."""
        context, row = self.context, self.task.row
        sync = context.sync_of(row.connection, row.entity)
        if sync is None:
            return []
        since = datetime.fromisoformat(self.request.since) if self.request.since else None
        young = [record for record in records if _is_young(record, since)]
        link_ids = links.of_refs(tx, [record.ref for record in young])
        loaded = context.load(tx, sorted(set(link_ids.values())))
        being_created = work.pending(tx, "create", loaded)
        # A link that was never read is queued again: an import that was killed may have made it.
        return [
            record
            for record in young
            if (link := loaded.get(link_ids.get(record.ref, ""))) is None
            or not _was_read(link)
            or not (link.id in being_created or _is_mirrored(context, sync, link))
        ]


def _is_young(record: Record, since: datetime | None) -> bool:
    return since is None or record.changed_before is None or record.changed_before >= since


def _was_read(link: Link) -> bool:
    return all(side.fields or side.tombstone for side in link.sides.values())


def _is_mirrored(context: Context, sync: Sync, link: Link) -> bool:
    """Return whether a link has a record wherever one could be made."""
    return all(name in link.sides or not context.makes(sync, name) for name in sync.members)


def due_by_age(request: ImportRequest, record: Record, now: datetime) -> datetime:
    """Return a time a few seconds before the run, so that records are taken by their age."""
    started = datetime.fromisoformat(request.started)
    age = max(timedelta(0), started - (record.changed_before or now))
    shift = age * SECONDS_PER_SECOND_OF_AGE
    return started - MAX_AGE_SHIFT + shift if request.newest_first else started - shift
