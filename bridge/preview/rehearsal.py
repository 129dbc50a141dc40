"""A rehearsal: the whole flow on a copy of the ledger in memory, with connectors that take writes down unsent.

So a plan is made by the very code that writes, and says what that would do: call by call, also
those that follow from others. Answers to writes are made up: the record then reads as the call
expects it to.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from bridge.clock import Clock
from bridge.connectors.contract import Connector, Draft, Intent, Page, Record
from bridge.connectors.forwarding import ForwardingConnector
from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.model.syncs import Sync
from bridge.core.model.values import Marker, Raw, Ref
from bridge.engine.context import Context
from bridge.errors import Unsupported
from bridge.ledger import attempts, intents, links
from bridge.ledger.database import Ledger

SAID: Final = "\0said"
"""In a record's data: what its fields read as, because of writes that were only taken down."""
NEW: Final = "\0new"
"""In a record's data: it is not what a system answered."""
UNBORN: Final = "planned:"
"""Begins the made-up id of a record that would be made."""


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One call that would be made."""

    op: str
    """create, update or delete."""
    connection: str
    entity: str
    id: str
    """The record's; for a create, the records that it is made from."""
    verb: str = ""
    values: Mapping[str, Raw] = field(default_factory=dict)
    """What the call carries, by write key."""
    sent: Mapping[str, Raw] = field(default_factory=dict)
    before: Mapping[str, Raw] = field(default_factory=dict)
    destructive: int = 0


class RehearsedMap(EntityMap):
    """Reads what a call that was only taken down would have left."""

    __slots__ = ()

    def extract(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Give every mapped field, those that were written as they were written."""
        said = record.get(SAID) or {}
        return super().extract(record) | {
            name: raw for name, raw in said.items() if name in self.fields
        }


class RehearsalConnector(ForwardingConnector):
    """One connection in a rehearsal. Without a `real` one behind it, records are as the ledger knows them."""

    NAME = "rehearsal"

    def __init__(
        self,
        real: Connector,
        copy: Ledger,
        context: Context,
        writes: list[PlannedWrite],
        *,
        live: bool,
    ) -> None:
        super().__init__(real)
        self.copy, self.context, self.writes, self.live = copy, context, writes, live
        self.clock = context.clock
        self.calls: Counter[str] = Counter()
        self._said: dict[Ref, dict[str, Raw]] = {}
        self._rows: dict[Ref, Record] = {}
        self._gone: set[Ref] = set()
        self._made: dict[Ref, str] = {}

    def probe(self) -> dict[str, Any]:
        """Ask nobody."""
        return {}

    def ping(self) -> str:
        """Ask nobody."""
        return "rehearsed"

    def account_metrics(self) -> Mapping[str, float]:
        """Ask nobody."""
        return {}

    def perform_action(self, action: str, arguments: Mapping[str, str]) -> str:  # noqa: ARG002
        """Refuse: actions are an operator's, and no procedure performs one."""
        raise Unsupported(f"a rehearsal performs no action ({action})")

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Give records as they would read by now; one that was just listed whole is not asked for again."""
        found: dict[str, Record | None] = {}
        ask = []
        for remote_id in ids:
            ref = Ref(self.connection.name, entity, remote_id)
            if ref in self._gone:
                found[remote_id] = None
            elif ref in self._made:
                found[remote_id] = self._unborn(ref)
            elif not self.live:
                found[remote_id] = self._stored(ref)
            elif ref in self._rows:
                found[remote_id] = self._played(self._rows[ref])
            else:
                ask.append(remote_id)
        if ask:
            self.calls["read"] += 1
            for remote_id, record in self.real.read(entity, ask).items():
                found[remote_id] = None if record is None else self._played(record)
        return found

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """List what has changed, from the real system."""
        return self._page(lambda: self.real.changed(entity, cursor), cursor)

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything, from the real system."""
        return self._page(lambda: self.real.scan(entity, cursor), None)

    def find(self, intent: Intent) -> list[Record]:
        """Look for natural counterparts in the real system."""
        if not self.live:
            return []
        self.calls["find"] += 1
        return [
            self._played(record)
            for record in self.real.find(intent)
            if record.ref not in self._gone
        ]

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Take the call down, and answer as it expects."""
        with self.copy.read() as tx:
            link_id = links.of_refs(tx, [ref])[ref]
            attempt = links.load(tx, [link_id])[link_id].sides[ref.connection].attempt
            destroyed = int(attempts.history(tx, link_id)[-1]["destructive"])
        sent, before = (dict(attempt.sent), dict(attempt.before)) if attempt else ({}, {})
        self.writes.append(
            PlannedWrite(
                "update",
                ref.connection,
                ref.entity,
                ref.id,
                verb,
                dict(values),
                sent,
                before,
                destroyed,
            )
        )
        self.calls["update"] += 1
        self._said.setdefault(ref, {}).update(sent)
        return self.read(ref.entity, [ref.id])[ref.id]

    def create(self, draft: Draft) -> Record | None:
        """Take the call down, and answer with a record of a made-up id."""
        with self.copy.read() as tx:
            intent = intents.by_marker(tx, draft.marker)
            sides = (
                links.load(tx, [intent.link_id])[intent.link_id].live().values() if intent else ()
            )
            origin = ", ".join(sorted(f"{side.connection}:{side.remote_id}" for side in sides))
        ref = Ref(self.connection.name, draft.entity, f"{UNBORN}{draft.marker}")
        sent = dict(intent.draft["sent"]) if intent else {}
        self.writes.append(
            PlannedWrite("create", ref.connection, ref.entity, origin, "", dict(draft.values), sent)
        )
        self.calls["create"] += 1
        self._made[ref], self._said[ref] = draft.marker, self._defaults(draft.entity) | sent
        return self._unborn(ref)

    def delete(self, ref: Ref) -> None:
        """Take the call down."""
        self.writes.append(
            PlannedWrite("delete", ref.connection, ref.entity, ref.id, destructive=1)
        )
        self.calls["delete"] += 1
        self._gone.add(ref)

    def _defaults(self, entity: str) -> dict[str, Raw]:
        """Give what a new record reads as where nothing was said: as declared, else empty."""
        writable = self.context.capabilities[self.connection.name][entity].writable
        found: dict[str, Raw] = {}
        for name, mapped in self.context.maps[self.connection.name][entity].fields.items():
            able = writable.get(mapped.write_key or "")
            if able is not None:
                empty: Raw = [] if mapped.is_set else None
                found[name] = empty if isinstance(able.default, Marker) else able.default
        return found

    def _page(self, fetch: Callable[[], Page], cursor: Any | None) -> Page:
        if not self.live:
            return Page([], cursor)
        self.calls["list"] += 1
        listing = fetch()
        self._rows |= {record.ref: record for record in listing.records if not record.partial}
        return replace(
            listing,
            records=[self._played(each) for each in listing.records if each.ref not in self._gone],
        )

    def _played(self, record: Record) -> Record:
        said = self._said.get(record.ref)
        fresh = replace(record, read_at=self.clock.now())
        return fresh if not said else replace(fresh, data={**record.data, SAID: said})

    def _unborn(self, ref: Ref) -> Record:
        data = {SAID: self._said.get(ref, {}), NEW: True}
        return Record(ref, data, self.clock.now(), marker=self._made[ref])

    def _stored(self, ref: Ref) -> Record | None:
        with self.copy.read() as tx:
            link_id = links.of_refs(tx, [ref]).get(ref)
            side = links.load(tx, [link_id])[link_id].sides.get(ref.connection) if link_id else None
        if side is None or side.tombstone or side.remote_id != ref.id:
            return None
        known = {
            n: entry.shadow
            for n, entry in side.fields.items()
            if not isinstance(entry.shadow, Marker)
        }
        return Record(ref, {SAID: known | self._said.get(ref, {}), NEW: True}, self.clock.now())


class FastForwardClock:
    """A clock that can be put forward: what waits in a rehearsal is waited for in no time."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.by = clock, timedelta(0)

    def now(self) -> datetime:
        """Give the time of the rehearsal."""
        return self.clock.now() + self.by

    def sleep(self, seconds: float) -> None:
        """Wait for real: somebody's budget does."""
        self.clock.sleep(seconds)

    def forward(self, to: datetime) -> None:
        """Go on from that time."""
        self.by += max(timedelta(0), to - self.now()) + timedelta(milliseconds=1)


class FreeBudget:
    """The budget of calls that nobody makes."""

    def acquire(self, *_asked: Any, **_named: Any) -> float:
        """Grant."""
        return 0.0

    def release(self, *_asked: Any) -> None:
        """Nothing is held."""

    def charge(self, *_asked: Any) -> None:
        """Nothing is held."""

    def hold_off(self, *_asked: Any) -> None:
        """Nothing is held."""


def rehearsal_context(context: Context, clock: Clock) -> Context:
    """Give the flow's context for a rehearsal: nothing is held as unsafe, for that is judged of the whole."""
    maps = {
        name: {
            each: RehearsedMap(mapped.entity, mapped.fields, mapped.version)
            for each, mapped in entities.items()
        }
        for name, entities in context.maps.items()
    }
    syncs = {name: _open(sync) for name, sync in context.syncs.items()}
    probes = {name: dict(known) for name, known in context.probes.items()}
    return replace(
        context,
        clock=clock,
        maps=maps,
        syncs=syncs,
        probes=probes,
        rng=random.Random(1),
        seen={},
        _rules={},
    )


def _open(sync: Sync) -> Sync:
    members = {
        name: replace(each, only=_only(each.only)) if each.only is not None else each
        for name, each in sync.members.items()
    }
    return replace(sync, members=members, guard=replace(sync.guard, lifted=True))


def _only(only: Callable[[Mapping[str, Any]], bool]) -> Callable[[Mapping[str, Any]], bool]:
    return lambda data: bool(data.get(NEW)) or only(data)
