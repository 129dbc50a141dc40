"""The connector of a rehearsal: it notes writes instead of sending them, and makes up answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Final

from bridge.connectors.contract import (
    Connector,
    Draft,
    Findings,
    Handles,
    Intent,
    Page,
    Record,
)
from bridge.connectors.forwarding import ForwardingConnector
from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.model.state import Link, SideField
from bridge.core.model.values import Marker, Raw, Ref
from bridge.core.planning.planned_write import MADE_UP_PREFIX, PlannedWrite, subject_of
from bridge.engine.context import Context
from bridge.errors import Unsupported
from bridge.ledger import attempts, intents, links
from bridge.ledger.database import Ledger

# Keys in a record's data that no vendor can send.
REHEARSED: Final = "\0rehearsed"
"""What the record's fields read as because of writes that were only noted, by canonical field."""
MADE_UP: Final = "\0made up"
"""The record is not what a system answered."""


class RehearsedMap(EntityMap):
    """A mapping that reads what a write would have left, had it been sent."""

    __slots__ = ()

    def extract(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return every mapped field; those that were written, as they were written."""
        rehearsed = record.get(REHEARSED) or {}
        return super().extract(record) | {
            name: raw for name, raw in rehearsed.items() if name in self.fields
        }


class RehearsalConnector(ForwardingConnector):
    """One connection in a rehearsal. Unless `live`, records are as the ledger knows them."""

    NAME: ClassVar[str] = "rehearsal"

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
        """Calls that carrying out the plan will cost, by kind."""
        self._rehearsed: dict[Ref, dict[str, Raw]] = {}
        """What was written to a record, by canonical field."""
        self._listed: dict[Ref, Record] = {}
        self._deleted: set[Ref] = set()
        self._markers: dict[Ref, str] = {}
        """The marker of each record that would be created."""

    def forget(self) -> None:
        """Forget what was written: the records that it was written to do not come again."""
        for known in (self._rehearsed, self._listed, self._deleted, self._markers):
            known.clear()

    def remember_in(self, handles: Handles, findings: Findings) -> None:
        """Leave the real one what it knows: the copy of the ledger ends with the rehearsal."""

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
        """Return records as they would read by now; only unknown ones are asked for."""
        records: dict[str, Record | None] = {}
        unknown = []
        for remote_id in ids:
            ref = Ref(self.connection.name, entity, remote_id)
            if ref in self._deleted:
                records[remote_id] = None
            elif ref in self._markers:
                records[remote_id] = self._made_up(ref)
            elif not self.live:
                records[remote_id] = self._from_ledger(ref)
            elif ref in self._listed:
                records[remote_id] = self._as_rehearsed(self._listed[ref])
            else:
                unknown.append(remote_id)
        if unknown:
            self.calls["read"] += 1
            for remote_id, record in self.real.read(entity, unknown).items():
                records[remote_id] = None if record is None else self._as_rehearsed(record)
        return records

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
        return self._without_deleted(self.real.find(intent))

    def made_since(self, entity: str, since: datetime) -> list[Record]:
        """List what was made since in the real system; without one, nothing follows from it."""
        if not self.live:
            raise Unsupported("a rehearsal without the systems lists nothing")
        self.calls["made_since"] += 1
        return self._without_deleted(list(self.real.made_since(entity, since)))

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Note the call, and answer as the attempt expects."""
        with self.copy.read() as tx:
            link_id = links.of_refs(tx, [ref])[ref]
            link = self.context.load(tx, [link_id])[link_id]
            attempt = link.sides[ref.connection].attempt
            destructive = int(attempts.history(tx, link_id)[-1]["destructive"])
        sent, before = (dict(attempt.sent), dict(attempt.before)) if attempt else ({}, {})
        self._note(
            PlannedWrite(
                "update",
                ref.connection,
                ref.entity,
                ref.id,
                verb,
                dict(values),
                sent,
                before,
                destructive,
                subject_of(link),
            )
        )
        self._rehearsed.setdefault(ref, {}).update(sent)
        return self.read(ref.entity, [ref.id])[ref.id]

    def create(self, draft: Draft) -> Record | None:
        """Note the call, and answer with a record of a made-up id."""
        ref = Ref(self.connection.name, draft.entity, f"{MADE_UP_PREFIX}{draft.marker}")
        origin, sent, subject = self._origin(draft)
        self._note(
            PlannedWrite(
                "create",
                ref.connection,
                ref.entity,
                origin,
                "",
                dict(draft.values),
                sent,
                subject=subject,
            )
        )
        self._markers[ref] = draft.marker
        self._rehearsed[ref] = self._defaults(draft.entity) | sent
        return self._made_up(ref)

    def delete(self, ref: Ref) -> None:
        """Note the call; the record is gone from now on."""
        link = self._link_of(ref)
        subject = subject_of(link) if link is not None else ""
        self._note(
            PlannedWrite(
                "delete", ref.connection, ref.entity, ref.id, destructive=1, subject=subject
            )
        )
        self._deleted.add(ref)

    def _note(self, write: PlannedWrite) -> None:
        self.writes.append(write)
        self.calls[write.op] += 1

    def _origin(self, draft: Draft) -> tuple[str, dict[str, Raw], str]:
        """Return the records that a draft is made from, its values by field, and the subject."""
        with self.copy.read() as tx:
            intent = intents.by_marker(tx, draft.marker)
            if intent is None:
                return "", {}, ""
            link = self.context.load(tx, [intent.link_id])[intent.link_id]
        sides = link.live().values()
        origin = ", ".join(sorted(f"{side.connection}:{side.remote_id}" for side in sides))
        return origin, dict(intent.draft["sent"]), subject_of(link)

    def _defaults(self, entity: str) -> dict[str, Raw]:
        """Return what a new record reads as where nothing was said: as declared, else empty."""
        writable = self.context.capabilities[self.connection.name][entity].writable
        defaults: dict[str, Raw] = {}
        for name, field_map in self.context.maps[self.connection.name][entity].fields.items():
            able = writable.get(field_map.write_key or "")
            if able is not None:
                empty: Raw = [] if field_map.is_set else None
                defaults[name] = empty if isinstance(able.default, Marker) else able.default
        return defaults

    def _page(self, fetch: Callable[[], Page], end: Any | None) -> Page:
        """Return a page of the real listing; unless `live`, none and the cursor of its end."""
        if not self.live:
            return Page([], end)
        self.calls["list"] += 1
        page = fetch()
        self._listed |= {record.ref: record for record in page.records if not record.partial}
        return replace(page, records=self._without_deleted(page.records))

    def _without_deleted(self, records: Sequence[Record]) -> list[Record]:
        return [self._as_rehearsed(each) for each in records if each.ref not in self._deleted]

    def _as_rehearsed(self, record: Record) -> Record:
        fresh = record._replace(read_at=self.clock.now())
        rehearsed = self._rehearsed.get(record.ref)
        return fresh._replace(data={**record.data, REHEARSED: rehearsed}) if rehearsed else fresh

    def _made_up(self, ref: Ref) -> Record:
        data = {REHEARSED: self._rehearsed.get(ref, {}), MADE_UP: True}
        return Record(ref, data, self.clock.now(), marker=self._markers[ref])

    def _link_of(self, ref: Ref) -> Link | None:
        with self.copy.read() as tx:
            link_id = links.of_refs(tx, [ref]).get(ref)
            return self.context.load(tx, [link_id])[link_id] if link_id is not None else None

    def _from_ledger(self, ref: Ref) -> Record | None:
        """Return a record as it was last shown, also where the mapping could not read it then."""
        link = self._link_of(ref)
        side = link.sides.get(ref.connection) if link is not None else None
        if side is None or side.tombstone or side.remote_id != ref.id:
            return None
        shown = {name: _last_shown(entry) for name, entry in side.fields.items()}
        shadows = {name: raw for name, raw in shown.items() if not isinstance(raw, Marker)}
        data = {REHEARSED: shadows | self._rehearsed.get(ref, {}), MADE_UP: True}
        return Record(ref, data, self.clock.now(), handle=side.handle)


def _last_shown(entry: SideField) -> Raw | Marker:
    return entry.shown if entry.unreadable and entry.shown is not None else entry.shadow
