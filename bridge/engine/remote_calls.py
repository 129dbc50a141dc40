"""The calls of one worker: waiting for their connection's budget, under way, and answered.

Calls run on threads, all else on the worker's own. Where more calls wait than a vendor takes at
once, the answers of a few milliseconds are taken in together, for each time the worker goes round
costs a transaction; those that wait are sent meanwhile.

Why a call waits although its vendor has nothing to do:

| it waits for                               | for how long                                    |
| ------------------------------------------ | ----------------------------------------------- |
| a rate, or the rest after a 429            | as long as the budget has said                  |
| a place that another worker had            | likewise, so it may have been free for a moment |
| the last place, and is below live          | until a second one is free                      |
| the call before it in its line             | until that is sent, or is too late              |
| a place that is granted to a write which   | one round of the worker (see `_may_promise`)    |
| has to be written down before it is sent   |                                                 |
| this worker, which stores or gathers       | that transaction; `GATHER_SECONDS`              |

What is not claimed yet does not wait here: `scheduling` says how much is under way.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from queue import Empty, SimpleQueue

from bridge.connectors.contract import Connector
from bridge.core.model.lanes import LANES
from bridge.engine.budget import Budget
from bridge.engine.connection_gate import ConnectionGate
from bridge.engine.context import Context
from bridge.engine.effects import Call, Grant, Read, RemoteEffect
from bridge.engine.in_flight import RemoteRequest, RunningProcedure
from bridge.engine.scheduling import SOON_SECONDS
from bridge.errors import BridgeError, LeaseLost

HELD_UP_AFTER = timedelta(seconds=0.5)
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
GATHER_SECONDS, GATHER_PER_CALL = 0.05, 0.002
"""For so long the answers that come after the first are taken in with it: at most, and for each
call that waits. Where few wait, nobody is kept from going on."""
MAX_GATHERED = 64
FIRST_PACE, LEAST_PACE, PACE_CALLS = 0.05, 0.0005, 32
"""What a call takes before any was made, the least that it is taken to take, and of how many calls
the pace is about the mean."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)

Reply = tuple[RunningProcedure, object, Exception | None]
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
    gate: ConnectionGate
    made: int = 0
    """Calls that were sent, counted by what they take of the budget."""
    paces: dict[str, float] = field(default_factory=dict)
    """Seconds that a call takes, by connection: those of late, the latest counting most."""
    answered: list[Reply] = field(default_factory=list)
    """What came without a call: grants, and what was not sent."""
    lines: dict[str, list[RemoteRequest]] = field(default_factory=dict)
    """By connection: the requests that wait for its budget."""
    flying: dict[Future[list[object]], RemoteRequest] = field(default_factory=dict)
    _closed_until: dict[str, dict[str, datetime]] = field(default_factory=dict)
    """By connection and lane: until when the budget need not be asked again, by its last answer.

    A place that we give back ourselves ends that at once.
    """
    _submitted_at: datetime = LONG_AGO
    _promised: Counter[str] = field(default_factory=Counter)
    """By connection: calls that were promised and not asked for yet."""
    _landed: SimpleQueue[Future[list[object]]] = field(default_factory=SimpleQueue)

    _holders: Iterator[int] = field(default_factory=count)
    _holding: dict[str, RemoteRequest] = field(default_factory=dict)
    """By holder: what has a place of its vendor's."""
    _forgotten: dict[Future[list[object]], RemoteRequest] = field(default_factory=dict)
    """Calls under way that nobody waits for any more; they have their places until they land."""

    def forget(self) -> None:
        """Forget everything, as if the worker had died: claims and leases run out.

        But the vendors' places are given back, those of calls under way as these land.
        """
        self._forgotten |= self.flying
        under_way = {request.holder for request in self._forgotten.values()}
        for holder, request in list(self._holding.items()):
            if holder not in under_way:
                self.free_place(request)
        self.answered, self.lines, self.flying = [], {}, {}
        self._landed, self._promised = SimpleQueue(), Counter()

    def free_landed(self) -> None:
        """Give back the places of calls that were forgotten under way and have landed since."""
        for call in [call for call in self._forgotten if call.done()]:
            self.free_place(self._forgotten.pop(call))

    def waiting(self) -> list[RemoteRequest]:
        """Return the requests that wait for a budget."""
        return [request for line in self.lines.values() for request in line]

    def hangs(self) -> bool:
        """Return whether a call is under way long after it should have ended by itself."""
        now = self.context.clock.now()
        return any(
            now >= min(effect.deadline for effect in request.effects) + HANGS_AFTER
            for request in self.flying.values()
        )

    def held_up(self) -> list[tuple[str, RunningProcedure]]:
        """Return what slow vendors hold up, each with the connection."""
        now = self.context.clock.now()
        return [
            (request.connection, running)
            for request in (*self.waiting(), *self.flying.values())
            if request.asked_at + HELD_UP_AFTER <= now
            for running in request.procedures
        ]

    def load(self) -> dict[str, int]:
        """Return how many calls wait or are under way, by connection."""
        load = dict.fromkeys(self.context.connections, 0)
        for each in (*self.waiting(), *self.flying.values()):
            load[each.connection] = load.get(each.connection, 0) + len(each.procedures)
        return load

    def take_answered(self) -> list[Reply]:
        """Return what was answered since the last time."""
        answered, self.answered = self.answered, []
        return answered

    def ask(self, running: RunningProcedure, effect: RemoteEffect) -> None:
        """Let a read join others of its kind that are waiting; anything else waits alone.

        The leave that a procedure was granted becomes the request of the call that it asks for.
        """
        if resting := self.gate.turned_away(effect.connection, [running]):
            self.answered.append((running, None, resting))
            return
        now, line = self.context.clock.now(), self.lines.setdefault(effect.connection, [])
        leave, running.leave = running.leave, None
        called = effect.connection if isinstance(effect, Call) else None
        if leave is not None and leave.connection == called:
            leave.effects, leave.asked_at = [effect], now
            line.insert(0, leave)
            return
        if leave is not None:  # it turned out that something else comes first
            self.free_place(leave)
        if isinstance(effect, Read):
            size = self.context.capabilities[effect.connection][effect.entity].read_batch
            if size > 1 and any(request.join(running, effect, size) for request in line):
                return
        request = RemoteRequest(effect.connection, [running], [effect], now)
        if running.promised == called:
            request.is_promised = True
            self.keep_promise(running)
        insort(line, request, key=_turn)

    def submit(self) -> None:
        """Send what the budgets allow, but for what may not be called any more."""
        now = self.context.clock.now()
        if now < self._submitted_at:
            self._closed_until.clear()  # the clock was set back, which the budget follows
        self._submitted_at = now
        self.free_landed()
        for connection, line in self.lines.items():
            if not line:
                continue
            going: list[RemoteRequest] = []
            for request in line:
                if not_sent := self._too_late(request, now):
                    self.answered.extend((each, None, not_sent) for each in request.procedures)
                    if request.granted:
                        self.free_place(request)
                else:
                    going.append(request)
            self.lines[connection] = sorted(going, key=_turn)  # a read that joined may be urgent
            self._send(connection)

    def _send(self, connection: str) -> None:
        """Send from the front of a connection's line for as long as its budget allows."""
        line, now = self.lines.get(connection, []), self.context.clock.now()
        sent = 0
        for request in line:
            is_grant = isinstance(request.effects[0], Grant)
            is_open = request.is_granted or self._acquire(request, now)
            if not is_open and not (is_grant and self._may_promise(request, now)):
                break
            sent += 1
            if is_grant:
                (running,) = request.procedures
                if is_open:
                    running.leave = request
                else:
                    running.promised = connection
                    self._promised[connection] += 1
                self.answered.append((running, None, None))
            else:
                self.made += request.weight
                request.sent_at = now
                call = self.pool.submit(request.carry_out, self.connectors, self.context.clock)
                self.flying[call] = request
                call.add_done_callback(self._landed.put)
        del line[:sent]

    def _too_late(self, request: RemoteRequest, now: datetime) -> BridgeError | None:
        """Return why a request that waited is not sent.

        It is past its deadline, its worker stops, or its connection is shut.
        """
        if now >= min(effect.deadline for effect in request.effects):
            held_up = "no call started before its deadline (waiting for its budget)"
            return LeaseLost(f"{request.connection}: {held_up}")
        first = request.effects[0]
        can_be_left = isinstance(first, Grant) and first.can_be_left
        if can_be_left and self._closed(request) >= first.deadline:
            held_up = "its budget allows no call before the deadline"
            return LeaseLost(f"{request.connection}: {held_up}")
        if (can_be_left or now < self._closed(request)) and self.stopping():
            held_up = "no call started before its worker was told to stop"
            return LeaseLost(f"{request.connection}: {held_up}")
        return self.gate.turned_away(request.connection, request.procedures)

    def _may_promise(self, request: RemoteRequest, now: datetime) -> bool:
        """Return whether a call that was granted nothing yet will go out soon all the same.

        That is where calls of ours have the vendor's places, and are through soon. What is written
        down before the call is written meanwhile, so that no place is idle for it. Nothing is
        promised to who has to wait for a rate.
        """
        name = request.connection
        under_way = any(each.connection == name for each in self.flying.values())
        if not under_way or self._closed(request) > now + timedelta(seconds=SOON_SECONDS):
            return False
        ahead = self._promised[name] + sum(each.is_promised for each in self.lines[name])
        return ahead < self.context.connections[name].concurrency * SOON_SECONDS / self._pace(name)

    def keep_promise(self, running: RunningProcedure) -> None:
        """Count what was promised as asked for, or as not needed."""
        if running.promised:
            self._promised[running.promised] -= 1
            running.promised = ""

    def ended(self, running: RunningProcedure) -> None:
        """Take back what was granted or promised, and came to no call."""
        self.keep_promise(running)
        if running.leave is not None:
            self.free_place(running.leave)

    def _closed(self, request: RemoteRequest) -> datetime:
        """Return until when the budget need not be asked again for a request of its lane."""
        return self._closed_until.get(request.connection, {}).get(request.lane, LONG_AGO)

    def _acquire(self, request: RemoteRequest, now: datetime) -> bool:
        """Ask the budget for every call of a request; False when it has to wait."""
        connection = self.context.connections[request.connection]
        if now < self._closed(request):
            return False
        holder = request.holder = request.holder or f"{self.owner}:{next(self._holders)}"
        hold = request.weight * connection.timeout + RELEASE_SECONDS
        while request.granted < request.weight:
            pause = self.budget.acquire(connection, holder, now, hold=hold, lane=request.lane)
            if pause > 0:
                if request.granted:
                    # Only the place in flight is free again; the call stays counted.
                    self.budget.release(connection.name, holder)
                    self._holding.pop(holder, None)
                closed = self._closed_until.setdefault(connection.name, {})
                closed[request.lane] = now + timedelta(seconds=pause)
                return False
            request.granted += 1
            self._holding[holder] = request
        return True

    def collect(self) -> None:
        """Wait a moment for answers; with none under way, for a budget or for work nearly due."""
        waits = sum(map(len, self.lines.values()))
        if not self.flying:
            pause = IDLE_SECONDS_BUDGET if waits else IDLE_SECONDS
            self.context.clock.sleep(pause)
            return
        timeout = POLL_SECONDS_BUDGET if waits else POLL_SECONDS
        clock = self.context.clock
        until = clock.now() + timedelta(seconds=timeout)
        gathered = 0
        while self.flying and gathered < MAX_GATHERED:
            try:
                left = (until - clock.now()).total_seconds()
                # No longer than that, should the clock have been set back.
                landed = self._landed.get(timeout=min(max(0.0, left), timeout))
            except Empty:
                return
            self._take_in(landed)
            gathered += 1
            if gathered == 1:
                gather = min(GATHER_SECONDS, GATHER_PER_CALL * waits)
                until = clock.now() + timedelta(seconds=gather)

    def _take_in(self, landed: Future[list[object]]) -> None:
        request = self.flying.pop(landed)
        now = self.context.clock.now()
        took = (now - (request.sent_at or now)).total_seconds()
        pace = self._pace(request.connection)
        self.paces[request.connection] = pace + (max(took, LEAST_PACE) - pace) / PACE_CALLS
        error = landed.exception()
        self._give_back(request)
        self.gate.heard(self.context, self.budget, request.connection, request.procedures, error)
        answers: list[object] = [None] * len(request.procedures) if error else landed.result()
        raised = error if isinstance(error, Exception) else None
        for running, answer in zip(request.procedures, answers, strict=True):
            its_own = answer if isinstance(answer, Exception) else None
            self.answered.append((running, answer, raised or its_own))
        if raised is None:
            # What waits for a place does not wait for the ledger, too; after an error it does, for
            # that may shut the connection.
            self._send(request.connection)

    def _pace(self, connection: str) -> float:
        """Return how many seconds a call takes, as far as is known."""
        return self.paces.get(connection, FIRST_PACE)

    def _give_back(self, request: RemoteRequest) -> None:
        """Give the request's place back, and charge what it took beyond what it was granted."""
        if request.made > request.granted:
            connection = self.context.connections[request.connection]
            more = request.made - request.granted
            self.budget.charge(connection, more, self.context.clock.now())
        self.free_place(request)

    def free_place(self, request: RemoteRequest) -> None:
        """Give back what a request holds of its budget; the next may ask for it at once."""
        self._holding.pop(request.holder, None)
        self.budget.release(request.connection, request.holder)
        self._closed_until.pop(request.connection, None)


def _turn(request: RemoteRequest) -> tuple[bool, int]:
    """Return the place of a request in its line: what was granted or promised, then by lane.

    Within a lane it is the order of asking.
    """
    has_leave = request.is_granted or request.is_promised
    return (not has_leave, LANES.index(request.lane))
