"""The connector of systems that live in this process, for tests and for trying rules out.

`MemorySystem` is the vendor. Four ready-made ones, each of which loses something else, come from
`lossless`, `helpdesk_like`, `posthog_like` and `zaia_like`: the system, what it can do, and how its
tickets read and write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from bridge.connectors.contract import Connector, Draft, Intent, Page, Parsed, Record
from bridge.connectors.parsing import generic_hint
from bridge.core.model.capabilities import EntityCapabilities, Support
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Raw, Ref
from bridge.errors import Malformed, Unsupported
from tests.memory.habits import SERVICE, helpdesk_like, lossless, posthog_like, zaia_like
from tests.memory.store import TAGS, TICKET, Event, Habits, MemorySystem, Operation

__all__ = [
    "SERVICE",
    "Event",
    "Habits",
    "MemoryConnector",
    "MemorySystem",
    "helpdesk_like",
    "lossless",
    "posthog_like",
    "zaia_like",
]

PAGE = 50
T = TypeVar("T")


class MemoryConnector(Connector):
    """Reaches a system in this process."""

    NAME: ClassVar = "memory"
    CAPABILITIES: ClassVar = {TICKET: EntityCapabilities(readable=frozenset())}
    """What an instance can do is up to its system: see `capabilities`."""

    def __init__(self, connection: Connection, system: MemorySystem) -> None:
        super().__init__(connection)
        self.system = system

    @property
    def capabilities(self) -> dict[str, EntityCapabilities]:
        """Give what the system behind this connection can do, by entity."""
        return {TICKET: self.system.capabilities}

    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:  # noqa: ARG002 — nothing is in the headers
        """Read the generic hint. Raises Malformed for anything else."""
        parsed = generic_hint(body, self.CAPABILITIES)
        if parsed is None:
            raise Malformed('the body is not {"entity": …, "id": …}')
        return parsed

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read present records; None: there is no such record."""
        self._known(entity)
        return self._look(
            "read", lambda: {each: self.system.record(self.connection.name, each) for each in ids}
        )

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Give records touched since the cursor, by the system's own counter, so that none is missed."""
        self._known(entity)
        return self._look("list", lambda: self._after(int(cursor or 0)))

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything by id."""
        self._known(entity)
        return self._look("list", lambda: self._by_id(str(cursor or "")))

    def create(self, draft: Draft) -> Record | None:
        """Create once, with the marker kept beside the record."""
        self._known(draft.entity)
        able = self.system.capabilities
        odd = [
            key
            for key in draft.values
            if key not in able.writable or not able.writable[key].on_create
        ]
        if able.creates is Support.NO or odd:
            raise Unsupported(
                f"{self.NAME} cannot create a {draft.entity} with {sorted(draft.values)}"
            )
        made = self._serve("create", lambda: self.system.make(draft.values, draft.marker))
        return None if made is None else self.system.record(self.connection.name, made)

    def find(self, intent: Intent) -> list[Record]:
        """Give the records with the marker, and unmarked ones with the same subject."""
        self._known(intent.draft.entity)
        return self._look("list", lambda: self._like(intent.draft))

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Make one call that changes a record."""
        self._known(ref.entity)
        known = {each.name: each for each in self.system.capabilities.verbs}
        if (
            verb not in known
            or not values
            or not values.keys() <= {*known[verb].writes, *known[verb].also}
        ):
            raise Unsupported(
                f"{self.NAME} cannot change a {ref.entity} by {verb} of {sorted(values)}"
            )

        def act() -> Record | None:
            self.system.write(self.connection.name, ref.id, known[verb], values)
            return self.system.record(self.connection.name, ref.id)

        return self._serve("update", act)

    def delete(self, ref: Ref) -> None:
        """Delete; already gone counts as done."""
        self._known(ref.entity)
        if not self.system.capabilities.deletes:
            raise Unsupported(f"{self.NAME} cannot delete a {ref.entity}")
        self._serve("delete", lambda: self.system.delete(ref.id))

    def probe(self) -> dict[str, Any]:
        """Find out whether tags are licensed."""
        return self._look("list", lambda: {TAGS: self.system.licensed})

    def ping(self) -> str:
        """Say how many records there are."""
        return self._look("list", lambda: f"{len(self.system.ids)} tickets")

    def _look(self, operation: Operation, act: Callable[[], T]) -> T:
        return self.system.look(self.connection.name, operation, act)

    def _serve(self, operation: Operation, act: Callable[[], T]) -> T | None:
        return self.system.serve(self.connection.name, operation, act)

    def _known(self, entity: str) -> None:
        if entity != TICKET:
            raise Unsupported(f"{self.NAME} has no {entity}")

    def _after(self, tick: int) -> Page:
        rows = self.system.since(tick)[:PAGE]
        return Page(
            self._shown([remote_id for _tick, remote_id in rows]), rows[-1][0] if rows else tick
        )

    def _by_id(self, after: str) -> Page:
        rest = sorted(each for each in self.system.ids if each > after)
        return Page(self._shown(rest[:PAGE]), rest[PAGE - 1] if len(rest) > PAGE else None)

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
