"""What is written down before a call is written while other calls have the vendor's places."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import replace

from sqlalchemy import func, select

from bridge.ledger import tables
from bridge.queue.redis_budget import MemoryBudget
from tests.flow.world import World


class Held(Executor):
    """Calls that end when they are told to."""

    def __init__(self):
        self.calls = []

    def submit(self, act, /, *args, **kwargs):
        future = Future()
        self.calls.append((future, lambda: act(*args, **kwargs)))
        return future

    def end(self, count):
        ended, self.calls = self.calls[:count], self.calls[count:]
        for future, act in ended:
            future.set_result(act())


def attempts(world, where):
    with world.ledger.read() as tx:
        counted = select(func.count()).select_from(tables.attempt)
        return tx.execute(counted.where(where)).scalar()


OPEN = tables.attempt.c.closed_at.is_(None)


def owing(ledger, count, places, pace):
    """A drain that has read so many edits at L, and owes them to an H that takes so many calls."""
    world, pool = World(ledger, names="LH"), Held()
    for number in range(count):
        made = {"status": "open", "priority": "high", "tags": []}
        world.hint("L", world.systems["L"].add(subject=f"No {number}", **made))
    world.settle()
    world.context.connections["H"] = replace(world.context.connections["H"], concurrency=places)
    for remote_id in world.systems["L"].ids:
        world.systems["L"].edit(remote_id, subject="Edited")
        world.hint("L", remote_id)
    drain = world.drain(budget=MemoryBudget())
    drain._calls.pool, drain._calls.paces["H"] = pool, pace
    stepped(drain, 3)
    pool.end(len(pool.calls))
    drain._calls.collect()
    return world, drain, pool


def stepped(drain, times):
    for _ in range(times):
        drain._step(claim=drain._may_claim())
        drain._calls.submit()


def test_writes_are_written_down_while_others_have_the_places(ledger):
    world, drain, pool = owing(ledger, 6, places=1, pace=0.01)
    stepped(drain, 6)
    assert len(pool.calls) == 1
    assert attempts(world, OPEN) == 6
    while pool.calls:
        pool.end(1)
        drain._calls.collect()
        assert len(pool.calls) <= 1
        stepped(drain, 2)
    assert attempts(world, OPEN) == 0
    titles = {world.systems["H"].peek(each)["subject"] for each in world.systems["H"].ids}
    assert titles == {"Edited"}
    assert +drain._calls._promised == {}


def test_no_more_is_promised_than_is_through_soon(ledger):
    world, drain, _pool = owing(ledger, 6, places=1, pace=0.05)
    stepped(drain, 6)
    assert attempts(world, OPEN) == 1 + 2  # a tenth of a second's


def test_a_promise_that_comes_to_nothing_is_taken_back(ledger):
    world, drain, pool = owing(ledger, 3, places=1, pace=0.01)
    with world.ledger.transaction() as tx:  # others have taken over every lease meanwhile
        tx.execute(tables.link.update().values(fence=tables.link.c.fence + 1))
    stepped(drain, 6)
    assert attempts(world, OPEN) == 0
    assert +drain._calls._promised == {}
    assert pool.calls == []
