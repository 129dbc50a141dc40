"""The drain: carries out what the procedures ask for, many tickets at a time.

Ledger effects that are ready together commit in one transaction (each in its own savepoint); reads
of one connection are batched; calls run on threads, within the connection's shared budget. A slow
vendor holds up its own calls only: the loop goes on with whatever is ready.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.connectors.contract import Connector
from bridge.core.model.lanes import LANES
from bridge.engine.budget import Budget
from bridge.engine.context import Context, Task
from bridge.engine.effects import Call, Effect, Procedure, Read, Transact
from bridge.engine.in_flight import RemoteRequest, RunningProcedure
from bridge.engine.outcomes import (
    FIRST_DELAY_SECONDS,
    CallOutcome,
    CallOutcomes,
    apply_outcome,
)
from bridge.engine.scheduling import Capacity, claim_batch
from bridge.errors import LeaseLost, RateLimited, Resting
from bridge.ledger import connection_health, work
from bridge.ledger.database import Ledger, Tx, savepoint

log = logging.getLogger("bridge.flow")

MAX_RUNNING = 16
"""Work rows under way in one drain."""
RESERVED_FOR_LIVE = 4
"""Of these, so many are left to the live lane: a long job never fills them all."""
MIN_CLAIM_INTERVAL = timedelta(milliseconds=25)
"""While work is under way more is claimed no oftener: looking for it costs as much as doing it."""
NEARLY_DUE_SECONDS = 0.3
"""Seconds for which a drain waits for work that is nearly due, rather than end and be rung again."""


@dataclass(frozen=True, slots=True)
class Procedures:
    """What the engine is handed: how each kind of work is done."""

    by_kind: Mapping[str, Callable[[Context, Task], Procedure]]
    catch_up: Callable[[Tx, Context], None]
    """Takes in what other workers have learned, before work is claimed."""


@dataclass(slots=True)
class DrainCounts:
    """What one drain did."""

    claimed: int = 0
    failed: int = 0
    transactions: int = 0
    calls: int = 0


@dataclass(slots=True)
class Drain:
    """One worker's engine. `run` may be called again and again; it is not for two threads at once."""

    context: Context
    ledger: Ledger
    connectors: dict[str, Connector]
    budget: Budget
    owner: str
    procedures: Procedures
    pool: Executor = field(
        default_factory=lambda: ThreadPoolExecutor(MAX_RUNNING, thread_name_prefix="call")
    )
    stopping: Callable[[], bool] = lambda: False
    figures: DrainCounts = field(default_factory=DrainCounts)
    _ready: list[tuple[RunningProcedure, object, Exception | None]] = field(default_factory=list)
    _waiting: list[RemoteRequest] = field(default_factory=list)
    _flying: dict[Future[list[object]], RemoteRequest] = field(default_factory=dict)
    _running: int = 0
    _low: int = 0
    """Of those running, how many are of a lane below live."""
    _late: bool = False
    """Its time is up: of the lanes below live nothing new is begun."""
    _claims: int = 0
    _claimed_at: datetime | None = None
    _troubled: set[str] = field(default_factory=set)
    """Connections whose health is not without a blemish: only their good answers need to be written down."""
    _shut: set[str] = field(default_factory=set)
    """Connections that may not be called, but by the one that probes."""
    _answers: CallOutcomes = field(default_factory=CallOutcomes)

    def run(self, seconds: float = 5.0) -> DrainCounts:
        """Work until nothing is due, or for about that long; then see through what is under way, and return."""
        self.figures = DrainCounts()
        try:
            return self._loop(seconds)
        except Exception:
            # The ledger failed us: what was under way is as if this worker had died here. Claims
            # and leases run out.
            self._ready, self._waiting, self._flying, self._answers = [], [], {}, CallOutcomes()
            self._running = self._low = 0
            raise

    def _loop(self, seconds: float) -> DrainCounts:
        began = self.context.clock.now()
        while True:
            self._late = self.stopping() or self.context.clock.now() >= began + timedelta(
                seconds=seconds
            )
            claimed = self._step(claim=self._may_claim())
            self._submit()
            if self._ready:
                continue
            if (
                not self._running
                and not claimed
                and (self._late or not (self._answers.waiting or self._nearly_due()))
            ):
                return self.figures
            self._collect()
            self._submit()  # what waited for a place does not wait for the ledger, too

    def _may_claim(self) -> bool:
        if self._late and (not self._low or self.stopping()):
            return False  # else a long job is seen through, and live work shall not wait for it
        waited = (
            self._claimed_at is None
            or self.context.clock.now() - self._claimed_at >= MIN_CLAIM_INTERVAL
        )
        return self._running < MAX_RUNNING and (waited or not self._running)

    def _claim(self, tx: Tx) -> list[RunningProcedure]:
        context, now = self.context, self.context.clock.now()
        self._claims += 1
        self._claimed_at = now
        room = Capacity(
            free=MAX_RUNNING - self._running,
            low=0 if self._late else MAX_RUNNING - RESERVED_FOR_LIVE - self._low,
            load={name: self._load(name) for name in context.connections},
        )
        self.procedures.catch_up(tx, context)
        choice = claim_batch(tx, context, self.owner, now, room, self._claims)
        self._troubled, self._shut = choice.troubled, choice.shut
        begun = []
        for taken in choice.taken:
            task = Task(taken.row, self.owner, f"{self.owner}/{context.fresh_id()}")
            begun.append(
                RunningProcedure(
                    task,
                    self.procedures.by_kind[taken.row.kind](context, task),
                    taken.lane,
                    taken.probe,
                )
            )
        return begun

    def _load(self, connection: str) -> int:
        return sum(
            len(w.runs)
            for w in [*self._waiting, *self._flying.values()]
            if w.connection == connection
        )

    def _step(self, *, claim: bool) -> int:
        """Advance every procedure that has its answer; judge the answers; commit all effects, and claim, at once."""
        ready, self._ready = self._ready, []
        acts: list[tuple[RunningProcedure, Callable[[Tx], object]]] = []
        over: list[tuple[RunningProcedure, Exception]] = []
        for run, value, error in ready:
            effect = self._advance(run, value, error)
            if isinstance(effect, Transact):
                acts.append((run, effect.act))
            elif isinstance(effect, Read | Call):
                self._enqueue(run, effect)
            elif isinstance(effect, Exception):
                over.append((run, effect))
            else:
                self._end(run)
        self._answers.judge(self.ledger, self.context)
        return self._commit(acts, over, claim=claim) if acts or over or claim else 0

    def _end(self, run: RunningProcedure) -> None:
        self._running -= 1
        self._low -= run.lane != "live"
        if run.probe:  # it came to no call there: another one may try
            self._answers.waiting.append(
                CallOutcome(run.probe, LeaseLost("no call was made"), probe=True)
            )

    def _commit(
        self,
        acts: list[tuple[RunningProcedure, Callable[[Tx], object]]],
        over: list[tuple[RunningProcedure, Exception]],
        *,
        claim: bool,
    ) -> int:
        self.figures.failed += len(over)
        self.figures.transactions += 1
        done: list[tuple[RunningProcedure, object, Exception | None]] = []
        with self.ledger.transaction() as tx:
            for run, act in acts:
                try:
                    with savepoint(tx):
                        done.append((run, act(tx), None))
                except Exception as error:  # noqa: BLE001 - thrown into the procedure, which knows what it means
                    done.append((run, None, error))
            for run, failure in over:
                try:
                    with savepoint(tx):
                        apply_outcome(tx, self.context, run.task, failure)
                except Exception:  # the claim runs out, and the row is taken up again
                    log.exception("%s could not be settled after: %s", run.task.row.key, failure)
            begun = self._claim(tx) if claim else []
        for run, _failure in over:
            self._end(run)
        self._ready += [*done, *((run, None, None) for run in begun)]
        self._running += len(begun)
        self._low += sum(run.lane != "live" for run in begun)
        self.figures.claimed += len(begun)
        return len(begun)

    @staticmethod
    def _advance(
        run: RunningProcedure, value: object, error: Exception | None
    ) -> Effect | Exception | None:
        try:
            return run.procedure.throw(error) if error is not None else run.procedure.send(value)
        except StopIteration:
            return None
        except Exception as raised:  # noqa: BLE001 - flow.outcome decides for every error alike
            return raised

    def _enqueue(self, run: RunningProcedure, effect: Read | Call) -> None:
        """Let a read join others of its kind that are waiting; anything else waits alone."""
        now = self.context.clock.now()
        if effect.connection in self._shut and run.probe != effect.connection:
            rests = Resting(effect.connection, "paused or stopped; nothing was sent")
            self._ready.append((run, None, rests))
            return
        if isinstance(effect, Read):
            size = self.context.capabilities[effect.connection][effect.entity].read_batch
            if any(group.join(run, effect, size) for group in self._waiting):
                return
        self._waiting.append(RemoteRequest(effect.connection, [run], [effect], now))

    def _submit(self) -> None:
        """Send what the budgets allow; what waited past its deadline was never sent."""
        now = self.context.clock.now()
        still: list[RemoteRequest] = []
        self._waiting.sort(
            key=lambda group: LANES.index(group.lane)
        )  # within a lane, in the order of asking
        for group in self._waiting:
            if now >= min(effect.deadline for effect in group.effects):
                late = LeaseLost(
                    f"{group.connection}: no call started before its deadline (waiting for its budget)"
                )
                self._ready.extend((run, None, late) for run in group.runs)
                continue
            if now >= group.not_before:
                pause = self._ask(group, now)
                if pause <= 0:
                    self.figures.calls += group.weight
                    self._flying[
                        self.pool.submit(group.carry_out, self.connectors, self.context.clock)
                    ] = group
                    continue
                group.not_before = now + timedelta(seconds=pause)
            still.append(group)
        self._waiting = still

    def _ask(self, group: RemoteRequest, now: datetime) -> float:
        """Ask the budget for every call of a group; 0 when all are granted, else the seconds to wait."""
        connection = self.context.connections[group.connection]
        holder = group.runs[0].holder = f"{self.owner}:{id(group)}"
        while True:
            hold = group.weight * connection.timeout + 5.0
            pause = self.budget.acquire(connection, holder, now, hold=hold, lane=group.lane)
            if pause > 0:
                return pause
            group.granted += 1
            if group.granted >= group.weight:
                return 0.0
            self.budget.release(
                connection.name, holder
            )  # its place in flight; the call stays counted

    def _collect(self) -> None:
        """Wait a moment for answers; with none under way, for a budget or for work that is nearly due."""
        if not self._flying:
            self.context.clock.sleep(0.005 if self._waiting else 0.02)
            return
        done, _ = wait(
            self._flying, timeout=0.01 if self._waiting else 0.05, return_when=FIRST_COMPLETED
        )
        for future in [
            each for each in self._flying if each in done
        ]:  # in the order of sending, for a set has none
            group = self._flying.pop(future)
            if group.made > group.granted:
                connection = self.context.connections[group.connection]
                self.budget.charge(connection, group.made - group.granted, self.context.clock.now())
            self.budget.release(group.connection, group.runs[0].holder)
            self._next_one(group.connection)
            error = future.exception()
            if error is not None or group.probe or group.connection in self._troubled:
                item = group.runs[0].task.row.key
                self._answers.waiting.append(
                    CallOutcome(group.connection, error, group.probe, item)
                )
            for run in group.runs:
                run.probe = "" if run.probe == group.connection else run.probe
            if isinstance(error, RateLimited):
                # The ledger's pause keeps new work back; this keeps back what is under way already,
                # here and elsewhere.
                rest = error.retry_after or self.context.backoff.get(
                    group.connection, FIRST_DELAY_SECONDS
                )
                self.budget.hold_off(group.connection, rest, self.context.clock.now())
            answers: list[object] = [None] * len(group.runs) if error else future.result()
            for run, answer in zip(group.runs, answers, strict=True):
                self._ready.append((run, answer, error if isinstance(error, Exception) else None))

    def _next_one(self, connection: str) -> None:
        """A place has become free: let the first that waits for the connection ask for it at once."""
        now = self.context.clock.now()
        waiting = (
            group
            for group in self._waiting
            if group.connection == connection and group.not_before > now
        )
        if (first := next(waiting, None)) is not None:
            first.not_before = now

    def _nearly_due(self) -> bool:
        now = self.context.clock.now()
        with self.ledger.read() as tx:
            due = work.next_due(tx, now, connection_health.closed(tx, now))
        return due is not None and due < now + timedelta(seconds=NEARLY_DUE_SECONDS)
