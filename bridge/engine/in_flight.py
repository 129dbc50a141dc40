"""Remote effects on their way: waiting for a connection's budget, then carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bridge.clock import Clock
from bridge.connectors import left_out
from bridge.connectors.contract import Connector
from bridge.connectors.left_out import cannot_tell
from bridge.core.model.lanes import LANES
from bridge.core.model.vendor_call import PROBE
from bridge.engine.context import Task
from bridge.engine.effects import Call, Grant, Procedure, Read
from bridge.errors import LeaseLost, NotFound, Withheld
from bridge.http import request_count
from bridge.http.call_purpose import Calling, CallPurpose

OF_ONE_RECORD = (NotFound, Withheld)
"""Errors of a read that say something about one record."""


@dataclass(slots=True)
class RunningProcedure:
    """One procedure under way."""

    task: Task
    procedure: Procedure
    lane: str = "live"
    probe: str = ""
    """The half-open connection that it is to try; empty as soon as it has."""
    leave: RemoteRequest | None = None
    """The leave that it was granted to make a call, until it asks for that."""
    promised: str = ""
    """The connection of which it was told that a call there will go out soon."""


@dataclass(slots=True)
class RemoteRequest:
    """One request to a vendor: a call, or several reads that go out as one.

    Or the leave to make a call, which becomes the call's request as soon as that is asked for.
    """

    connection: str
    procedures: list[RunningProcedure]
    effects: list[Call | Grant | Read]
    asked_at: datetime
    sent_at: datetime | None = None
    is_promised: bool = False
    """It was told that it will go out soon, and goes before others."""
    granted: int = 0
    """Calls of the budget that it was granted."""
    holder: str = ""
    """Under which name the budget has granted them."""
    made: int = 0
    """Requests that it came to, once it has been carried out."""

    @property
    def weight(self) -> int:
        """Return how many calls of the budget it takes: reads that go out as one are one."""
        first = self.effects[0]
        return 1 if isinstance(first, Read) else first.weight

    @property
    def is_granted(self) -> bool:
        """Return whether the budget lets it be made."""
        return self.granted >= self.weight

    @property
    def lane(self) -> str:
        """Return the most urgent lane of those that wait for it."""
        return LANES[min(LANES.index(running.lane) for running in self.procedures)]

    @property
    def probe(self) -> bool:
        """Return whether its answer decides about a half-open connection."""
        return any(running.probe == self.connection for running in self.procedures)

    def join(self, running: RunningProcedure, effect: Read, size: int) -> bool:
        """Let one more read go out with this one, if it is of the same kind and there is room.

        True if it does.
        """
        first = self.effects[0]
        if (
            not isinstance(first, Read)
            or (first.connection, first.entity) != (effect.connection, effect.entity)
            or len(self.effects) >= size
        ):
            return False
        self.procedures.append(running)
        self.effects.append(effect)
        return True

    def carry_out(self, connectors: Mapping[str, Connector], clock: Clock) -> list[object]:
        """Make the call, on whatever thread; return an answer for each effect, or its error."""
        before = request_count.made()
        try:
            with Calling(self._purpose()):
                return self._carry_out(connectors, clock)
        finally:
            self.made = request_count.made() - before

    def _purpose(self) -> CallPurpose:
        """Return why the call is made; where several tickets share it, it is none's."""
        first, effect = self.procedures[0].task, self.effects[0]
        why = PROBE if self.probe else (isinstance(effect, Call) and effect.why) or first.row.kind
        if len(self.procedures) > 1:
            return CallPurpose(why)
        link_id = first.row.link_id if first.link is None else first.link.id
        return CallPurpose(why, link_id, first.row.attempts + 1)

    def _carry_out(self, connectors: Mapping[str, Connector], clock: Clock) -> list[object]:
        connector, first = connectors[self.connection], self.effects[0]
        if isinstance(first, Call):
            # The deadline is well inside of the lease, so nobody else can hold the link by now
            # (rule F4).
            if clock.now() >= first.deadline:
                raise LeaseLost(f"{self.connection}: held up past the deadline; nothing was sent")
            return [first.act(connector)]
        reads = [effect for effect in self.effects if isinstance(effect, Read)]
        ids = [read.id for read in reads]
        found = _read_together(connector, reads[0].entity, list(dict.fromkeys(ids)))
        return [found[remote_id] for remote_id in ids]


def _read_together(connector: Connector, entity: str, ids: list[str]) -> Mapping[str, object]:
    """Read records as one; where one of them is refused, each by itself.

    An error that is about one record is its answer, and spoils no other one's.
    """
    try:
        return _read(connector, entity, ids)
    except OF_ONE_RECORD:
        if len(ids) == 1:
            raise
    found: dict[str, object] = {}
    for remote_id in ids:
        try:
            found |= _read(connector, entity, [remote_id])
        except OF_ONE_RECORD as error:
            found[remote_id] = error
    return found


def _read(connector: Connector, entity: str, ids: list[str]) -> dict[str, object]:
    """Read records; of one that may be among the rows that were left out, that is the answer."""
    with left_out.collected() as rows:
        records = connector.read(entity, ids)
    hidden = [remote_id for remote_id, record in records.items() if record is None and rows]
    name = connector.connection.name
    return {**records, **{each: cannot_tell(name, each, rows) for each in hidden}}
