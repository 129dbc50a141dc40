"""Remote effects on their way: what waits for a connection's budget, and how it is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bridge.clock import Clock
from bridge.connectors.contract import Connector
from bridge.core.model.lanes import LANES
from bridge.engine.context import Task
from bridge.engine.effects import Call, Procedure, Read
from bridge.errors import LeaseLost
from bridge.http import request_count


@dataclass(slots=True)
class RunningProcedure:
    """One procedure under way."""

    task: Task
    procedure: Procedure
    lane: str = "live"
    probe: str = ""
    """The half-open connection that it is to try; empty as soon as it has."""
    holder: str = ""


@dataclass(slots=True)
class RemoteRequest:
    """Remote effects that wait for the connection's budget: one call, or several reads that go out as one."""

    connection: str
    runs: list[RunningProcedure]
    effects: list[Call | Read]
    not_before: datetime
    granted: int = 0
    """Calls of the budget that it was granted."""
    made: int = 0
    """Requests that it came to, once it has been carried out."""

    @property
    def weight(self) -> int:
        """Give how many calls of the budget it takes: reads that go out as one are one call."""
        first = self.effects[0]
        return first.weight if isinstance(first, Call) else 1

    @property
    def lane(self) -> str:
        """Give the most urgent lane of those that wait for it."""
        return LANES[min(LANES.index(run.lane) for run in self.runs)]

    @property
    def probe(self) -> bool:
        """Tell whether its answer decides about a half-open connection."""
        return any(run.probe == self.connection for run in self.runs)

    def join(self, run: RunningProcedure, effect: Read, size: int) -> bool:
        """Let one more read go out with this one, if it is of the same kind and there is room; True if it does."""
        first = self.effects[0]
        if (
            not isinstance(first, Read)
            or (first.connection, first.entity) != (effect.connection, effect.entity)
            or len(self.effects) >= size
        ):
            return False
        self.runs.append(run)
        self.effects.append(effect)
        return True

    def carry_out(self, connectors: Mapping[str, Connector], clock: Clock) -> list[object]:
        """Make the call, on whatever thread; gives an answer for each effect."""
        before = request_count.made()
        try:
            return self._made(connectors, clock)
        finally:
            self.made = request_count.made() - before

    def _made(self, connectors: Mapping[str, Connector], clock: Clock) -> list[object]:
        connector, first = connectors[self.connection], self.effects[0]
        if isinstance(first, Call):
            # The fence cannot have passed on before the lease ended, and the deadline is well
            # inside it.
            if clock.now() >= first.deadline:
                raise LeaseLost(f"{self.connection}: held up past the deadline; nothing was sent")
            return [first.act(connector)]
        ids = [effect.id for effect in self.effects if isinstance(effect, Read)]
        found = connector.read(first.entity, list(dict.fromkeys(ids)))
        return [found[remote_id] for remote_id in ids]
