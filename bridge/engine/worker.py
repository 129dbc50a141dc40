"""The drain: carries out what the procedures ask for, many tickets at a time.

Ledger effects that are ready together are carried out in one transaction, each kind for all tickets
in one go (`ledger_steps`); reads of one connection are batched; calls run on threads, within the
connection's shared budget. A slow vendor holds up its own calls only: the loop goes on with
whatever is ready.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from bridge.clock import TimeLimit
from bridge.connectors.contract import Connector
from bridge.engine.budget import Budget
from bridge.engine.connection_gate import ConnectionGate
from bridge.engine.context import Context, Task
from bridge.engine.effects import (
    Effect,
    LedgerEffect,
    Procedure,
    RemoteEffect,
    TakeLink,
    Transact,
)
from bridge.engine.in_flight import RunningProcedure
from bridge.engine.ledger_steps import carry_out
from bridge.engine.outcomes import RunFailure, apply_outcome, hold_back, retire
from bridge.engine.remote_calls import RemoteCalls, Reply
from bridge.engine.scheduling import (
    Capacity,
    ClaimedWork,
    claim_batch,
    connection_states,
    most_below_live,
    most_running,
)
from bridge.ledger import connection_health, paused_runs, takeover, work
from bridge.ledger.database import Ledger, TransactionLost, Tx, savepoint
from bridge.ledger.handles import LedgerHandles
from bridge.ledger.probes import LedgerFindings

log = logging.getLogger("bridge.engine")

MAX_OVERTIME: Final = 60.0
"""So many seconds a drain that is held up goes on with other connections after its time."""
MAX_THREADS = 128
"""Calls at the same time; threads are made as they are needed."""
MIN_CLAIM_INTERVAL = timedelta(milliseconds=25)
"""Between two claims while work is under way: looking for work costs as much as doing it."""
NEARLY_DUE = timedelta(seconds=0.3)
"""A drain waits for work that is due within this, rather than end and be rung again."""


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
        if task.row.connection not in context.connections:
            return retire(context, task, self.run_failures.get(kind))
        if paused_runs.goes_by(task.row, context.paused_runs):
            return hold_back(context, task)
        return self.by_kind[kind](context, task)


@dataclass(slots=True)
class DrainCounts:
    """What one drain did."""

    claimed: int = 0
    failed: int = 0
    transactions: int = 0
    calls: int = 0


def call_threads() -> Executor:
    """Return the threads on which calls are made; they begin as they are needed."""
    return ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="call")


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
    pool: Executor = field(default_factory=call_threads)
    stopping: Callable[[], bool] = lambda: False
    beat: Callable[[], object] = lambda: None
    """Called while the loop goes round and no call hangs: it says that this worker is at work."""
    outdated: bool = False
    """The bridge was started with other files since: what is under way is ended, nothing begun."""
    counts: DrainCounts = field(default_factory=DrainCounts)
    _ready: list[Reply] = field(default_factory=list)
    """Procedures that can go on."""
    _asking: list[tuple[RunningProcedure, Effect | Exception | None]] = field(default_factory=list)
    """Procedures that have gone on already, and what they ask for."""
    _running: int = 0
    _below_live: int = 0
    """Of those running, how many are of a lane below live."""
    _late: bool = False
    """Its time is up: of the lanes below live nothing new is begun, unless it is held up."""
    _overtime: TimeLimit | None = None
    _keys: Collection[str] = ()
    """Not empty: nothing else is claimed."""
    _broke_off: bool = False
    """The ledger failed us in the middle: what we had claimed and leased is held by nobody."""
    _claims: int = 0
    _claimed_at: datetime | None = None
    _gate: ConnectionGate = field(default_factory=ConnectionGate)
    _calls: RemoteCalls = field(init=False)

    def __post_init__(self) -> None:
        """Let each connector use what the ledger knows."""
        for name, connector in self.connectors.items():
            findings = LedgerFindings(self.ledger, name, self.context.clock.now)
            connector.remember_in(LedgerHandles(self.ledger, name), findings)
        self._calls = RemoteCalls(
            self.context,
            self.connectors,
            self.budget,
            self.owner,
            self.pool,
            self.stopping,
            self._gate,
        )

    def work_by(self, context: Context) -> None:
        """Work by other files from now on. Nothing may be under way, which `run` sees to."""
        self.context = self._calls.context = context

    def run(self, seconds: float = 5.0, *, keys: Collection[str] = ()) -> DrainCounts:
        """Work until nothing is due, or for about that long; then finish what is under way.

        `keys`, when not empty: only the work of these keys is taken up.
        """
        self.counts, self._keys, made = DrainCounts(), keys, self._calls.made
        if self._broke_off:
            self._free_what_was_left()
        try:
            self._loop(seconds)
        except Exception:
            # The ledger failed us: what was under way is as if this worker had died here.
            self._broke_off = True
            self._ready, self._asking = [], []
            self._calls.forget()
            self._gate.forget()
            self._running = self._below_live = 0
            raise
        self.counts.calls = self._calls.made - made
        return self.counts

    def _free_what_was_left(self) -> None:
        """Free what we held as the ledger failed: else all of it would wait for claims to run out.

        The links of writes that may be on their way keep their leases, as a dead worker's do.
        """
        self._calls.free_landed()
        with self.ledger.transaction() as tx:
            takeover.release_dead(tx, self.context.clock.now(), self.owner.__eq__)
        self._broke_off = False

    def _loop(self, seconds: float) -> None:
        clock = self.context.clock
        limit = TimeLimit(clock, seconds)
        self._overtime = TimeLimit(clock, seconds + MAX_OVERTIME)
        while True:
            if not self._calls.hangs():
                self.beat()
            self._late = self.stopping() or limit.is_over()
            looks = self._may_claim()
            claimed = self._step(claim=looks)
            self._calls.submit()
            if self._ready or self._asking or self._calls.answered:
                continue
            if not self._running and not claimed:
                if not (looks or self._late):
                    continue  # what has just ended may have left something to do
                if not self._more_to_come():
                    return
            self._calls.collect()

    def _more_to_come(self) -> bool:
        """Return whether a drain that has nothing under way should stay."""
        return not (self._late or self.outdated or self._keys) and (
            bool(self._gate.waiting) or self._nearly_due()
        )

    def _nearly_due(self) -> bool:
        now = self.context.clock.now()
        with self.ledger.read() as tx:
            due = work.next_due(tx, now, connection_health.closed(tx, now))
        return due is not None and due < now + NEARLY_DUE

    def _step(self, *, claim: bool) -> int:
        """Let every procedure that has its answer go on; commit all ledger effects, and claim.

        Returns how much was claimed.
        """
        ready, self._ready = [*self._ready, *self._calls.take_answered()], []
        asking, self._asking = self._asking, []
        asking += [
            (running, self._advance(running, answer, error)) for running, answer, error in ready
        ]
        asked: list[tuple[RunningProcedure, LedgerEffect]] = []
        failed: list[tuple[RunningProcedure, Exception]] = []
        for running, effect in asking:
            if isinstance(effect, Transact) and effect.only_looks:
                self._ready.append((running, *self._looked(effect)))
            elif isinstance(effect, LedgerEffect):
                asked.append((running, effect))
            elif isinstance(effect, RemoteEffect):
                self._calls.ask(running, effect)
            elif isinstance(effect, Exception):
                failed.append((running, effect))
            else:
                self._end(running)
        self._calls.submit()  # vendors are asked while the ledger stores
        self._gate.record(self.ledger, self.context)
        return self._commit(asked, failed, claim=claim) if asked or failed or claim else 0

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
        self._calls.ended(running)
        self._gate.ended(running)

    def _commit(
        self,
        asked: list[tuple[RunningProcedure, LedgerEffect]],
        failed: list[tuple[RunningProcedure, Exception]],
        *,
        claim: bool,
    ) -> int:
        self.counts.failed += len(failed)
        self.counts.transactions += 1
        with self.ledger.transaction() as tx:
            done = self._carry_out(tx, asked)
            self._store_outcomes(tx, failed)
            begun = self._claim(tx) if claim else []
            # What has begun asks for its link at once, in the transaction that claimed it.
            first = [(running, self._advance(running, None, None)) for running in begun]
            takes = [(running, effect) for running, effect in first if isinstance(effect, TakeLink)]
            done += self._carry_out(tx, takes)
        for running, _failure in failed:
            self._end(running)
        self._ready += done
        self._asking += [each for each in first if not isinstance(each[1], TakeLink)]
        self._running += len(begun)
        self._below_live += sum(running.lane != "live" for running in begun)
        self.counts.claimed += len(begun)
        return len(begun)

    def _carry_out(
        self, tx: Tx, asked: Sequence[tuple[RunningProcedure, LedgerEffect]]
    ) -> list[Reply]:
        came_to = carry_out(tx, [effect for _running, effect in asked], self.context.clock.now())
        return [(running, *each) for (running, _), each in zip(asked, came_to, strict=True)]

    def _store_outcomes(self, tx: Tx, failed: list[tuple[RunningProcedure, Exception]]) -> None:
        for running, failure in failed:
            try:
                with savepoint(tx):
                    run_failure = self.procedures.run_failures.get(running.task.row.kind)
                    apply_outcome(tx, self.context, running.task, failure, run_failure)
            except TransactionLost:
                raise
            except Exception:  # the claim runs out, and the row is taken up again
                log.exception(
                    "the outcome of %s could not be stored: %s", running.task.row.key, failure
                )
        if failed:  # it may have stopped a connection
            health = connection_health.by_name(tx)
            self._gate.states = connection_states(health, self.context.clock.now())

    def _may_claim(self) -> bool:
        held_up = self._held_up()
        if self._late and (self.stopping() or not (self._below_live or held_up)):
            return False  # else a long job is seen through, and others shall not wait for it
        now = self.context.clock.now()
        claimed_at = self._claimed_at
        waited = claimed_at is None or not claimed_at <= now < claimed_at + MIN_CLAIM_INTERVAL
        free = most_running(self.context, self._calls.paces) - self._running + len(held_up)
        return free > 0 and (waited or not self._running)

    def _claim(self, tx: Tx) -> list[RunningProcedure]:
        context, now = self.context, self.context.clock.now()
        self._claims += 1
        self._claimed_at = now
        held_up = self._held_up()
        held_up_below_live = sum(running.lane != "live" for _, running in held_up)
        most = most_running(context, self._calls.paces)
        free_below_live = most_below_live(most) - self._below_live + held_up_below_live
        capacity = Capacity(
            free=most - self._running + len(held_up),
            below_live=0 if self._late and not held_up else free_below_live,
            load=self._calls.load(),
            paces=self._calls.paces,
            # Else a drain would never end: the slow ones' work is for the next.
            slow=frozenset(name for name, _ in held_up) if self._late else frozenset(),
        )
        self.outdated = not self.procedures.catch_up(tx, context)
        if self.outdated:
            return []
        batch = claim_batch(tx, context, self.owner, now, capacity, self._claims, keys=self._keys)
        self._gate.states = batch.states
        return [self._begin(claimed) for claimed in batch.taken]

    def _begin(self, claimed: ClaimedWork) -> RunningProcedure:
        token = f"{self.owner}/{self.context.fresh_id()}"
        task = Task(claimed.row, self.owner, token, alone=bool(self._keys))
        procedure = self.procedures.begin(self.context, task)
        return RunningProcedure(task, procedure, claimed.lane, claimed.probe)

    def _held_up(self) -> list[tuple[str, RunningProcedure]]:
        """Return what slow vendors hold up, each with the connection; none after the overtime."""
        if self._overtime is not None and self._overtime.is_over():
            return []
        return self._calls.held_up()
