"""A worker that does one effect at a time: others come in between, and it can die anywhere.

What it claims, whom it may call and what it tells of the answers is decided by the drain's own
code (`claim_batch`, `ConnectionGate`, `RemoteRequest`); only the loop around it is another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Protocol

from bridge.connectors.contract import Connector
from bridge.engine.budget import Budget
from bridge.engine.connection_gate import ConnectionGate
from bridge.engine.context import Context, Task
from bridge.engine.effects import Call, Effect, Grant, LedgerEffect, Procedure, Read
from bridge.engine.in_flight import RemoteRequest, RunningProcedure
from bridge.engine.ledger_steps import carry_out_one
from bridge.engine.outcomes import apply_outcome
from bridge.engine.scheduling import Capacity, ClaimedWork, claim_batch, connection_states
from bridge.errors import LeaseLost, Unauthorised
from bridge.ledger import connection_health
from bridge.ledger.database import Ledger
from bridge.procedures import PROCEDURES
from bridge.simulate.crash_points import place_of
from bridge.simulate.vendor_line import KEY_REFUSED, Died

ONE: Final = Capacity(free=1, below_live=1, load={})
"""It has room for one piece of work."""


class Scene(Protocol):
    """The world in which a worker works."""

    clock: Any
    ledger: Ledger
    context: Context
    connectors: dict[str, Connector]

    @property
    def limits(self) -> Budget:
        """Return the budget that holds calls back."""


class StepWorker:
    """Drives one procedure, effect by effect."""

    def __init__(self, scene: Scene, name: str) -> None:
        self.scene, self.name = scene, name
        self.gate = ConnectionGate()
        self.running: RunningProcedure | None = None
        self.effect: Effect | None = None
        self.granted = ""
        """The connection at which the next call needs no more leave."""
        self.untold = ""
        """The connection of which it alone knows that the key is refused."""
        self._claims = 0
        self._claimed: list[ClaimedWork] = []
        """Work that it holds besides, for a probe is claimed beyond its room."""
        self._until: datetime | None = None
        """When its claims run out."""

    @property
    def task(self) -> Task | None:
        """Return what it has in hand."""
        return self.running.task if self.running is not None else None

    @property
    def busy(self) -> bool:
        """Return whether it has something in hand."""
        return self.running is not None

    def place(self) -> str:
        """Return the place at which it stands; empty when it has nothing in hand."""
        if self.running is None:
            return ""
        return place_of(self.running.task.row.kind, self.running.procedure)

    def step(self) -> bool:
        """Do one thing; False when there was nothing to do."""
        running, effect = self.running, self.effect
        if running is None or effect is None:
            self._claim()
            return self.busy
        if not isinstance(effect, LedgerEffect) and self._held_up(running, effect):
            return True
        try:
            answer = self._do(running, effect)
        except Died:
            self.drop()
        except Exception as error:  # noqa: BLE001 - thrown into the procedure, which knows what it means
            self._throw(error)
        else:
            self._send(answer)
        return True

    def die(self, *, after: bool) -> str:
        """Stop for ever in the middle of things, before or after the next effect is done.

        Returns the connection of which it alone knew that the key is refused, if any.
        """
        if self.running is not None and self.effect is not None and after:
            with contextlib.suppress(Exception, Died):  # whatever it was, nobody heard of it
                self._do(self.running, self.effect)
        return self.drop()

    def drop(self) -> str:
        """Forget everything, as a killed process does; returns what `die` does."""
        untold = self.untold
        self._let_go()
        self._claimed, self.gate = [], ConnectionGate()
        return untold

    def _let_go(self) -> None:
        self.running = self.effect = None
        self.granted = self.untold = ""

    def about_to_write(self) -> str | None:
        """Return the connection to which it delivers, if it does."""
        if self.task is None or self.task.row.kind != "deliver":
            return None
        return self.task.row.connection

    def may_call(self, connection: str) -> bool:
        """Return whether its gate lets it call a connection."""
        asking = [self.running] if self.running is not None else []
        return self.gate.turned_away(connection, asking) is None

    def _claim(self) -> None:
        scene, now = self.scene, self.scene.clock.now()
        self._claims += 1
        self._until = now + scene.context.lease(scene.context.connections)
        with scene.ledger.transaction() as tx:
            PROCEDURES.catch_up(tx, scene.context)
            batch = claim_batch(
                tx, scene.context, self.name, now, ONE, self._claims, until=self._until
            )
        self._claimed, self.gate.states = batch.taken, batch.states
        self._begin()

    def _begin(self) -> None:
        """Begin the next piece of work that it has claimed, if that is its own still."""
        scene = self.scene
        if not self._claimed:
            return
        claimed = self._claimed.pop(0)
        if self._until is not None and scene.clock.now() >= self._until:
            self._begin()
            return
        task = Task(claimed.row, self.name, scene.context.fresh_id())
        procedure = PROCEDURES.begin(scene.context, task)
        self.running = RunningProcedure(task, procedure, claimed.lane, claimed.probe)
        self._send(None)

    def _send(self, answer: Any) -> None:
        self._go(lambda procedure: procedure.send(answer))

    def _throw(self, error: Exception) -> None:
        self._go(lambda procedure: procedure.throw(error))

    def _go(self, on: Callable[[Procedure], Effect]) -> None:
        """Let the procedure go on, and tell the ledger what its call said of the connection."""
        scene, running = self.scene, self.running
        if running is None:
            return
        failure: Exception | None = None
        try:
            self.effect = on(running.procedure)
        except StopIteration:
            self.effect = None
        except Exception as error:  # noqa: BLE001 - `apply_outcome` decides for every error alike
            self.effect, failure = None, error
        self._tell()
        if failure is not None:
            run_failure = PROCEDURES.run_failures.get(running.task.row.kind)
            with scene.ledger.transaction() as tx:
                apply_outcome(tx, scene.context, running.task, failure, run_failure)
        if self.effect is None:
            self._end(running)

    def _end(self, running: RunningProcedure) -> None:
        if self.granted:  # it came to no call, after all
            self.scene.limits.release(self.granted, self.name)
        self.gate.ended(running)
        self._tell()
        self._let_go()
        if self._claimed:
            self._look()
            self._begin()

    def _tell(self) -> None:
        """Record what the calls were answered; of refusals, that is the probe's alone."""
        told = self.gate.waiting
        if not told:
            return
        self.gate.record(self.scene.ledger, self.scene.context)
        if any(each.probe and isinstance(each.error, Unauthorised) for each in told):
            self.untold = ""
        self._look()

    def _look(self) -> None:
        """See how the connections are, as a drain does whenever it claims."""
        with self.scene.ledger.read() as tx:
            health = connection_health.by_name(tx)
        self.gate.states = connection_states(health, self.scene.clock.now())

    def _held_up(self, running: RunningProcedure, effect: Read | Grant | Call) -> bool:
        """Wait for the budget; what is shut, or waited past its deadline, is never called."""
        scene = self.scene
        if resting := self.gate.turned_away(effect.connection, [running]):
            self._throw(resting)
            return True
        now = scene.clock.now()
        if now >= effect.deadline:
            self._throw(LeaseLost(f"{effect.connection}: no call started before its deadline"))
            return True
        if self.granted == effect.connection:
            return False
        connection = scene.context.connections[effect.connection]
        pause = scene.limits.acquire(connection, self.name, now, hold=60.0, lane=running.lane)
        if pause > 0:
            scene.clock.sleep(min(pause, 1.0))
        return pause > 0

    def _do(self, running: RunningProcedure, effect: Effect) -> Any:
        if isinstance(effect, LedgerEffect):
            with self.scene.ledger.transaction() as tx:
                return carry_out_one(tx, effect, self.scene.clock.now())
        if isinstance(effect, Grant):
            self.granted = effect.connection
            return None
        return self._call(running, effect)

    def _call(self, running: RunningProcedure, effect: Read | Call) -> Any:
        scene, name, asking = self.scene, effect.connection, [running]
        now = scene.clock.now()
        request = RemoteRequest(name, asking, [effect], now)
        scene.clock.sleep(0.01)
        try:
            (answer,) = request.carry_out(scene.connectors, scene.clock)
        except Exception as error:
            if isinstance(error, Unauthorised) and error.status == KEY_REFUSED:
                self.untold = name
            self.gate.heard(scene.context, scene.limits, name, asking, error)
            raise
        finally:
            scene.limits.release(name, self.name)
            self.granted = ""
        self.gate.heard(scene.context, scene.limits, name, asking, None)
        if isinstance(answer, Exception):
            raise answer
        return answer
