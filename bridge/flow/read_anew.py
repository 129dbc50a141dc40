"""Reading a ticket anew before a record joins it.

What the ledger knows of a ticket may be old: the webhook that tells of its end can be lost, or
late. A newer record that matches would then join what has ended. So the ticket has to have been
read since that record was made; where it was not, it is read first. An import pays nothing for
that: there both records were made long before either was read.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from bridge.core.merge.identity import Life, known_until, life_of_link
from bridge.core.model.entities import STATUS
from bridge.core.model.state import Link, Side
from bridge.core.model.values import Ref
from bridge.engine.context import Context, Task
from bridge.ledger import hints, work
from bridge.ledger.database import Tx

ASKED = "asked_to_read_at"
"""In the payload of work: when it asked for the readings that it waits for."""
MIN_WAIT, MAX_WAIT = timedelta(seconds=1), timedelta(minutes=5)
"""How long to wait for a reading: about as long again as it has taken, within these limits."""


def unread(context: Context, task: Task, link: Link, life: Life) -> list[Ref]:
    """Return the records of a ticket to be read before a record with that life may join it.

    They are those whose status was last read before that record was made; or before this work
    asked for a reading, if by our clock that was earlier.
    """
    until = known_until(life_of_link(link), life)
    if until is None:
        return []
    until = min(until, _asked_at(task) or context.clock.now())
    return [
        Ref(side.connection, link.entity, side.remote_id)
        for side in link.live().values()
        if _has_a_say(context, link, side) and not _is_known(side, until)
    ]


def wait_for(tx: Tx, context: Context, task: Task, refs: Iterable[Ref]) -> datetime | None:
    """Have records read, and return when to look again; None: nobody is about to read them.

    They are asked for once. Where a reading was set aside, or showed no status, waiting does not
    help, and only a human can tell.
    """
    now, asked_at, wanted = context.clock.now(), _asked_at(task), sorted(set(refs), key=str)
    payload = task.row.payload or {}
    if asked_at is None:
        for ref in wanted:
            hints.give(tx, ref, now, lane=task.row.lane, due_at=task.follow_up_due(now))
        work.annotate(tx, task.row.key, {**payload, ASKED: now.isoformat()})
        return now + MIN_WAIT
    if hints.are_open(tx, wanted):
        return now + min(max(now - asked_at, MIN_WAIT), MAX_WAIT)
    # Whoever retries this asks anew.
    work.annotate(tx, task.row.key, {name: payload[name] for name in payload if name != ASKED})
    return None


def why_unread(refs: Iterable[Ref]) -> str:
    """Return why nobody but a human can say whether a record is the same as a ticket."""
    named = ", ".join(str(ref) for ref in refs)
    return f"{named} could not be read since the newer one was made, so it may have ended before"


def _has_a_say(context: Context, link: Link, side: Side) -> bool:
    fields = context.maps[side.connection][link.entity].fields
    return STATUS in fields and side.in_scope and not side.detached


def _is_known(side: Side, until: datetime) -> bool:
    status = side.fields.get(STATUS)
    return status is not None and status.seen_at is not None and status.seen_at >= until


def _asked_at(task: Task) -> datetime | None:
    asked_at = (task.row.payload or {}).get(ASKED)
    return None if asked_at is None else datetime.fromisoformat(asked_at)
