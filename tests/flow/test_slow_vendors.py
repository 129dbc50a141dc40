"""A vendor that does not answer holds up its own work: what is begun meanwhile, in what order."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bridge.engine import worker
from bridge.engine.scheduling import MIN_RUNNING, most_running
from bridge.engine.worker import MAX_THREADS
from bridge.ledger import tables
from bridge.runs import reconcile
from tests.flow.world import TickingClock, World
from tests.memory import MemoryConnector

HANG_GUARD = 60
"""Seconds of real time after which a vendor that nobody has let go answers all the same."""


class SlowConnector(MemoryConnector):
    """Answers no poll and no read before it is let go."""

    def __init__(self, real, order, let_go):
        super().__init__(real.connection, real.system)
        self.order, self.let_go = order, let_go

    def wait(self, what):
        self.order.append(f"H {what}")
        if not self.let_go.wait(HANG_GUARD):
            self.let_go.set()
        self.order.append(f"H {what} answered")

    def changed(self, entity, cursor):
        self.wait("poll")
        return super().changed(entity, cursor)

    def read(self, entity, ids):
        self.wait("read")
        return super().read(entity, ids)


class QuickConnector(MemoryConnector):
    """Notes that it was called, and lets the slow one go."""

    def __init__(self, real, order, let_go):
        super().__init__(real.connection, real.system)
        self.order, self.let_go = order, let_go

    def changed(self, entity, cursor):
        self.order.append("L poll")
        self.let_go.set()
        return super().changed(entity, cursor)

    def read(self, entity, ids):
        self.order.append("L read")
        self.let_go.set()
        return super().read(entity, ids)


@pytest.fixture
def scene(ledger):
    """A slow vendor H and a quick one L, in a drain with real threads."""
    world = World(ledger, names="LH")
    world.clock.__class__ = TickingClock
    world.order, world.let_go = [], threading.Event()
    for name, kind in (("H", SlowConnector), ("L", QuickConnector)):
        world.connectors[name] = kind(world.connectors[name], world.order, world.let_go)
        able = world.context.capabilities[name]
        able["ticket"] = replace(able["ticket"], read_batch=1)
    pool = ThreadPoolExecutor(MAX_THREADS)
    world.worker = world.drain()
    world.worker._calls.pool = pool
    yield world
    world.let_go.set()
    pool.shutdown()


def poll(world, name, after=0.0):
    """Have a connection polled, in so many seconds."""
    with world.ledger.transaction() as tx:
        reconcile.start(tx, name, "ticket", "poll", world.clock.time)
        due = world.clock.time + timedelta(seconds=after)
        tx.execute(update(tables.work).where(tables.work.c.connection == name).values(due_at=due))


def waiting(world):
    with world.ledger.read() as tx:
        return set(tx.execute(select(tables.work.c.connection)).scalars())


def test_a_drain_that_a_slow_poll_holds_begins_the_polls_of_others(scene):
    poll(scene, "H")
    poll(scene, "L", after=8.0)
    scene.worker.run(5.0)
    assert scene.order == ["H poll", "L poll", "H poll answered"]


def test_what_a_slow_vendor_is_asked_for_takes_no_place_of_others(scene):
    most = most_running(scene.context, {})
    for number in range(2 * most):
        scene.hint("H", f"r{number}")
    poll(scene, "L", after=2.0)
    scene.worker.run(5.0)
    held = scene.order.index("L poll")
    assert 0 < held < 2 * most
    assert set(scene.order[:held]) == {"H read"}


def test_nor_does_what_is_asked_for_in_a_lower_lane(scene):
    connections = scene.context.connections
    connections["H"] = replace(connections["H"], concurrency=MIN_RUNNING)
    for number in range(2 * most_running(scene.context, {})):
        scene.hint("H", f"r{number}", lane="reconcile")
    poll(scene, "L", after=2.0)
    scene.worker.run(5.0)
    held = scene.order.index("L poll")
    assert held >= MIN_RUNNING
    assert set(scene.order[:held]) == {"H read"}


def test_no_more_of_a_slow_vendors_work_is_begun_when_the_time_is_up(scene):
    poll(scene, "H")
    poll(scene, "L", after=16.0)
    scene.hint("H", "late")
    with scene.ledger.transaction() as tx:
        due = scene.clock.time + timedelta(seconds=8)
        tx.execute(update(tables.work).where(tables.work.c.kind == "observe").values(due_at=due))
    scene.worker.run(5.0)
    scene.worker.run(5.0)
    asked = ["H poll", "L poll", "H poll answered", "H read", "H read answered"]
    assert scene.order == asked


def test_a_drain_that_is_held_up_ends_its_overtime(scene, monkeypatch):
    monkeypatch.setattr(worker, "MAX_OVERTIME", 2.0)
    poll(scene, "H")
    poll(scene, "L", after=8.0)
    until = scene.clock.time + timedelta(seconds=20)

    def let_go():
        while scene.clock.time < until:
            scene.let_go.wait(0.01)
        scene.let_go.set()

    ending = threading.Thread(target=let_go)
    ending.start()
    scene.worker.run(5.0)
    ending.join()
    assert scene.order == ["H poll", "H poll answered"]
    assert waiting(scene) == {"L"}
