"""What goes straight on to a write holds up nobody, and begins nothing when the worker stops."""

from datetime import timedelta

from bridge.ledger import tables
from bridge.preview.rehearsal import FreeBudget
from tests.flow.test_grants import CountingBudget, rows
from tests.flow.world import World, born


def edited(world):
    made = born(world)
    world.systems["L"].edit(made["L"], status="pending")
    world.hint("L", made["L"])
    return made


def status(world, name, made):
    return world.systems[name].record(name, made[name]).data["status"]


def test_a_spent_rate_does_not_hold_up_the_other_sides():
    world = World(names="LHP")
    made = edited(world)
    update, written = world.connectors["P"].update, []

    def noted(*call):
        written.append(world.clock.now())
        return update(*call)

    world.connectors["P"].update = noted
    began = world.clock.now()
    world.drain(budget=CountingBudget("H")).run()
    assert [at - began < timedelta(seconds=1) for at in written] == [True]
    assert status(world, "H", made) != "pending"


class LaterBudget(FreeBudget):
    """Grants nothing at H for a minute, and says so."""

    def acquire(self, connection, *_asked, **_named):
        return 60.0 if connection.name == "H" else 0.0


def test_what_is_known_to_wait_for_long_is_not_waited_for():
    world = World(names="LH")
    made = edited(world)
    drain, began = world.drain(budget=LaterBudget()), world.clock.now()
    stored = None
    while stored != "pending":
        drain.run(0.01)
        assert world.clock.now() - began < timedelta(seconds=0.2)
        (link,) = world.links()
        stored = link.state["status"].value
    assert status(world, "H", made) != "pending"


def test_a_worker_that_is_told_to_stop_goes_on_with_no_write():
    world = World(names="LHP")
    made = edited(world)
    drain, stopping, read = world.drain(), [], world.connectors["L"].read

    def told(entity, ids):
        stopping.append(True)
        return read(entity, ids)

    world.connectors["L"].read = told
    drain.stopping = drain._calls.stopping = lambda: bool(stopping)
    before = len(rows(world, tables.attempt))
    drain.run()
    assert len(rows(world, tables.attempt)) == before
    assert [row["kind"] for row in rows(world, tables.work)] == ["deliver", "deliver"]
    world.settle()
    assert {status(world, name, made) for name in "HP"} == {"pending"}


class PlacesBudget(FreeBudget):
    """Grants everything, and knows who holds a place."""

    def __init__(self):
        self.held = []

    def acquire(self, connection, holder, *_asked, **_named):
        self.held.append((connection.name, holder))
        return 0.0

    def release(self, name, holder):
        self.held = [each for each in self.held if each != (name, holder)]


def test_a_place_that_turns_out_not_to_be_used_is_given_back_before_anything_else_is_asked():
    """A write was owed; once its place is granted the record was missed, and is read first."""
    world = World(names="LH")
    made = edited(world)
    world.drain(budget=CountingBudget("H")).run(0.01)
    assert "deliver" in {row["kind"] for row in rows(world, tables.work)}
    budget, counted = PlacesBudget(), []
    drain, read = world.drain(budget=budget), world.connectors["H"].read

    def missed(connection, holder, *asked, **named):
        with world.ledger.transaction() as tx:
            there = tables.side.c.connection == "H"
            missing = tables.side.update().where(there, tables.side.c.missing_since.is_(None))
            tx.execute(missing.values(missing_since=world.clock.now()))
        return PlacesBudget.acquire(budget, connection, holder, *asked, **named)

    def noted(entity, ids):
        counted.append([name for name, _holder in budget.held])
        return read(entity, ids)

    budget.acquire, world.connectors["H"].read = missed, noted
    for _ in range(20):
        drain.run()
        world.clock.advance(1)
    assert status(world, "H", made) == "pending"
    assert counted[0] == ["H"]
    assert budget.held == []
