"""Runs that fail: since when, how often in a row, and why; a run that works ends the row.

Nothing is kept beside the runs themselves. A run's `error` is why it ended badly or, while it is
under way, why its last try failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import and_, bindparam, func, select

from bridge.ledger import run_records
from bridge.ledger.database import Tx
from bridge.ledger.run_records import RunRow
from bridge.ledger.tables import run

RunKey = tuple[str, str, str]
"""What a run is of: its kind, connection and entity."""

NAMES: Final = {
    "full": "full comparison",
    "figures": "fetch of account metrics",
    "backfill": "import",
    "mapping": "change of the mappings",
}
"""What people call a kind of run, where that is another word."""


@dataclass(frozen=True, slots=True)
class FailingRun:
    """All failures since a run of this kind last worked."""

    kind: str
    connection: str
    entity: str
    since: datetime
    why: str
    ended: int
    """Runs in a row that ended badly; 0: the first one is still under way."""
    saw_nothing: bool
    """The last that ended had not listed a single row."""

    @property
    def name(self) -> str:
        """What people call this kind of run."""
        return NAMES.get(self.kind, self.kind)


def by_run(tx: Tx, newest: Mapping[RunKey, RunRow] | None = None) -> dict[RunKey, FailingRun]:
    """Return what fails. `newest`: as `run_records.newest` gives it, if that is at hand."""
    rows = run_records.newest(tx) if newest is None else newest
    failing: dict[RunKey, FailingRun] = {}
    for key, row in rows.items():
        # Most runs worked: they cost no query.
        if (row.error or row.finished_at is None) and (found := _failing(tx, key)) is not None:
            failing[key] = found
    return failing


def of(tx: Tx, kind: str, connection: str, entity: str) -> FailingRun | None:
    """Return how runs of one kind fail; None: they work."""
    return _failing(tx, (kind, connection, entity))


def _failing(tx: Tx, key: RunKey) -> FailingRun | None:
    kind, connection, entity = key
    of = {"of_kind": kind, "of_connection": connection, "of_entity": entity}
    count, since = tx.execute(_COUNT, of).one()
    if since is None:
        return None
    return FailingRun(
        kind=kind,
        connection=connection,
        entity=entity,
        since=since,
        why=tx.execute(_NEWEST, of).scalar_one(),
        ended=count,
        saw_nothing=tx.execute(_LAST_ENDED, of).scalar() == 0,
    )


_SAME = and_(
    run.c.kind == bindparam("of_kind"),
    run.c.connection == bindparam("of_connection"),
    run.c.entity == bindparam("of_entity"),
)
_ENDED = run.c.finished_at.is_not(None)
_WORKED = (
    select(run.c.id)
    .where(_SAME, _ENDED, run.c.error == "")
    .order_by(run.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_FAILED = and_(
    _SAME,
    run.c.error.not_in(("", run_records.PUT_BACK, run_records.STOPPED)),
    run.c.id > func.coalesce(_WORKED, 0),
)
# One that is under way has failed since it last made progress.
_AT = func.coalesce(run.c.finished_at, run.c.progress_at)
_COUNT = select(func.count(run.c.finished_at), func.min(_AT)).where(_FAILED)
_NEWEST = select(run.c.error).where(_FAILED).order_by(run.c.id.desc()).limit(1)
_LAST_ENDED = select(run.c.seen).where(_FAILED, _ENDED).order_by(run.c.id.desc()).limit(1)
