"""The workers' turns: one effect each, and the places at which one of them dies instead."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bridge.engine.effects import Call, Effect, Grant, LedgerEffect, Read
from bridge.sandbox.vendor_app import Sandbox
from bridge.simulate.crash_points import NEW, REMOTE_POSITIONS
from bridge.simulate.stage import TICKET, Stage
from bridge.simulate.virtual_worker import StepWorker


class Turns:
    """Gives workers their turns. `by_hand` lets a human do something in a system."""

    def __init__(
        self, stage: Stage, by_hand: Callable[[Sandbox, Callable[[], object]], None]
    ) -> None:
        self.stage = stage
        self._by_hand = by_hand
        self.armed: set[tuple[str, str]] = set()
        """Crashes to come: (place, position); the place `NEW` is any that was not passed yet."""
        self.passed: set[str] = set()
        self.meddlers: list[tuple[str, str, Mapping[str, Any]]] = []
        """Humans who save just before a read of ours: (kind of work, connection, fields)."""

    def take(self, worker: StepWorker) -> None:
        """Let one worker do one effect, or die of it where a crash is waiting for that."""
        stage = self.stage
        stage.clock.sleep(0.1)
        if worker.effect is None:
            if not stage.bell.rung:
                return
            stage.bell.rung = worker.step()
            if worker.task is not None:
                stage.tell(f"{worker.name}: takes {worker.task.row.key}")
            return
        place = worker.place()
        # A crash after a call waits for a turn in which the call could be made.
        crash = self._armed_at(place)
        if crash is not None and self._can_die(worker, worker.effect, crash[1]):
            self.armed.discard(crash)
            self.passed.add(place)
            self.kill(worker, crash[1])
            return
        self.passed.add(place)
        key = worker.task.row.key if worker.task else ""
        self._let_meddler_save(worker)
        stage.tell(f"{worker.name}: {place} {key}")
        worker.step()
        stage.bell.rung = True

    def _armed_at(self, place: str) -> tuple[str, str] | None:
        """Return the crash that waits for a place."""
        aims = (place,) if place in self.passed else (place, NEW)
        crashes = itertools.product(aims, REMOTE_POSITIONS)
        return next((crash for crash in crashes if crash in self.armed), None)

    def _can_die(self, worker: StepWorker, effect: Effect, position: str) -> bool:
        """Return whether an effect can be done, for who is to die after it."""
        if position == "before" or isinstance(effect, LedgerEffect | Grant):
            return True
        return self._may_call(worker, effect)

    def kill(self, worker: StepWorker, position: str) -> None:
        """Let a worker die before its next effect, after it, or before it hears the answer."""
        stage, effect = self.stage, worker.effect
        if effect is None:
            return
        place = worker.place()
        if isinstance(effect, LedgerEffect | Grant):
            # What asks no vendor answers at once: nothing lies between its end and the answer.
            if position == "unanswered":
                position = stage.rng.choice(("before", "after"))
        elif position != "before" and not self._may_call(worker, effect):
            position = "before"
        key = worker.task.row.key if worker.task else ""
        stage.tell(f"{worker.name}: DIES {position} {place} {key}")
        if isinstance(effect, LedgerEffect | Grant) or position == "before":
            stage.nobody_heard(worker.die(after=position == "after"))
        else:
            line = stage.lines[stage.account(effect.connection)]
            if position == "unanswered":
                # At the first or the second request of the call, if it makes two.
                line.dies_after = 1 + stage.rng.randrange(2)
            stage.nobody_heard(worker.die(after=True))
            if line.dies_after:
                position = "after"  # it made fewer requests than that
            line.dies_after = 0
            line.held_until = None  # whoever heard a Retry-After is dead
        stage.covered[place, position] += 1
        stage.counts["crashes"] += 1

    def _may_call(self, worker: StepWorker, effect: Read | Call) -> bool:
        """Return whether its gate, the deadline and the budget let it make its call now."""
        stage, now = self.stage, self.stage.clock.now()
        connection = stage.context.connections[effect.connection]
        return (
            now < effect.deadline
            and worker.may_call(effect.connection)
            and stage.budget.acquire(connection, worker.name, now, hold=60.0) <= 0
        )

    def _let_meddler_save(self, worker: StepWorker) -> None:
        stage, effect = self.stage, worker.effect
        if not isinstance(effect, Read) or worker.task is None or effect.entity != TICKET:
            return
        for meddler in self.meddlers:
            kind, where, fields = meddler
            if (kind, stage.called.get(where)) == (worker.task.row.kind, effect.connection):
                self.meddlers.remove(meddler)
                app = stage.apps[where]
                self._by_hand(app, partial(app.edit, effect.id, fields))
                return
