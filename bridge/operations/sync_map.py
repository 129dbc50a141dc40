"""The map: connections with two marks each, in step and healthy, and the syncs between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.core.model.capabilities import Support
from bridge.core.model.counting import counted
from bridge.core.model.syncs import FieldPolicy, Sync
from bridge.engine.context import Context
from bridge.operations.desk import Desk
from bridge.operations.status import NEVER_CALLED, ConnectionStatus, Overview


@dataclass(frozen=True, slots=True)
class MapPlace:
    """A connection on the map."""

    name: str
    system: str
    in_step: bool
    step: str
    """How far it is in step, in words."""
    health: str
    """As `ConnectionStatus` has it."""
    why: str
    records: int
    writes_last_minute: int

    @property
    def healthy(self) -> bool:
        """Whether its calls are answered."""
        return self.health == "ok"


@dataclass(frozen=True, slots=True)
class MapLine:
    """A connection's part in a sync."""

    sync: str
    connection: str
    gives: bool
    """Edits there travel to others."""
    takes: bool
    """It is written to."""


@dataclass(frozen=True, slots=True)
class SyncMap:
    """Everything on the map."""

    places: list[MapPlace]
    syncs: list[tuple[str, str]]
    """Name and entity."""
    lines: list[MapLine]


def sync_map(desk: Desk, shown: Overview) -> SyncMap:
    """Return the map as of an overview."""
    parked: Counter[str] = Counter()
    for group in shown.summary.parked:
        parked[group.connection] += group.count
    systems = {name: each.system for name, each in desk.config.connections.items()}
    return SyncMap(
        places=[
            _place(status, systems.get(status.connection, ""), parked[status.connection])
            for status in shown.connections
        ],
        syncs=[(sync.name, sync.entity) for sync in desk.config.syncs.values()],
        lines=[line for sync in desk.config.syncs.values() for line in _lines(desk.context, sync)],
    )


def first_looked_at(the_map: SyncMap, most: int) -> SyncMap:
    """Return a map of so many connections at the most: those in trouble, then the others."""
    if len(the_map.places) <= most:
        return the_map
    by_trouble = sorted(the_map.places, key=_in_trouble, reverse=True)
    kept = {place.name for place in by_trouble[:most]}
    lines = [line for line in the_map.lines if line.connection in kept]
    drawn = {line.sync for line in lines}
    return SyncMap(
        places=[place for place in the_map.places if place.name in kept],
        syncs=[sync for sync in the_map.syncs if sync[0] in drawn][:most],
        lines=lines,
    )


def _in_trouble(place: MapPlace) -> tuple[bool, bool]:
    never_called = place.health == NEVER_CALLED
    return not (place.healthy or never_called), not (place.in_step or never_called)


def _place(status: ConnectionStatus, system: str, parked: int) -> MapPlace:
    behind = [
        *([f"{_lag(status.lag)} behind"] if status.lag >= 1 else []),
        *([f"{counted(parked, 'piece')} set aside"] if parked else []),
    ]
    unknown = status.health == NEVER_CALLED
    return MapPlace(
        name=status.connection,
        system=system,
        in_step=not behind and not unknown,
        step=", ".join(behind) or ("not read yet" if unknown else "in step"),
        health=status.health,
        why=status.why,
        records=status.records,
        writes_last_minute=status.writes_last_minute,
    )


def _lag(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"


def _lines(context: Context, sync: Sync) -> Iterator[MapLine]:
    for name, member in sync.members.items():
        policies = [
            policy
            for field, policy in sync.policies.items()
            if field in _fields(context, name, sync.entity)
        ]
        can = context.capabilities.get(name, {}).get(sync.entity)
        writable = can is not None and bool(can.writable)
        yield MapLine(
            sync=sync.name,
            connection=name,
            gives=any(_gives(policy, name) for policy in policies),
            takes=member.create is not Support.NO
            or (writable and any(_takes(p, name) for p in policies)),
        )


def _fields(context: Context, name: str, entity: str) -> frozenset[str]:
    entity_map = context.maps.get(name, {}).get(entity)
    return frozenset() if entity_map is None else frozenset(entity_map.fields)


def _gives(policy: FieldPolicy, name: str) -> bool:
    return policy.policy != "owner" or policy.owner == name


def _takes(policy: FieldPolicy, name: str) -> bool:
    if policy.policy == "owner" and policy.owner == name:
        return False
    return policy.policy != "first" and (policy.to is None or name in policy.to)
