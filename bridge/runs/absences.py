"""Records that a complete listing lacks, and the doubts about them.

Absence alone proves nothing: observe reads each such record directly, and once more after the
settling time, in a later turn. And nothing is concluded from a listing that was interrupted, that a
system does not give whole, or that lacks so much that it is more likely broken than true.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.merge import guard
from bridge.engine.context import Context
from bridge.ledger import listings
from bridge.ledger.database import Tx
from bridge.ledger.run_records import RunRow
from bridge.runs.comparison import Difference


@dataclass(frozen=True, slots=True)
class AbsenceVerdict:
    """What may be concluded from a listing that came to its end."""

    stop: str = ""
    """Why the run ends badly: nothing is concluded."""
    not_judged: str = ""
    """Why absences were left aside, in a run that is otherwise well."""
    absent: int = 0
    """Records that the listing lacks and that are to be read one by one, also where the run ends
    badly."""


def weigh(
    tx: Tx, context: Context, run: RunRow, *, listed: int, broken: str, accept: bool
) -> AbsenceVerdict:
    """Return whether what the listing lacks may be looked into.

    `listed`: rows that it had. `broken`: why what it lacks proves nothing. `accept`: an admin
    vouches for it. Records first seen after the run began are not counted as missing.
    """
    connection, entity = run.connection, run.entity
    sync = context.sync_of(connection, entity)
    if sync is None:
        return AbsenceVerdict()
    if not context.capabilities[connection][entity].complete:
        return AbsenceVerdict(not_judged="this system's listings don't show everything")
    absent = listings.count_unseen(tx, connection, entity, run.id, run.started_at)
    # A listing that lacks nothing, as nearly every one, is judged without that longer count.
    known = listings.count_known(tx, connection, entity, run.started_at) if absent else 0
    # An empty listing is never believed by itself, however few records it lacks. A few are read:
    # if all turn out to be gone, the next run has nothing to doubt.
    if not accept and (stop := guard.emptied_source(listed, known, sync.guard)) is not None:
        few = guard.few_enough(known, sync.guard) and not broken
        stop = f"{stop}; if it is true: {command_to_accept(connection)}"
        return AbsenceVerdict(stop=stop, absent=absent if few else 0)
    if broken:
        return AbsenceVerdict(not_judged=broken)
    limit = max(sync.guard.minimum, int(known * sync.guard.share))
    if absent > limit and not accept:
        return AbsenceVerdict(
            stop=f"the listing lacks {absent} of {known} known records, "
            f"more than the {limit} believed at once "
            f"({sync.guard.share:.0%}, at least {sync.guard.minimum}): nothing was concluded; "
            "check the credentials, the project and its filters; "
            f"if it is true: {command_to_accept(connection)}"
        )
    return AbsenceVerdict(absent=absent)


def command_to_accept(connection: str) -> str:
    """Return the command that believes the listing."""
    return f"`bridge reconcile {connection} --full --accept-absences`"


def page_of_absent(tx: Tx, run: RunRow, after: int) -> tuple[list[Difference], int]:
    """Return some records that the run did not see, and the side id to go on after; 0: no more."""
    rows = listings.unseen(tx, run.connection, run.entity, run.id, run.started_at, after=after)
    absent = [Difference(row.remote_id, "absent", (), row.read_at) for row in rows]
    return absent, rows[-1].id if len(rows) >= listings.PAGE else 0
