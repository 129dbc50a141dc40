"""A worker that does one effect at a time: others come in between, and it can die anywhere."""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

from bridge.connectors.contract import Connector
from bridge.engine.budget import Budget
from bridge.engine.context import Context, Task
from bridge.engine.effects import Effect, Grant, Procedure, Read, Transact
from bridge.engine.outcomes import apply_outcome
from bridge.errors import LeaseLost, RateLimited
from bridge.ledger import connection_health, work
from bridge.ledger.database import Ledger, savepoint
from bridge.procedures import PROCEDURES
from bridge.simulate.crash_points import place_of
from bridge.simulate.vendor_line import Died


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
        self.task: Task | None = None
        self.procedure: Procedure | None = None
        self.effect: Effect | None = None
        self.granted = ""
        """The connection at which the next call needs no more leave."""

    @property
    def busy(self) -> bool:
        """Return whether it has something in hand."""
        return self.procedure is not None

    def place(self) -> str:
        """Return the place at which it stands; empty when it has nothing in hand."""
        if self.task is None or not self.busy:
            return ""
        return place_of(self.task.row.kind, self.procedure)

    def step(self) -> bool:
        """Do one thing; False when there was nothing to do."""
        if self.effect is None:
            return self._begin()
        if not isinstance(self.effect, Transact) and self._held_up():
            return True
        try:
            answer = self._do(self.effect)
        except Died:
            self.drop()
        except Exception as error:  # noqa: BLE001 - thrown into the procedure, which knows what it means
            self._throw(error)
        else:
            self._send(answer)
        return True

    def die(self, *, after: bool) -> None:
        """Stop for ever in the middle of things, before or after the next effect is done."""
        if self.effect is not None and after:
            with contextlib.suppress(Exception, Died):  # whatever it was, nobody heard of it
                self._do(self.effect)
        self.drop()

    def drop(self) -> None:
        """Forget everything, as a killed process does."""
        self.task = self.procedure = self.effect = None
        self.granted = ""

    def about_to_write(self) -> str | None:
        """Return the connection to which it delivers, if it does."""
        if self.task is None or self.task.row.kind != "deliver":
            return None
        return self.task.row.connection

    def _begin(self) -> bool:
        scene = self.scene
        now = scene.clock.now()
        with scene.ledger.transaction() as tx:
            closed = connection_health.closed(tx, now)
            PROCEDURES.catch_up(tx, scene.context)
            until = now + scene.context.lease(scene.context.connections)
            rows = work.claim(tx, self.name, now, until, 1, skip_connections=sorted(closed))
        if not rows:
            return False
        self.task = Task(rows[0], self.name, scene.context.fresh_id())
        self.procedure = PROCEDURES.begin(scene.context, self.task)
        self._send(None)
        return True

    def _send(self, answer: Any) -> None:
        self._go(lambda procedure: procedure.send(answer))

    def _throw(self, error: Exception) -> None:
        self._go(lambda procedure: procedure.throw(error))

    def _go(self, on: Any) -> None:
        try:
            self.effect = on(self.procedure)
        except StopIteration:
            self._end()
        except Exception as error:  # noqa: BLE001 - flow.outcome decides for every error alike
            with self.scene.ledger.transaction() as tx:
                if self.task is not None:
                    run_failure = PROCEDURES.run_failures.get(self.task.row.kind)
                    apply_outcome(tx, self.scene.context, self.task, error, run_failure)
            self._end()

    def _end(self) -> None:
        if self.granted:  # it came to no call, after all
            self.scene.limits.release(self.granted, self.name)
        self.drop()

    def _held_up(self) -> bool:
        """Wait for the budget; what waited past its deadline was never sent."""
        scene, effect = self.scene, self.effect
        if effect is None or isinstance(effect, Transact):
            return False
        now = scene.clock.now()
        if now >= effect.deadline:
            self._throw(LeaseLost(f"{effect.connection}: no call started before its deadline"))
            return True
        if self.granted == effect.connection:
            return False
        pause = scene.limits.acquire(
            scene.context.connections[effect.connection], self.name, now, hold=60.0
        )
        if pause > 0:
            scene.clock.sleep(min(pause, 1.0))
        return pause > 0

    def _do(self, effect: Effect) -> Any:
        scene = self.scene
        if isinstance(effect, Transact):
            with scene.ledger.transaction() as tx, savepoint(tx):
                return effect.act(tx)
        if scene.clock.now() >= effect.deadline:
            raise LeaseLost("too late")
        if isinstance(effect, Grant):
            self.granted = effect.connection
            return None
        scene.clock.sleep(0.01)
        connector = scene.connectors[effect.connection]
        try:
            if isinstance(effect, Read):
                return connector.read(effect.entity, [effect.id])[effect.id]
            return effect.act(connector)
        except RateLimited as error:
            if error.retry_after:
                scene.limits.hold_off(effect.connection, error.retry_after, scene.clock.now())
            raise
        finally:
            scene.limits.release(effect.connection, self.name)
            self.granted = ""
