"""The calls of one worker: waiting for their connection's budget, under way, and answered.

Calls run on threads. Where more calls wait than a vendor takes at once, the answers of a few
milliseconds are taken in together, for each time the worker goes round costs a transaction; those
that wait are sent meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue

from bridge.connectors.contract import Connector
from bridge.core.model.lanes import LANES
from bridge.engine.budget import Budget
from bridge.engine.connection_gate import ConnectionGate
from bridge.engine.context import Context
from bridge.engine.effects import Call, Grant, Read, RemoteEffect
from bridge.engine.in_flight import RemoteRequest, RunningProcedure
from bridge.errors import BridgeError, LeaseLost

HELD_AFTER = timedelta(seconds=0.5)
"""Work whose call was asked for so long ago takes no place of others' any more."""
HANGS_AFTER = timedelta(seconds=60)
"""A call that is still under way so long after its deadline will not end."""
RELEASE_SECONDS = 5.0
"""Added to a call's longest time before the budget takes its place back by itself."""
POLL_SECONDS = 0.05
"""How long to wait for an answer before looking for work again."""
POLL_SECONDS_BUDGET = 0.01
"""The same while calls wait for their budget, which may be granted meanwhile."""
IDLE_SECONDS, IDLE_SECONDS_BUDGET = 0.02, 0.005
"""The same with no call under way."""
GATHER_SECONDS = 0.02
"""For so long the answers that come after the first are taken in with it."""
MAX_GATHERED = 64

Answered = tuple[RunningProcedure, object, Exception | None]
"""A procedure with the answer to its last effect, or the error that is raised in it."""


@dataclass(slots=True)
class RemoteCalls:
    """What one worker has asked of vendors, and not heard of yet."""

    context: Context
    connectors: Mapping[str, Connector]
    budget: Budget
    owner: str
    pool: Executor
    stopping: Callable[[], bool]
    gate: ConnectionGate = field(default_factory=ConnectionGate)
    made: int = 0
    """Calls that were sent, counted by what they take of the budget."""
    answered: list[Answered] = field(default_factory=list)
    """What came without a call: grants, and what was not sent."""
    waiting: list[RemoteRequest] = field(default_factory=list)
    """Requests that wait for their connection's budget."""
    flying: dict[Future[list[object]], RemoteRequest] = field(default_factory=dict)
    _landed: SimpleQueue[Future[list[object]]] = field(default_factory=SimpleQueue)

    def forget(self) -> None:
        """Forget everything, as if the worker had died: claims and leases run out."""
        self.answered, self.waiting, self.flying = [], [], {}
        self.gate, self._landed = ConnectionGate(), SimpleQueue()

    def hangs(self) -> bool:
        """Return whether a call is under way long after it should have ended by itself."""
        now = self.context.clock.now()
        return any(
            now >= min(effect.deadline for effect in request.effects) + HANGS_AFTER
            for request in self.flying.values()
        )

    def held(self) -> list[tuple[str, RunningProcedure]]:
        """Return what slow vendors hold up, each with the connection."""
        now = self.context.clock.now()
        return [
            (request.connection, running)
            for request in (*self.waiting, *self.flying.values())
            if request.asked_at + HELD_AFTER <= now
            for running in request.procedures
        ]

    def load(self) -> dict[str, int]:
        """Return how many calls wait or are under way, by connection."""
        load = dict.fromkeys(self.context.connections, 0)
        for each in (*self.waiting, *self.flying.values()):
            load[each.connection] = load.get(each.connection, 0) + len(each.procedures)
        return load

    def take_answered(self) -> list[Answered]:
        """Return what was answered since the last time."""
        answered, self.answered = self.answered, []
        return answered

    def ask(self, running: RunningProcedure, effect: RemoteEffect) -> None:
        """Let a read join others of its kind that are waiting; anything else waits alone.

        A call takes what its procedure was granted before.
        """
        if resting := self.gate.turned_away(effect.connection, [running]):
            self.answered.append((running, None, resting))
            return
        if isinstance(effect, Read):
            size = self.context.capabilities[effect.connection][effect.entity].read_batch
            if any(request.join(running, effect, size) for request in self.waiting):
                return
        now, granted = self.context.clock.now(), running.granted
        called = effect.connection if isinstance(effect, Call) else None
        if granted is not None and granted.connection == called:
            granted.effects, granted.asked_at, running.granted = [effect], now, None
            self.waiting.append(granted)
            return
        self.waiting.append(RemoteRequest(effect.connection, [running], [effect], now, now))

    def submit(self) -> None:
        """Send what the budgets allow, but for what may not be called any more."""
        now = self.context.clock.now()
        still_waiting: list[RemoteRequest] = []
        # Within a lane, in the order of asking.
        self.waiting.sort(key=lambda request: LANES.index(request.lane))
        for request in self.waiting:
            if not_sent := self._too_late(request, now):
                self.answered.extend((running, None, not_sent) for running in request.procedures)
                if request.granted:
                    self.free_place(request)
            elif now < request.not_before:
                still_waiting.append(request)
            elif (pause := self._acquire(request, now)) > 0:
                request.not_before = now + timedelta(seconds=pause)
                still_waiting.append(request)
            elif isinstance(request.effects[0], Grant):
                (running,) = request.procedures
                running.granted = request
                self.answered.append((running, None, None))
            else:
                self.made += request.weight
                sent = self.pool.submit(request.carry_out, self.connectors, self.context.clock)
                self.flying[sent] = request
                sent.add_done_callback(self._landed.put)
        self.waiting = still_waiting

    def _too_late(self, request: RemoteRequest, now: datetime) -> BridgeError | None:
        """Return why a request that waited is not sent.

        It is past its deadline, its worker stops, or its connection is shut.
        """
        if now >= min(effect.deadline for effect in request.effects):
            held_up = "no call started before its deadline (waiting for its budget)"
            return LeaseLost(f"{request.connection}: {held_up}")
        first = request.effects[0]
        can_be_left = isinstance(first, Grant) and first.can_be_left
        if can_be_left and request.not_before >= first.deadline:
            held_up = "its budget allows no call before the deadline"
            return LeaseLost(f"{request.connection}: {held_up}")
        if (can_be_left or now < request.not_before) and self.stopping():
            held_up = "no call started before its worker was told to stop"
            return LeaseLost(f"{request.connection}: {held_up}")
        return self.gate.turned_away(request.connection, request.procedures)

    def _acquire(self, request: RemoteRequest, now: datetime) -> float:
        """Ask the budget for every call of a request.

        Returns 0 when all are granted, else the seconds to wait.
        """
        connection = self.context.connections[request.connection]
        holder = request.procedures[0].holder = f"{self.owner}:{id(request)}"
        hold = request.weight * connection.timeout + RELEASE_SECONDS
        while request.granted < request.weight:
            if request.granted:
                # This frees the place in flight only; the call stays counted against the rate.
                self.budget.release(connection.name, holder)
            pause = self.budget.acquire(connection, holder, now, hold=hold, lane=request.lane)
            if pause > 0:
                return pause
            request.granted += 1
        return 0.0

    def collect(self) -> None:
        """Wait a moment for answers; with none under way, for a budget or for work nearly due."""
        if not self.flying:
            pause = IDLE_SECONDS_BUDGET if self.waiting else IDLE_SECONDS
            self.context.clock.sleep(pause)
            return
        timeout = POLL_SECONDS_BUDGET if self.waiting else POLL_SECONDS
        clock = self.context.clock
        until = clock.now() + timedelta(seconds=timeout)
        gathered = 0
        while self.flying and gathered < MAX_GATHERED:
            try:
                landed = self._landed.get(timeout=max(0.0, (until - clock.now()).total_seconds()))
            except Empty:
                return
            self._take_in(landed)
            gathered += 1
            if gathered == 1:
                until = clock.now() + timedelta(seconds=GATHER_SECONDS if self.waiting else 0.0)
            if self.waiting and self._landed.empty():
                self.submit()

    def _take_in(self, landed: Future[list[object]]) -> None:
        request = self.flying.pop(landed)
        error = landed.exception()
        self._give_back(request)
        self.gate.heard(self.context, self.budget, request.connection, request.procedures, error)
        answers: list[object] = [None] * len(request.procedures) if error else landed.result()
        raised = error if isinstance(error, Exception) else None
        for running, answer in zip(request.procedures, answers, strict=True):
            its_own = answer if isinstance(answer, Exception) else None
            self.answered.append((running, answer, raised or its_own))

    def _give_back(self, request: RemoteRequest) -> None:
        """Give the request's place back, and charge what it took beyond what it was granted."""
        if request.made > request.granted:
            connection = self.context.connections[request.connection]
            more = request.made - request.granted
            self.budget.charge(connection, more, self.context.clock.now())
        self.free_place(request)

    def free_place(self, request: RemoteRequest) -> None:
        """Give back what a request holds of its budget."""
        self.budget.release(request.connection, request.procedures[0].holder)
        self._wake_next(request.connection)

    def _wake_next(self, connection: str) -> None:
        """Let the first that waits for the connection ask at once, for a place has become free."""
        now = self.context.clock.now()
        waiting = (each for each in self.waiting if each.connection == connection)
        if first := next((each for each in waiting if each.not_before > now), None):
            first.not_before = now
