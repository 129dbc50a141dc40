"""The two things that procedures are handed: surroundings (`Context`) and work (`Task`).

Configuration, capabilities, time and chance come in here, and are imported nowhere.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from bridge.clock import Clock
from bridge.connectors.contract import Record
from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.mapping.unknown_fields import KnownParts, UnknownFields
from bridge.core.merge.case import Rules
from bridge.core.model.capabilities import EntityCapabilities, Support, Writable, longest_appearance
from bridge.core.model.entities import BUILT_IN, FieldTable
from bridge.core.model.state import Link, Side
from bridge.core.model.syncs import Connection, Member, Sync
from bridge.core.model.values import Ref
from bridge.ledger import conflict_log, links, taking
from bridge.ledger.database import Tx
from bridge.ledger.link_leases import Known
from bridge.ledger.taking import Asked, LinkWork, Taken
from bridge.ledger.work import WorkRow

MAPPING_REVISION: Final = "mapping revision"
"""The key of `Context.taken_in` under which the number of the mappings' revision stands."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take, in seconds.

    A lease outlives a send deadline, a whole HTTP call and a margin (rule F4).
    """

    send_within: float = 5.0
    margin: float = 5.0
    busy: float = 0.15
    """Another task holds the link: look again after about this."""

    def lease(self, http_timeout: float) -> timedelta:
        """Return the length of a lease: two calls fit into it.

        They are the read, and the write that is sent no later than `Context.send_by`.
        """
        return timedelta(seconds=2 * http_timeout + self.send_within + 2 * self.margin)


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of every procedure."""

    connections: Mapping[str, Connection]
    syncs: Mapping[str, Sync]
    maps: Mapping[str, Mapping[str, EntityMap]]
    capabilities: Mapping[str, Mapping[str, EntityCapabilities]]
    clock: Clock
    rng: random.Random = field(default_factory=random.Random)
    backoff: Mapping[str, float] = field(default_factory=dict)
    """By connection: seconds to wait after a 429 that names no time (`Connector.BACKOFF`)."""
    timing: Timing = Timing()
    probes: dict[str, dict[str, bool]] = field(default_factory=dict)
    """By connection: which uncertain capabilities turned out to work, as of the last claim."""
    directory: Mapping[str, AgentTable] = field(default_factory=dict)
    """By connection: who is who. It learns from records."""
    fields: FieldTable = field(default_factory=lambda: BUILT_IN)
    """The fields that there are: the built-in ones, and those that the files declare."""
    revision: str = ""
    """Names the files that all this was read from; empty: it is not known by which."""
    taken_in: dict[str, object] = field(default_factory=dict)
    """Shared knowledge -> its revision that this process has taken in."""
    paused_runs: set[int] = field(default_factory=set)
    """Runs that an admin has paused, as of the last claim."""
    unknown: UnknownFields = field(default_factory=UnknownFields)
    """What records showed that no file knows, as far as it is not stored yet."""
    _rules: dict[str, Rules] = field(default_factory=dict)

    @property
    def mapping_revision(self) -> int | None:
        """Return the number of the mappings' revision that all this is; None: it has none."""
        number = self.taken_in.get(MAPPING_REVISION)
        return number if isinstance(number, int) else None

    def sync_of(self, connection: str, entity: str) -> Sync | None:
        """Return the sync in which a connection mirrors an entity."""
        for sync in self.syncs.values():
            if sync.entity == entity and connection in sync.members:
                return sync
        return None

    def load(self, tx: Tx, ids: Collection[str]) -> dict[str, Link]:
        """Load whole links as these files see them."""
        loaded = links.load(tx, ids)
        for link in loaded.values():
            self.retire(link)
        return loaded

    def retire(self, link: Link) -> None:
        """Retire the sides of a link that no file names.

        All of them are, when its sync is not there (any more).
        """
        members = self.members(link)
        if not link.sides.keys() <= members.keys():
            link.retire_all_but(members)

    def members(self, link: Link) -> Mapping[str, Member]:
        """Return the members of a link's sync; none when the sync is not there (any more)."""
        sync = self.syncs.get(link.sync)
        return sync.members if sync is not None else {}

    def makes(self, sync: Sync, connection: str) -> bool:
        """Return whether sync and system let a counterpart be made, as far as is declared."""
        creates = self.capabilities[connection][sync.entity].creates
        return Support.NO not in (sync.members[connection].create, creates)

    def look_for_unknown(self, record: Record, side: Side | None = None) -> None:
        """Note what a record shows that neither the connector's document nor the mapping names.

        `side`: as it was merged, whose ignored values are noted as well.
        """
        connection, entity = record.ref.connection, record.ref.entity
        known = self.unknown.knows(connection, entity)
        if known is None:
            known = self.unknown.learn(connection, entity, self._known_names(connection, entity))
        of = (connection, entity, known)
        self.unknown.look(*of, record.ref.id, record.data, record.read_at)
        if side is not None and known.ignoring:
            self.unknown.look_at_ignored(entity, known, side, record.read_at)

    def _known_names(self, connection: str, entity: str) -> KnownParts:
        mapped = self.maps.get(connection, {}).get(entity)
        return KnownParts.of(self.capabilities[connection][entity], mapped, self.fields[entity])

    def rules(self, sync: Sync) -> Rules:
        """Return what the merge needs to know of a sync."""
        if sync.name not in self._rules:
            self._rules[sync.name] = self._make_rules(sync)
        return self._rules[sync.name]

    def _make_rules(self, sync: Sync) -> Rules:
        return Rules(
            sync=sync,
            maps={name: self.maps[name][sync.entity] for name in sync.members},
            writable={
                name: trusting_empty_sets(self.capabilities[name][sync.entity].writable)
                for name in sync.members
            },
        )

    def settling_time(self, connection: str, entity: str) -> timedelta:
        """Return how long after its deadline a write that no read shows counts as not happened."""
        return timedelta(seconds=self.capabilities[connection][entity].settle)

    def appearing_time(self, connection: str, entity: str) -> timedelta:
        """Return for how long a record that was just made there may not be shown."""
        seen = longest_appearance(entity, self.probes.get(connection, {}))
        return timedelta(seconds=max(self.capabilities[connection][entity].appears, seen))

    def lease(self, link_connections: Mapping[str, object]) -> timedelta:
        """Return the length of a lease over a link with these connections."""
        timeouts = [
            self.connections[name].timeout for name in link_connections if name in self.connections
        ]
        return self.timing.lease(max(timeouts, default=10.0))

    def send_by(self, connection: str) -> datetime:
        """Return the last moment for sending a write before which the record is read once more."""
        return self.clock.now() + timedelta(
            seconds=self.connections[connection].timeout + self.timing.send_within
        )

    def fresh_id(self) -> str:
        """Return an id that nothing else has."""
        return f"{self.rng.getrandbits(128):032x}"

    def soon(self) -> datetime:
        """Return when to look again at work whose link is busy: shortly, with jitter."""
        return self.clock.now() + timedelta(seconds=self.timing.busy * (0.5 + self.rng.random()))


def trusting_empty_sets(writable: Mapping[str, Writable]) -> dict[str, Writable]:
    """Mark every empty set as believable: where one is not, the connector says so on the record.

    It does so by `Record.unreadable`, which knows more than the declaration: the same system's
    empty set is to be believed on one record and not on another.
    """
    return {key: replace(able, empty_trusted=True) for key, able in writable.items()}


@dataclass(slots=True)
class Task:
    """One claimed work row under way, and the lease it holds, if any."""

    row: WorkRow
    owner: str
    """The claim's owner: the worker."""
    token: str
    """The lease's owner: this task alone, so that two tasks of a worker never share a link."""
    link: Link | None = None
    fence: int = 0
    """The lease's number, raised with each lease: who comes with an older one stores nothing."""
    until: datetime | None = None
    disputed: bool = False
    """The ledger knows of open conflicts of the link."""
    alone: bool = False
    """Nothing but this row is asked for: what follows from it is left to others."""
    writes: int = 0
    """Writes that were made under the lease."""
    known: Known = field(default_factory=dict)
    """What the ledger holds of the link."""
    link_work: Sequence[LinkWork] = ()
    """The link's work that is in the ledger."""

    def asks_for(self, context: Context, link_id: str = "", ref: Ref | None = None) -> Asked:
        """Return the question for a link's lease: by its id, or by a record of it."""
        return Asked(self.token, context.lease(context.connections), link_id, ref)

    def take(self, tx: Tx, context: Context, link_id: str) -> bool:
        """Lease the link and load it; False when somebody else holds it."""
        (taken,) = taking.take(tx, [self.asks_for(context, link_id)], context.clock.now())
        return self.hold(context, taken)

    def hold(self, context: Context, taken: Taken) -> bool:
        """Take over what was leased and loaded; False when somebody else holds it."""
        if taken.link is None:
            return False
        context.retire(taken.link)
        self.link, self.fence, self.until = taken.link, taken.fence, taken.until
        self.known, self.link_work = taken.known, taken.work
        self.disputed = conflict_log.disputed(taken.link)
        return True

    def look_at_work(self, tx: Tx) -> None:
        """See what work of the link is in the ledger now."""
        if self.link is not None:
            self.link_work = taking.of_links(tx, [self.link.id]).get(self.link.id, ())

    def follow_up_due(self, now: datetime) -> datetime:
        """Return when the work that follows from this is due.

        At once; but an import finishes one record before it reads the next.
        """
        return min(now, self.row.due_at or now) if self.row.lane == "backfill" else now

    def run_detail(self) -> dict[str, int]:
        """Return what a line of the timeline says of the run that asked for this, if one did.

        By it, `bridge undo` finds what the run wrote.
        """
        return {} if self.row.run_id is None else {"run": self.row.run_id}

    def deadline(self, context: Context, connection: str) -> datetime:
        """Return the last moment at which a call may start so that it ends within the lease."""
        if self.until is None:
            return context.clock.now() + timedelta(seconds=context.timing.send_within)
        return self.until - timedelta(
            seconds=context.connections[connection].timeout + context.timing.margin
        )

    def give_back(self, tx: Tx) -> None:
        """End the lease, if one is held."""
        if self.link is not None and self.fence:
            links.release(tx, self.link.id, self.token, self.fence)
            self.fence = 0
