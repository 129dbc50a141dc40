"""A ledger that fails in the middle of a drain costs no longer than it is away."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from bridge.engine import worker
from bridge.errors import LedgerError
from bridge.queue.redis_budget import MemoryBudget
from tests.flow.world import World

SHORT = timedelta(seconds=5)
"""Claims and leases last for three times as long, and longer."""


class Outage:
    """What the drain looks into before it claims is gone as soon as a vendor was called."""

    def __init__(self, world, method):
        self.world, self.begun = world, False
        self.connector = world.connectors["L"]
        self.call = getattr(self.connector, method)
        setattr(self.connector, method, self)

    def rename(self, before, after):
        with self.world.ledger.transaction() as tx:
            tx.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))

    def __call__(self, *given, **named):
        if not self.begun:
            self.begun = True
            self.rename("connection_health", "away")
            self.world.clock.advance(1.0)  # so that the drain claims again, with the answer
        return self.call(*given, **named)

    def end(self):
        self.rename("away", "connection_health")


def linked(world):
    (link,) = world.links()
    return {name: side.remote_id for name, side in link.sides.items()}


def test_what_was_claimed_as_the_ledger_failed_is_taken_up_as_soon_as_it_is_back():
    world = World(names="LH")
    world.hint("L", world.systems["L"].add(subject="Export stops", status="open"))
    outage, drain = Outage(world, "read"), world.drain()
    with pytest.raises(LedgerError):
        drain.run()
    outage.end()
    began = world.clock.now()
    for _ in range(20):
        drain.run()
        world.clock.advance(0.5)
        if world.links() and linked(world).keys() == {"L", "H"}:
            break
    assert world.clock.now() - began < SHORT
    assert linked(world).keys() == {"L", "H"}


def test_a_write_that_may_be_on_its_way_as_the_ledger_fails_keeps_its_lease():
    world = World(names="LH")
    world.hint("L", world.systems["L"].add(subject="Export stops", status="open"))
    world.settle()
    ours = linked(world)
    world.systems["H"].edit(ours["H"], status="pending")
    world.hint("H", ours["H"])
    outage, drain = Outage(world, "update"), world.drain()
    with pytest.raises(LedgerError):
        drain.run()
    outage.end()
    began = world.clock.now()
    drain.run()
    assert world.links()[0].sides["L"].attempt is not None
    world.clock.advance(1.0)
    drain.run()
    assert world.links()[0].sides["L"].attempt is not None
    assert len(world.systems["L"].writes()) == 1
    world.settle()
    assert (world.clock.now() - began).total_seconds() > 2.0
    assert world.links()[0].sides["L"].attempt is None
    assert world.systems["L"].peek(ours["L"])["status"] == "pending"
    assert len(world.systems["L"].writes()) == 1


def test_the_vendors_places_are_free_as_soon_as_what_was_under_way_has_landed(monkeypatch):
    monkeypatch.setattr(worker, "MIN_CLAIM_INTERVAL", timedelta(0))  # so that a call is under way
    world = World(names="LH")
    world.hint("L", world.systems["L"].add(subject="Export stops", status="open"))
    outage, budget = Outage(world, "read"), MemoryBudget()
    drain = world.drain(budget=budget)
    with pytest.raises(LedgerError):
        drain.run()
    outage.end()
    drain.run()
    began = world.clock.now()
    other = World(names="LH", ledger=world.ledger).context.connections["L"]
    for number in range(other.concurrency):
        assert budget.acquire(other, f"somebody {number}", began, hold=60.0) == 0
