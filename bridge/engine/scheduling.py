"""Choosing the work that a worker takes up next.

By lane, only for connections that may be called, and so that nothing starves.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bridge.core.model.syncs import Connection
from bridge.engine.context import Context
from bridge.engine.outcomes import SHUT
from bridge.ledger import connection_health, work
from bridge.ledger.connection_health import Health
from bridge.ledger.database import Tx
from bridge.ledger.fair_turns import Room
from bridge.ledger.work import WorkRow

MIN_RUNNING, MAX_RUNNING = 16, 128
"""The least and the most that `most_running` allows."""
AGED_EVERY_CLAIMS = 8
"""Every so many claims, one row of a lower lane that has waited too long goes first."""
MAX_LOAD = 4
"""Calls that wait or are under way for each place of a connection: with more, none is claimed,
unless they are through soon."""
MAX_LOAD_BELOW_LIVE = 2
"""The same for the lanes below live."""
SOON_SECONDS = 0.1
"""More may be under way than the vendors have places, if it is through within this time."""


def most_running(context: Context, paces: Mapping[str, float]) -> int:
    """Return how many rows of work one drain has under way, when calls take so many seconds.

    It is enough for what the vendors take at once. What a slow vendor holds up does not count.
    """
    most = sum(most_load(MAX_LOAD, each, paces) for each in context.connections.values())
    return max(MIN_RUNNING, min(MAX_RUNNING, most))


def most_load(for_each_place: int, connection: Connection, paces: Mapping[str, float]) -> int:
    """Return how many calls to a connection may wait or be under way.

    They are more where the vendor is quick: each round of a drain costs a transaction, so the more
    are in one, the cheaper is each.
    """
    soon = SOON_SECONDS / paces.get(connection.name, math.inf)
    return int(connection.concurrency * max(for_each_place, soon))


def most_below_live(most: int) -> int:
    """Return how many of these may be of a lane below live: a long job never fills them all."""
    return most * 3 // 4


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a worker can still take up."""

    free: int
    below_live: int
    """Of these, for lanes below live."""
    load: Mapping[str, int]
    """Calls under way or waiting, by connection."""
    paces: Mapping[str, float] = field(default_factory=dict)
    """Seconds that a call takes, by connection, where that is known."""
    slow: frozenset[str] = frozenset()
    """Connections of which no more is taken up, for they hold up what was."""


@dataclass(frozen=True, slots=True)
class ClaimedWork:
    """A claimed row, and the lane in which its calls ask for the budget."""

    row: WorkRow
    lane: str
    probe: str = ""
    """The half-open connection that it is to try, if any."""


@dataclass(frozen=True, slots=True)
class ConnectionStates:
    """How the connections are, as far as it matters to who is to call them."""

    troubled: frozenset[str] = frozenset()
    """Connections with trouble on record. A good answer is recorded for these alone."""
    shut: frozenset[str] = frozenset()
    """Connections that only the probe may call."""


@dataclass(slots=True)
class ClaimedBatch:
    """What was claimed, and how the connections are."""

    states: ConnectionStates
    taken: list[ClaimedWork] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Crowding:
    """Connections that can take no more work, and those that can take none of a lane below live."""

    full: frozenset[str]
    full_below_live: frozenset[str]
    room: Mapping[str, Room]
    """What each has room for besides those calls that are under way or waiting."""


def claim_batch(
    tx: Tx,
    context: Context,
    owner: str,
    now: datetime,
    capacity: Capacity,
    claims: int,
    *,
    until: datetime | None = None,
    keys: Collection[str] = (),
) -> ClaimedBatch:
    """Claim what fits. `claims` counts how often this worker has claimed.

    `keys`, when not empty: claim no other work than this.

    Rows of a connection that is shut are left alone, but for one probe once its rest is over. Lanes
    below live never take all places: neither the worker's, nor what waits for one connection.
    """
    until = until or now + context.lease(context.connections)
    health = connection_health.by_name(tx)
    batch = ClaimedBatch(connection_states(health, now))
    crowding = crowded(context, capacity)
    skipped = sorted(batch.states.shut | crowding.full | capacity.slow)
    skipped_below_live = sorted(crowding.full_below_live)
    for name in sorted(health.keys() & context.connections.keys()):
        if health[name].half_open(now):
            batch.taken += _probe(tx, owner, now, until, name, keys)
    if claims % AGED_EVERY_CLAIMS == 0 and capacity.below_live > 0 and not keys:
        # It counts as live from here on, or a busy account would still keep it out.
        aged = work.claim_aged(tx, owner, now, until, sorted({*skipped, *skipped_below_live}))
        batch.taken += [ClaimedWork(row, "live") for row in aged]
    free = capacity.free - len(batch.taken)
    if free > 0:
        rows = work.claim(
            tx,
            owner,
            now,
            until,
            free,
            skip_connections=skipped,
            keys=keys,
            live_only=skipped_below_live,
            below_live=max(0, capacity.below_live),
            room=crowding.room,
            load=capacity.load,
        )
        batch.taken += [ClaimedWork(row, row.lane) for row in rows]
    return batch


def connection_states(health: Mapping[str, Health], now: datetime) -> ConnectionStates:
    """Return which connections are troubled, and which are shut."""
    states = {name: connection.state(now) for name, connection in health.items()}
    return ConnectionStates(
        troubled=frozenset(
            name for name, state in states.items() if state != "ok" or health[name].throttled
        ),
        shut=frozenset(name for name, state in states.items() if state in SHUT),
    )


def crowded(context: Context, capacity: Capacity) -> Crowding:
    """Return which connections have enough to do already."""
    full, full_below_live, room = set(), set(), {}
    for name, connection in context.connections.items():
        load = capacity.load.get(name, 0)
        below_live = most_load(MAX_LOAD_BELOW_LIVE, connection, capacity.paces)
        if load >= most_load(MAX_LOAD, connection, capacity.paces):
            full.add(name)
        if capacity.below_live <= 0 or load >= below_live:
            full_below_live.add(name)
        room[name] = Room(connection.concurrency - load, below_live - load)
    return Crowding(frozenset(full), frozenset(full_below_live), room)


def _probe(
    tx: Tx, owner: str, now: datetime, until: datetime, name: str, keys: Collection[str]
) -> list[ClaimedWork]:
    """Claim the one row that may try a half-open connection.

    Nothing if another worker tries it already, or no work for it is due.
    """
    if not connection_health.begin_probe(tx, name, now, until):
        return []
    rows = work.claim(tx, owner, now, until, 1, only=name, keys=keys)
    if not rows:
        connection_health.end_probe(tx, name)
    return [ClaimedWork(row, "live", name) for row in rows]
