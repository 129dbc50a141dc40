"""Nothing is written down before the budget lets the call be made."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from bridge.ledger import links, tables
from bridge.runs import backfill, undo
from tests.flow.world import FreeBudget, StepWorker, World, born


class CountingBudget(FreeBudget):
    """Grants nothing at one connection while it is shut; counts what it grants, and who holds."""

    def __init__(self, connection):
        self.connection, self.shut = connection, True
        self.granted, self.holders = 0, []
        self.reads = 0
        """So many calls are granted although it is shut."""

    def acquire(self, connection, holder, _now, **_named):
        if connection.name != self.connection:
            return 0.0
        if self.shut and not self.reads:
            return 0.5
        self.reads -= self.shut
        self.granted += 1
        if holder not in self.holders:
            self.holders.append(holder)
        return 0.0

    def release(self, connection, holder):
        if connection == self.connection and holder in self.holders:
            self.holders.remove(holder)


def rows(world, table):
    with world.ledger.read() as tx:
        return [dict(row._mapping) for row in tx.execute(select(table))]


def work_for(world, drain, seconds):
    for _ in range(seconds * 2):
        drain.run()
        world.clock.advance(0.5)


@pytest.fixture(params=[True, False], ids=["looks first", "makes at once"])
def world(request):
    world = World(names="LH")
    if not request.param:
        sync = world.context.syncs["tickets"]
        world.context.syncs["tickets"] = replace(sync, match=())
    return world


@pytest.fixture
def looked_up(world):
    """The look-ups of creates whose fate nobody knows."""
    connector, asked = world.connectors["H"], []
    find = connector.find

    def noted(intent):
        asked.extend([intent] if intent.sent_at else [])
        return find(intent)

    connector.find = noted
    return asked


def unmade(world):
    remote_id = world.systems["L"].add(subject="Help", status="open", priority="low", tags=[])
    world.hint("L", remote_id)


def unsent(world):
    """An edit that is to be written to H."""
    made = born(world)
    world.systems["L"].edit(made["L"], subject="Better")
    world.hint("L", made["L"])


def test_a_create_is_written_down_when_it_is_granted(world, looked_up):
    unmade(world)
    budget = CountingBudget("H")
    drain = world.drain(budget=budget)
    for _ in range(120):
        work_for(world, drain, 1)
        assert rows(world, tables.create_intent) == []
    budget.shut, opened = False, world.clock.now()
    work_for(world, drain, 120)
    (intent,) = rows(world, tables.create_intent)
    assert intent["outcome"] == "created"
    assert intent["opened_at"] >= opened
    assert intent["send_by"] > intent["opened_at"]
    assert looked_up == []
    assert budget.holders == []
    assert len(world.systems["H"].ids) == 1


def test_a_write_is_written_down_when_it_is_granted(world):
    unsent(world)
    budget = CountingBudget("H")
    drain = world.drain(budget=budget)
    before = len(rows(world, tables.attempt))
    for _ in range(60):
        work_for(world, drain, 1)
        assert len(rows(world, tables.attempt)) == before
    budget.shut, opened = False, world.clock.now()
    work_for(world, drain, 60)
    (attempt,) = rows(world, tables.attempt)[before:]
    assert (attempt["outcome"], attempt["opened_at"] >= opened) == ("done", True)
    assert (budget.granted, budget.holders) == (2, [])


def test_what_an_undo_writes_is_written_down_when_it_is_granted():
    world = World(names="LH")
    world.systems["L"].add(subject="Help", status="open", priority="low", tags=[])
    with world.ledger.transaction() as tx:
        run = backfill.start(tx, "L", "ticket", world.clock.now())
    world.settle()
    with world.ledger.transaction() as tx:
        undo.start(tx, run, world.clock.now(), delete_created=True)
    budget, before = CountingBudget("H"), len(rows(world, tables.attempt))
    budget.reads = 1  # it looks at the record, and then waits for its turn to delete it
    drain = world.drain(budget=budget)
    for _ in range(60):
        work_for(world, drain, 1)
        assert len(rows(world, tables.attempt)) == before
        assert not rows(world, tables.link)[0]["paused"]
    assert budget.reads == 0
    budget.shut, opened = False, world.clock.now()
    work_for(world, drain, 60)
    (attempt,) = rows(world, tables.attempt)[before:]
    assert (attempt["outcome"], attempt["opened_at"] >= opened) == ("done", True)
    assert (world.systems["H"].ids, budget.holders) == ([], [])
    assert rows(world, tables.link)[0]["paused"]


def test_a_link_is_free_while_a_write_waits_for_its_grant(world):
    unsent(world)
    budget = CountingBudget("H")
    drain = world.drain(budget=budget)
    drain.run(0.1)
    (link,) = world.links()
    world.systems["L"].edit(link.sides["L"].remote_id, subject="Best")
    world.hint("L", link.sides["L"].remote_id)
    work_for(world, drain, 5)
    (link,) = world.links()
    assert link.state["subject"].value == "Best"


def test_what_is_granted_and_not_used_is_given_back(world):
    unsent(world)
    budget = CountingBudget("H")
    drain = world.drain(budget=budget)
    before = len(rows(world, tables.attempt))
    work_for(world, drain, 1)
    world.clock.advance(1)  # whenever it is due again
    acquire, until = budget.acquire, world.clock.now() + timedelta(seconds=10)
    (link,) = world.links()

    def overtaken(connection, holder, now, **named):
        """Grant, in the moment in which somebody else takes the link."""
        if connection.name == "H" and now < until:
            with world.ledger.transaction() as tx:
                links.lease(tx, link.id, "somebody else", now, until)
        return acquire(connection, holder, now, **named)

    budget.acquire, budget.shut = overtaken, False
    drain.run(0.1)
    assert (budget.granted, budget.holders) == (2, [])
    assert len(rows(world, tables.attempt)) == before
    work_for(world, drain, 30)
    assert budget.holders == []
    assert [row["outcome"] for row in rows(world, tables.attempt)[before:]] == ["done"]


@pytest.mark.parametrize("after", [False, True])
def test_who_dies_waiting_to_create_leaves_no_intent(world, looked_up, after):
    unmade(world)
    die_at(world, "create/create.Grant1", "observe/is_granted.Grant1", after=after)
    assert rows(world, tables.create_intent) == []
    world.clock.advance(60)
    world.settle()
    assert looked_up == []
    assert [row["outcome"] for row in rows(world, tables.create_intent)] == ["created"]
    assert len(world.systems["H"].ids) == 1


@pytest.mark.parametrize("after", [False, True])
def test_who_dies_waiting_to_write_leaves_no_attempt(world, after):
    unsent(world)
    before = len(rows(world, tables.attempt))
    die_at(world, "observe/is_granted.Grant1", after=after)
    assert len(rows(world, tables.attempt)) == before
    world.clock.advance(60)
    world.settle()
    assert [row["outcome"] for row in rows(world, tables.attempt)[before:]] == ["done"]


def die_at(world, *places, after):
    worker = StepWorker(world, "doomed")
    for _ in range(200):
        if worker.place() in places:
            worker.die(after=after)
            return
        if not worker.step():
            world.clock.advance(0.5)
    raise AssertionError(f"nobody came to {places}")
