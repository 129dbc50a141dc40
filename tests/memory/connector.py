"""The connector of a system in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from bridge.connectors.contract import Connector, Draft, Intent, Page, Parsed, Record
from bridge.connectors.parsing import generic_hint
from bridge.core.model.capabilities import EntityCapabilities, Support
from bridge.core.model.counting import counted
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Raw, Ref
from bridge.errors import Malformed, Unsupported
from tests.memory.system import TAGS, TICKET, MemorySystem, Operation

PAGE_SIZE = 50
T = TypeVar("T")


class MemoryConnector(Connector):
    """Reaches a system in memory, with the faults that were ordered of it."""

    NAME: ClassVar = "memory"
    CAPABILITIES: ClassVar = {TICKET: EntityCapabilities(readable=frozenset())}
    """What an instance can do is up to its system: see `capabilities`."""

    def __init__(self, connection: Connection, system: MemorySystem) -> None:
        super().__init__(connection)
        self.system = system

    @property
    def capabilities(self) -> dict[str, EntityCapabilities]:
        """Return what the system behind this connection can do, by entity."""
        return {TICKET: self.system.capabilities}

    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:  # noqa: ARG002 — nothing is in the headers
        """Read the generic hint. Raises Malformed for anything else."""
        parsed = generic_hint(body, self.CAPABILITIES)
        if parsed is None:
            raise Malformed('the body is not {"entity": …, "id": …}')
        return parsed

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read present records; None: there is no such record."""
        self._check_entity(entity)
        show = self.system.record
        return self._look(
            "read", lambda: {remote_id: show(self.connection.name, remote_id) for remote_id in ids}
        )

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Return records touched since the cursor, by the system's own counter."""
        self._check_entity(entity)
        return self._look("list", lambda: self._after(int(cursor or 0)))

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything by id."""
        self._check_entity(entity)
        return self._look("list", lambda: self._by_id(str(cursor or "")))

    def made_since(self, entity: str, since: datetime) -> Sequence[Record]:
        """List the records that were made since then."""
        self._check_entity(entity)
        return self._look("list", lambda: self._shown(self.system.made_since(since)))

    def create(self, draft: Draft) -> Record | None:
        """Create once, with the marker kept beside the record."""
        self._check_entity(draft.entity)
        can = self.system.capabilities
        undeclared = [
            key
            for key in draft.values
            if key not in can.writable or not can.writable[key].on_create
        ]
        if can.creates is Support.NO or undeclared:
            raise Unsupported(
                f"{self.NAME} cannot create a {draft.entity} with {sorted(draft.values)}"
            )
        made = self._serve("create", lambda: self.system.make(draft.values, draft.marker))
        return None if made is None else self.system.record(self.connection.name, made)

    def find(self, intent: Intent) -> list[Record]:
        """Return the records with the marker, and unmarked ones with the same subject."""
        self._check_entity(intent.draft.entity)
        return self._look("list", lambda: self._like(intent.draft))

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Make one call that changes a record."""
        self._check_entity(ref.entity)
        verbs = {known.name: known for known in self.system.capabilities.verbs}
        if (
            verb not in verbs
            or not values
            or not values.keys() <= {*verbs[verb].writes, *verbs[verb].also}
        ):
            raise Unsupported(
                f"{self.NAME} cannot change a {ref.entity} by {verb} of {sorted(values)}"
            )

        def act() -> Record | None:
            self.system.write(self.connection.name, ref.id, verbs[verb], values)
            return self.system.record(self.connection.name, ref.id)

        return self._serve("update", act)

    def delete(self, ref: Ref) -> None:
        """Delete; already gone counts as done."""
        self._check_entity(ref.entity)
        if self.system.capabilities.deletes is Support.NO:
            raise Unsupported(f"{self.NAME} cannot delete a {ref.entity}")
        self._serve("delete", lambda: self.system.delete(ref.id))

    def probe(self) -> dict[str, Any]:
        """Find out whether tags are licensed."""
        return self._look("list", lambda: {TAGS: self.system.licensed})

    def ping(self) -> str:
        """Return how many records there are, in words."""
        return self._look("list", lambda: counted(len(self.system.ids), "ticket"))

    def _look(self, operation: Operation, act: Callable[[], T]) -> T:
        return self.system.look(self.connection.name, operation, act)

    def _serve(self, operation: Operation, act: Callable[[], T]) -> T | None:
        return self.system.serve(self.connection.name, operation, act)

    def _check_entity(self, entity: str) -> None:
        if entity != TICKET:
            raise Unsupported(f"{self.NAME} has no {entity}")

    def _after(self, tick: int) -> Page:
        rows = self.system.since(tick)[:PAGE_SIZE]
        return Page(
            self._shown([remote_id for _tick, remote_id in rows]), rows[-1][0] if rows else tick
        )

    def _by_id(self, after: str) -> Page:
        ids = sorted(remote_id for remote_id in self.system.ids if remote_id > after)
        cursor = ids[PAGE_SIZE - 1] if len(ids) > PAGE_SIZE else None
        return Page(self._shown(ids[:PAGE_SIZE]), cursor)

    def _like(self, draft: Draft) -> list[Record]:
        subject = draft.values.get("subject")
        marked = self._shown(self.system.marked(draft.marker)) if draft.marker else []
        others = [each for each in self._shown(self.system.ids) if each.marker is None]
        return [
            *marked,
            *(each for each in others if subject and each.data.get("subject") == subject),
        ]

    def _shown(self, ids: Sequence[str]) -> list[Record]:
        records = [self.system.record(self.connection.name, each) for each in ids]
        return [record for record in records if record is not None]
