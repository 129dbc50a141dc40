"""The drain: carries out what the procedures ask for, many tickets at a time.

Ledger effects that are ready together commit in one transaction (each in its own savepoint); reads
of one connection are batched; calls run on threads, within the connection's shared budget. A slow
vendor holds up its own calls only: the loop goes on with whatever is ready.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.connectors.contract import Connector
from bridge.core.model.lanes import LANES
from bridge.engine.budget import Budget
from bridge.engine.connection_gate import ConnectionGate
from bridge.engine.context import Context, Task
from bridge.engine.effects import Call, Effect, Grant, Procedure, Read, Transact
from bridge.engine.in_flight import RemoteRequest, RunningProcedure
from bridge.engine.outcomes import RunFailure, apply_outcome, retire
from bridge.engine.scheduling import Capacity, ClaimedWork, claim_batch, connection_states
from bridge.errors import BridgeError, LeaseLost
from bridge.ledger import connection_health, work
from bridge.ledger.database import Ledger, Tx, savepoint
from bridge.ledger.handles import LedgerHandles
from bridge.ledger.probes import LedgerFindings

log = logging.getLogger("bridge.engine")

MAX_RUNNING = 16
"""Work rows under way in one drain, but for those that a slow vendor holds up."""
RESERVED_FOR_LIVE = 4
"""Of these, so many are left to the live lane: a long job never fills them all."""
HELD_AFTER = timedelta(seconds=0.5)
"""Work whose call was asked for so long ago takes no place of others' any more."""
MAX_OVERTIME = timedelta(seconds=60)
"""For so long a drain whose time is up, and that is held up, goes on with other connections."""
MAX_THREADS = 128
"""Calls at the same time; threads are made as they are needed."""
HANGS_AFTER = timedelta(seconds=60)
"""A call that is still under way so long after its deadline will not end."""
MIN_CLAIM_INTERVAL = timedelta(milliseconds=25)
"""Between two claims while work is under way: looking for work costs as much as doing it."""
NEARLY_DUE = timedelta(seconds=0.3)
"""A drain waits for work that is due within this, rather than end and be rung again."""
RELEASE_SECONDS = 5.0
"""Added to a call's longest time before the budget takes its place back by itself."""
POLL_SECONDS = 0.05
"""How long to wait for an answer before looking for work again."""
POLL_SECONDS_BUDGET = 0.01
"""The same while calls wait for their budget, which may be granted meanwhile."""
IDLE_SECONDS, IDLE_SECONDS_BUDGET = 0.02, 0.005
"""The same with no call under way."""


@dataclass(frozen=True, slots=True)
class Procedures:
    """What the engine is handed: how each kind of work is done."""

    by_kind: Mapping[str, Callable[[Context, Task], Procedure]]
    catch_up: Callable[[Tx, Context], bool]
    """Takes in what other workers have learned, before work is claimed.

    False: the bridge was started with other files since, so that this process claims nothing more.
    """
    run_failures: Mapping[str, RunFailure]
    """Kinds of work that is a run and never parked, and what is told of its failures."""

    def begin(self, context: Context, task: Task) -> Procedure:
        """Begin claimed work; where the files do not name its connection, put it to rest."""
        kind = task.row.kind
        if task.row.connection in context.connections:
            return self.by_kind[kind](context, task)
        return retire(context, task, self.run_failures.get(kind))


@dataclass(slots=True)
class DrainCounts:
    """What one drain did."""

    claimed: int = 0
    failed: int = 0
    transactions: int = 0
    calls: int = 0


@dataclass(slots=True)
class Drain:
    """The loop of one worker.

    `run` may be called again and again, but not by two threads at once.
    """

    context: Context
    ledger: Ledger
    connectors: dict[str, Connector]
    budget: Budget
    owner: str
    procedures: Procedures
    pool: Executor = field(
        default_factory=lambda: ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="call")
    )
    stopping: Callable[[], bool] = lambda: False
    beat: Callable[[], object] = lambda: None
    """Called while the loop goes round and no call hangs: it says that this worker is at work."""
    outdated: bool = False
    """The bridge was started with other files since: what is under way is ended, nothing begun."""
    counts: DrainCounts = field(default_factory=DrainCounts)
    _ready: list[tuple[RunningProcedure, object, Exception | None]] = field(default_factory=list)
    """Procedures that can go on, each with the answer to its last effect or the error to raise."""
    _waiting: list[RemoteRequest] = field(default_factory=list)
    """Requests that wait for their connection's budget."""
    _flying: dict[Future[list[object]], RemoteRequest] = field(default_factory=dict)
    _running: int = 0
    _below_live: int = 0
    """Of those running, how many are of a lane below live."""
    _late: bool = False
    """Its time is up: of the lanes below live nothing new is begun, unless it is held up."""
    _overtime_ends: datetime | None = None
    _keys: Collection[str] = ()
    """Not empty: nothing else is claimed."""
    _claims: int = 0
    _claimed_at: datetime | None = None
    _gate: ConnectionGate = field(default_factory=ConnectionGate)

    def __post_init__(self) -> None:
        """Let each connector use what the ledger knows."""
        for name, connector in self.connectors.items():
            findings = LedgerFindings(self.ledger, name, self.context.clock.now)
            connector.remember_in(LedgerHandles(self.ledger, name), findings)

    def run(self, seconds: float = 5.0, *, keys: Collection[str] = ()) -> DrainCounts:
        """Work until nothing is due, or for about that long; then finish what is under way.

        `keys`, when not empty: only the work of these keys is taken up.
        """
        self.counts, self._keys = DrainCounts(), keys
        try:
            return self._loop(seconds)
        except Exception:
            # The ledger failed us: what was under way is as if this worker had died here. Claims
            # and leases run out.
            self._ready, self._waiting, self._flying, self._gate = [], [], {}, ConnectionGate()
            self._running = self._below_live = 0
            raise

    def _loop(self, seconds: float) -> DrainCounts:
        end = self.context.clock.now() + timedelta(seconds=seconds)
        self._overtime_ends = end + MAX_OVERTIME
        while True:
            if not self._hangs():
                self.beat()
            self._late = self.stopping() or self.context.clock.now() >= end
            claimed = self._step(claim=self._may_claim())
            self._submit()
            if self._ready:
                continue
            if not self._running and not claimed and not self._more_to_come():
                return self.counts
            self._collect()
            self._submit()  # what waited for a place does not wait for the ledger, too

    def _hangs(self) -> bool:
        """Return whether a call is under way long after it should have ended by itself."""
        now = self.context.clock.now()
        return any(
            now >= min(effect.deadline for effect in request.effects) + HANGS_AFTER
            for request in self._flying.values()
        )

    def _more_to_come(self) -> bool:
        """Return whether a drain that has nothing under way should stay."""
        return not (self._late or self.outdated or self._keys) and (
            bool(self._gate.waiting) or self._nearly_due()
        )

    def _may_claim(self) -> bool:
        held = self._held()
        if self._late and (self.stopping() or not (self._below_live or held)):
            return False  # else a long job is seen through, and others shall not wait for it
        now = self.context.clock.now()
        waited = self._claimed_at is None or now - self._claimed_at >= MIN_CLAIM_INTERVAL
        free = MAX_RUNNING - self._running + len(held)
        return free > 0 and (waited or not self._running)

    def _held(self) -> list[tuple[str, RunningProcedure]]:
        """Return what slow vendors hold up, each with the connection; none after the overtime."""
        now = self.context.clock.now()
        if self._overtime_ends is not None and now >= self._overtime_ends:
            return []
        return [
            (request.connection, running)
            for request in (*self._waiting, *self._flying.values())
            if request.asked_at + HELD_AFTER <= now
            for running in request.procedures
        ]

    def _claim(self, tx: Tx) -> list[RunningProcedure]:
        context, now = self.context, self.context.clock.now()
        self._claims += 1
        self._claimed_at = now
        held = self._held()
        held_below_live = sum(running.lane != "live" for _, running in held)
        free_below_live = MAX_RUNNING - RESERVED_FOR_LIVE - self._below_live + held_below_live
        capacity = Capacity(
            free=MAX_RUNNING - self._running + len(held),
            below_live=0 if self._late and not held else free_below_live,
            load={name: self._load(name) for name in context.connections},
            # Else a drain would never end: the slow ones' work is for the next.
            slow=frozenset(name for name, _ in held) if self._late else frozenset(),
        )
        self.outdated = not self.procedures.catch_up(tx, context)
        if self.outdated:
            return []
        batch = claim_batch(tx, context, self.owner, now, capacity, self._claims, keys=self._keys)
        self._gate.states = batch.states
        return [self._begin(claimed) for claimed in batch.taken]

    def _begin(self, claimed: ClaimedWork) -> RunningProcedure:
        token = f"{self.owner}/{self.context.fresh_id()}"
        task = Task(claimed.row, self.owner, token)
        procedure = self.procedures.begin(self.context, task)
        return RunningProcedure(task, procedure, claimed.lane, claimed.probe)

    def _load(self, connection: str) -> int:
        requests = [*self._waiting, *self._flying.values()]
        return sum(len(each.procedures) for each in requests if each.connection == connection)

    def _step(self, *, claim: bool) -> int:
        """Let every procedure that has its answer go on; commit all ledger effects, and claim.

        Returns how much was claimed.
        """
        ready, self._ready = self._ready, []
        acts: list[tuple[RunningProcedure, Callable[[Tx], object]]] = []
        failed: list[tuple[RunningProcedure, Exception]] = []
        for running, answer, error in ready:
            effect = self._advance(running, answer, error)
            if isinstance(effect, Transact) and effect.only_looks:
                self._ready.append((running, *self._looked(effect)))
            elif isinstance(effect, Transact):
                acts.append((running, effect.act))
            elif isinstance(effect, Read | Grant | Call):
                self._enqueue(running, effect)
            elif isinstance(effect, Exception):
                failed.append((running, effect))
            else:
                self._end(running)
        self._gate.record(self.ledger, self.context)
        return self._commit(acts, failed, claim=claim) if acts or failed or claim else 0

    def _looked(self, effect: Transact) -> tuple[object, Exception | None]:
        """Carry out an effect that only looks: what it found, or the error that it ended in."""
        try:
            with self.ledger.read() as tx:
                return effect.act(tx), None
        except Exception as error:  # noqa: BLE001 - raised in the procedure, which knows
            return None, error

    def _end(self, running: RunningProcedure) -> None:
        self._running -= 1
        self._below_live -= running.lane != "live"
        if running.granted is not None:  # it came to no call, after all
            self._free_place(running.granted)
        self._gate.ended(running)

    def _commit(
        self,
        acts: list[tuple[RunningProcedure, Callable[[Tx], object]]],
        failed: list[tuple[RunningProcedure, Exception]],
        *,
        claim: bool,
    ) -> int:
        self.counts.failed += len(failed)
        self.counts.transactions += 1
        done: list[tuple[RunningProcedure, object, Exception | None]] = []
        with self.ledger.transaction() as tx:
            for running, act in acts:
                answer, raised = None, None
                try:
                    with savepoint(tx):
                        answer = act(tx)
                except Exception as error:  # noqa: BLE001 - raised in the procedure, which knows
                    raised = error  # the end of the savepoint may have raised it, too
                done.append((running, None if raised else answer, raised))
            for running, failure in failed:
                try:
                    with savepoint(tx):
                        run_failure = self.procedures.run_failures.get(running.task.row.kind)
                        apply_outcome(tx, self.context, running.task, failure, run_failure)
                except Exception:  # the claim runs out, and the row is taken up again
                    log.exception(
                        "the outcome of %s could not be stored: %s", running.task.row.key, failure
                    )
            if failed:  # it may have stopped a connection
                health = connection_health.by_name(tx)
                self._gate.states = connection_states(health, self.context.clock.now())
            begun = self._claim(tx) if claim else []
        for running, _failure in failed:
            self._end(running)
        self._ready += [*done, *((running, None, None) for running in begun)]
        self._running += len(begun)
        self._below_live += sum(running.lane != "live" for running in begun)
        self.counts.claimed += len(begun)
        return len(begun)

    @staticmethod
    def _advance(
        running: RunningProcedure, answer: object, error: Exception | None
    ) -> Effect | Exception | None:
        """Return the procedure's next effect, or the error that ended it; None: it is through."""
        try:
            if error is not None:
                return running.procedure.throw(error)
            return running.procedure.send(answer)
        except StopIteration:
            return None
        except Exception as raised:  # noqa: BLE001 - `apply_outcome` decides for every error alike
            return raised

    def _enqueue(self, running: RunningProcedure, effect: Read | Grant | Call) -> None:
        """Let a read join others of its kind that are waiting; anything else waits alone.

        A call takes what its procedure was granted before.
        """
        if resting := self._gate.turned_away(effect.connection, [running]):
            self._ready.append((running, None, resting))
            return
        if isinstance(effect, Read):
            size = self.context.capabilities[effect.connection][effect.entity].read_batch
            if any(request.join(running, effect, size) for request in self._waiting):
                return
        now, granted = self.context.clock.now(), running.granted
        called = effect.connection if isinstance(effect, Call) else None
        if granted is not None and granted.connection == called:
            granted.effects, granted.asked_at, running.granted = [effect], now, None
            self._waiting.append(granted)
            return
        self._waiting.append(RemoteRequest(effect.connection, [running], [effect], now, now))

    def _submit(self) -> None:
        """Send what the budgets allow, but for what may not be called any more."""
        now = self.context.clock.now()
        still_waiting: list[RemoteRequest] = []
        # Within a lane, in the order of asking.
        self._waiting.sort(key=lambda request: LANES.index(request.lane))
        for request in self._waiting:
            if not_sent := self._too_late(request, now):
                self._ready.extend((running, None, not_sent) for running in request.procedures)
                if request.granted:
                    self._free_place(request)
            elif now < request.not_before:
                still_waiting.append(request)
            elif (pause := self._ask(request, now)) > 0:
                request.not_before = now + timedelta(seconds=pause)
                still_waiting.append(request)
            elif isinstance(request.effects[0], Grant):
                (running,) = request.procedures
                running.granted = request
                self._ready.append((running, None, None))
            else:
                self.counts.calls += request.weight
                sent = self.pool.submit(request.carry_out, self.connectors, self.context.clock)
                self._flying[sent] = request
        self._waiting = still_waiting

    def _too_late(self, request: RemoteRequest, now: datetime) -> BridgeError | None:
        """Return why a request that waited is not sent.

        It is past its deadline, its worker stops, or its connection is shut.
        """
        if now >= min(effect.deadline for effect in request.effects):
            held_up = "no call started before its deadline (waiting for its budget)"
            return LeaseLost(f"{request.connection}: {held_up}")
        if now < request.not_before and self.stopping():
            held_up = "no call started before its worker was told to stop"
            return LeaseLost(f"{request.connection}: {held_up}")
        return self._gate.turned_away(request.connection, request.procedures)

    def _ask(self, request: RemoteRequest, now: datetime) -> float:
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

    def _collect(self) -> None:
        """Wait a moment for answers; with none under way, for a budget or for work nearly due."""
        if not self._flying:
            pause = IDLE_SECONDS_BUDGET if self._waiting else IDLE_SECONDS
            self.context.clock.sleep(pause)
            return
        timeout = POLL_SECONDS_BUDGET if self._waiting else POLL_SECONDS
        done, _ = wait(self._flying, timeout=timeout, return_when=FIRST_COMPLETED)
        # In the order of sending, for a set has none.
        for future in [each for each in self._flying if each in done]:
            request = self._flying.pop(future)
            error = future.exception()
            self._give_back(request)
            self._gate.heard(
                self.context, self.budget, request.connection, request.procedures, error
            )
            answers: list[object] = [None] * len(request.procedures) if error else future.result()
            raised = error if isinstance(error, Exception) else None
            for running, answer in zip(request.procedures, answers, strict=True):
                its_own = answer if isinstance(answer, Exception) else None
                self._ready.append((running, answer, raised or its_own))

    def _give_back(self, request: RemoteRequest) -> None:
        """Give the request's place back, and charge what it took beyond what it was granted."""
        if request.made > request.granted:
            connection = self.context.connections[request.connection]
            more = request.made - request.granted
            self.budget.charge(connection, more, self.context.clock.now())
        self._free_place(request)

    def _free_place(self, request: RemoteRequest) -> None:
        self.budget.release(request.connection, request.procedures[0].holder)
        self._wake_next(request.connection)

    def _wake_next(self, connection: str) -> None:
        """Let the first that waits for the connection ask at once, for a place has become free."""
        now = self.context.clock.now()
        waiting = (each for each in self._waiting if each.connection == connection)
        if first := next((each for each in waiting if each.not_before > now), None):
            first.not_before = now

    def _nearly_due(self) -> bool:
        now = self.context.clock.now()
        with self.ledger.read() as tx:
            due = work.next_due(tx, now, connection_health.closed(tx, now))
        return due is not None and due < now + NEARLY_DUE
