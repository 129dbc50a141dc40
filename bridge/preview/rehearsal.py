"""A rehearsal: the whole flow, played on a copy of the ledger.

So a plan is made by the very code that writes, and says what that would do: call by call, also
those that follow from others. Time, budget and context are as the real ones, but nothing waits.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bridge.clock import Clock
from bridge.core.model.syncs import Sync
from bridge.engine.context import Context
from bridge.preview.rehearsal_connector import MADE_UP, RehearsedMap


class FastForwardClock:
    """A clock that can be put forward: what waits in a rehearsal is waited for in no time."""

    def __init__(self, real: Clock) -> None:
        self.real, self.ahead_by = real, timedelta(0)

    def now(self) -> datetime:
        """Return the time of the rehearsal."""
        return self.real.now() + self.ahead_by

    def sleep(self, seconds: float) -> None:
        """Wait for real: somebody's budget does."""
        self.real.sleep(seconds)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something when so much real time has passed."""
        self.real.later(seconds, act)

    def back(self) -> None:
        """Go back to the present: what is played next begins there."""
        self.ahead_by = timedelta(0)

    def forward(self, to: datetime) -> None:
        """Go on from that time."""
        self.ahead_by += max(timedelta(0), to - self.now()) + timedelta(milliseconds=1)


class FreeBudget:
    """The budget of calls that nobody makes: every one is granted."""

    def acquire(self, *_asked: object, **_named: object) -> float:
        """Grant."""
        return 0.0

    def release(self, *_asked: object) -> None:
        """Nothing is held."""

    def charge(self, *_asked: object) -> None:
        """Nothing is held."""

    def hold_off(self, *_asked: object) -> None:
        """Nothing is held."""

    def use(self, *_asked: object) -> None:
        """Say that nobody knows."""


def rehearsal_context(context: Context, clock: Clock) -> Context:
    """Return the flow's context for a rehearsal.

    Single writes are never held as unsafe: the whole plan is judged instead.
    """
    maps = {
        name: {
            entity: RehearsedMap(entity_map.entity, entity_map.fields, entity_map.version)
            for entity, entity_map in by_entity.items()
        }
        for name, by_entity in context.maps.items()
    }
    return replace(
        context,
        clock=clock,
        maps=maps,
        syncs={name: _unguarded(sync) for name, sync in context.syncs.items()},
        probes={name: dict(known) for name, known in context.probes.items()},
        rng=random.Random(1),
        taken_in={},
        _rules={},
    )


def _unguarded(sync: Sync) -> Sync:
    members = {
        name: member if member.only is None else replace(member, only=_or_made_up(member.only))
        for name, member in sync.members.items()
    }
    return replace(sync, members=members, guard=replace(sync.guard, lifted=True))


def _or_made_up(
    only: Callable[[Mapping[str, Any]], bool],
) -> Callable[[Mapping[str, Any]], bool]:
    """Let made-up records into the sync's scope: they lack the data that it is read from."""
    return lambda data: bool(data.get(MADE_UP)) or only(data)
