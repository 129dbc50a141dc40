"""What a complete listing lacks. Absence alone proves nothing: each such record is read directly, twice, by observe.

Nothing is concluded from a listing that was interrupted, that a system does not give whole, or that
lacks so much that it is more likely broken than true.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bridge.core.merge import guard
from bridge.engine.context import Context
from bridge.ledger import listings
from bridge.ledger.database import Tx
from bridge.runs.comparison import Difference


@dataclass(frozen=True, slots=True)
class AbsenceVerdict:
    """What may be concluded from a listing that came to its end."""

    stop: str = ""
    """Why the run ends badly: nothing is concluded."""
    not_judged: str = ""
    """Why absences were left aside, in a run that is otherwise well."""
    absent: int = 0


def weigh(
    tx: Tx,
    context: Context,
    connection: str,
    entity: str,
    run_id: int,
    *,
    listed: int,
    since: datetime,
    broken: str,
    accept: bool,
) -> AbsenceVerdict:
    """Say whether what the listing lacks may be looked into. `since`: what became known later need not be in it."""
    sync = context.sync_of(connection, entity)
    if sync is None:
        return AbsenceVerdict()
    if not context.capabilities[connection][entity].complete:
        return AbsenceVerdict(not_judged="this system's listings don't show everything")
    known, absent = listings.count_unseen(tx, connection, entity, run_id, since)
    if not accept and (stop := guard.emptied_source(listed, known)) is not None:
        return AbsenceVerdict(stop=f"{stop}; if it is true: {way_on(connection)}")
    if broken:
        return AbsenceVerdict(not_judged=broken)
    limit = max(sync.guard.minimum, int(known * sync.guard.share))
    if absent > limit and not accept:
        return AbsenceVerdict(
            stop=f"the listing lacks {absent} of {known} known records, more than the {limit} believed at once "
            f"({sync.guard.share:.0%}, at least {sync.guard.minimum}): nothing was concluded; check the credentials, "
            f"the project and its filters; if it is true: {way_on(connection)}",
            absent=absent,
        )
    return AbsenceVerdict(absent=absent)


def way_on(connection: str) -> str:
    """Give the command that believes the listing."""
    return f"`bridge reconcile {connection} --full --accept-absences`"


def missing(
    tx: Tx, connection: str, entity: str, run_id: int, since: datetime, after: int
) -> tuple[list[Difference], int]:
    """Give some of the records that the run did not see, and the side id after which to go on; 0: these were all."""
    rows = listings.unseen(tx, connection, entity, run_id, since, after=after)
    found = [Difference(row.remote_id, "absent", (), row.read_at) for row in rows]
    return found, rows[-1].id if len(rows) >= listings.PAGE else 0
