"""What is written down before a call is written while other calls have the vendor's places."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import replace

from sqlalchemy import func, select

from bridge.ledger import tables
from bridge.queue import MemoryBudget
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


def edited(ledger, count, places):
    """So many tickets that were edited at L, and an H that takes so many calls at once."""
    world = World(ledger, names="LH")
    for number in range(count):
        made = {"status": "open", "priority": "high", "tags": []}
        world.hint("L", world.systems["L"].add(subject=f"No {number}", **made))
    world.settle()
    world.context.connections["H"] = replace(world.context.connections["H"], concurrency=places)
    for remote_id in world.systems["L"].ids:
        world.systems["L"].edit(remote_id, subject="Edited")
        world.hint("L", remote_id)
    return world


def stepped(drain):
    drain._step(claim=drain._may_claim())
    drain._calls.submit()


def test_writes_are_written_down_while_others_have_the_places(ledger):
    world, pool = edited(ledger, 6, places=1), Held()
    drain = world.drain(budget=MemoryBudget())
    drain._calls.pool, drain._calls.pace = pool, 0.01
    for _ in range(3):
        stepped(drain)
    pool.end(len(pool.calls))  # what L shows
    drain._calls.collect()
    for _ in range(6):
        stepped(drain)
    assert len(pool.calls) == 1
    assert attempts(world, OPEN) == 6
    while pool.calls:
        pool.end(1)
        drain._calls.collect()
        assert len(pool.calls) <= 1
        for _ in range(2):
            stepped(drain)
    assert attempts(world, OPEN) == 0
    titles = {world.systems["H"].peek(each)["subject"] for each in world.systems["H"].ids}
    assert titles == {"Edited"}
    assert +drain._calls._promised == {}


def test_no_more_is_promised_than_is_through_soon(ledger):
    world, pool = edited(ledger, 6, places=1), Held()
    drain = world.drain(budget=MemoryBudget())
    drain._calls.pool, drain._calls.pace = pool, 0.05
    for _ in range(3):
        stepped(drain)
    pool.end(len(pool.calls))
    drain._calls.pace = 0.05
    drain._calls.collect()
    drain._calls.pace = 0.05
    for _ in range(6):
        stepped(drain)
    assert attempts(world, OPEN) == 1 + 2  # a tenth of a second's


def test_a_promise_that_comes_to_nothing_is_taken_back(ledger):
    world, pool = edited(ledger, 3, places=1), Held()
    drain = world.drain(budget=MemoryBudget())
    drain._calls.pool, drain._calls.pace = pool, 0.01
    for _ in range(3):
        stepped(drain)
    pool.end(len(pool.calls))
    drain._calls.collect()
    with world.ledger.transaction() as tx:  # others have taken over every lease meanwhile
        tx.execute(tables.link.update().values(fence=tables.link.c.fence + 1))
    for _ in range(6):
        stepped(drain)
    assert attempts(world, OPEN) == 0
    assert +drain._calls._promised == {}
    assert pool.calls == []
