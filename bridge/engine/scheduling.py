"""What a worker takes up next: by lane, for connections that may be called, and so that nothing starves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bridge.engine.context import Context
from bridge.ledger import connection_health, work
from bridge.ledger.database import Tx
from bridge.ledger.work import WorkRow

AGED_EVERY_CLAIMS = 8
"""Every so many claims, one row of a lower lane that has waited too long goes first."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a worker can still take up."""

    free: int
    low: int
    """Of these, for lanes below live."""
    load: Mapping[str, int]
    """Calls under way or waiting, by connection."""


@dataclass(frozen=True, slots=True)
class ClaimedWork:
    """A claimed row, the lane in which its calls ask for the budget, and the connection that it is to try, if any."""

    row: WorkRow
    lane: str
    probe: str = ""


@dataclass(slots=True)
class ClaimedBatch:
    """What was claimed, and how the connections are."""

    taken: list[ClaimedWork] = field(default_factory=list)
    troubled: set[str] = field(default_factory=set)
    """Connections whose health has a blemish: only their good answers need to be written down."""
    shut: set[str] = field(default_factory=set)
    """Connections that may not be called, but by the one that probes."""


def claim_batch(
    tx: Tx,
    context: Context,
    owner: str,
    now: datetime,
    room: Capacity,
    turn: int,
    *,
    until: datetime | None = None,
) -> ClaimedBatch:
    """Claim what fits. Rows of a connection that is shut are left alone, but for one probe once its rest is over.

    Lanes below live never take all places: neither the worker's, nor what waits for one connection.
    """
    until = until or now + context.lease(context.connections)
    known = connection_health.by_name(tx)
    choice = ClaimedBatch(
        troubled={
            name for name, found in known.items() if found.throttled or found.state(now) != "ok"
        },
        shut={
            name
            for name, found in known.items()
            if found.state(now) in {"stopped", "paused", "trying"}
        },
    )
    places = {name: found.concurrency for name, found in context.connections.items()}
    full = {name for name in places if room.load.get(name, 0) >= 4 * places[name]}
    crowded = {
        name for name in places if room.low <= 0 or room.load.get(name, 0) >= 2 * places[name]
    }
    skipped = sorted(choice.shut | full)
    for name in sorted(
        name for name, found in known.items() if name in places and found.half_open(now)
    ):
        choice.taken += _probe(tx, owner, now, until, name)
    if turn % AGED_EVERY_CLAIMS == 0 and room.low > 0:
        # It counts as live from here on, or a busy account would still keep it out.
        aged = work.claim_aged(tx, owner, now, until, sorted({*skipped, *crowded}))
        choice.taken += [ClaimedWork(row, "live") for row in aged]
    free = room.free - len(choice.taken)
    if free > 0:
        low, spare = (
            max(0, room.low),
            {name: places[name] - room.load.get(name, 0) for name in places},
        )
        rows = work.claim(
            tx,
            owner,
            now,
            until,
            free,
            skip_connections=skipped,
            live_only=sorted(crowded),
            low=low,
            room=spare,
        )
        choice.taken += [ClaimedWork(row, row.lane) for row in rows]
    return choice


def _probe(tx: Tx, owner: str, now: datetime, until: datetime, name: str) -> list[ClaimedWork]:
    """Claim the one row that may try a half-open connection; nothing if another worker does, or none is due."""
    if not connection_health.begin_probe(tx, name, now, until):
        return []
    rows = work.claim(tx, owner, now, until, 1, only=name)
    if not rows:
        connection_health.end_probe(tx, name)
    return [ClaimedWork(row, "live", name) for row in rows]
