"""Lanes share each connection: the live lane is never kept waiting, and no lane starves."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from bridge.core.model.syncs import Rate
from bridge.engine.scheduling import MAX_RUNNING, most_below_live, most_running
from bridge.ledger import tables, work
from bridge.queue.redis_budget import MemoryBudget
from bridge.runs import reconcile
from tests.flow.world import World, born


@pytest.fixture
def slow(ledger):
    """A helpdesk with 10 calls a second, six at once, and a long full run under way."""
    world = World(ledger, names="LH")
    ids = [
        world.systems["L"].add(subject=f"s{n}", status="open", priority="high", tags=[])
        for n in range(60)
    ]
    for remote_id in ids:
        world.hint("L", remote_id)
    world.settle()
    world.context.connections["L"] = replace(
        world.context.connections["L"], rates=(Rate(10, 1.0),), concurrency=6
    )
    able = world.context.capabilities["L"]
    able["ticket"] = replace(able["ticket"], read_batch=1)
    for remote_id in world.systems["L"].ids:  # every row differs: all of them have to be read
        world.systems["L"].edit(remote_id, priority="low")
    return world, ids


def when(world, drain, seen, limit=120.0):
    """Work until it is so; give the seconds that it took."""
    began = world.clock.now()
    while not seen():
        drain.run(0.5)
        world.clock.advance(0.02)
        assert (world.clock.now() - began).total_seconds() < limit, "never seen"
    return (world.clock.now() - began).total_seconds()


def test_a_running_reconciliation_does_not_delay_live_work(slow):
    world, ids = slow
    budget = MemoryBudget()
    drain = world.drain(budget=budget)
    with world.ledger.transaction() as tx:
        reconcile.start(tx, "L", "ticket", "full", world.clock.now())
    for _ in range(2):
        drain.run(0.1)
        world.clock.advance(0.02)
    with world.ledger.read() as tx:
        assert work.by_lane(tx)["reconcile"] > 20, (
            "the long job is over already: this test shows nothing"
        )
    pair = next(link for link in world.links() if link.sides["L"].remote_id == ids[-1])
    world.systems["L"].edit(ids[-1], priority="urgent")
    world.hint("L", ids[-1])
    there = pair.sides["H"].remote_id
    took = when(world, drain, lambda: world.systems["H"].peek(there)["priority"] == "urgent")
    with world.ledger.read() as tx:
        left = work.by_lane(tx)["reconcile"]
    assert left > 5, "the live edit came last"
    assert took < 6.0


def test_a_worker_keeps_places_for_live_work(ledger):
    world = World(ledger, names="LH")
    wide = replace(world.context.connections["H"], concurrency=MAX_RUNNING)
    world.context.connections["H"] = wide
    now = world.clock.now()
    with ledger.transaction() as tx:
        for number in range(3 * MAX_RUNNING):
            fields = {
                "kind": "observe",
                "connection": "H",
                "entity": "ticket",
                "due_at": now,
                "now": now,
            }
            work.enqueue(tx, key=f"low{number}", remote_id=f"r{number}", lane="backfill", **fields)
    drain = world.drain()
    drain._step(claim=True)
    drain._step(claim=True)
    held = drain._running
    assert held == most_below_live(most_running(world.context, {}))
    with ledger.transaction() as tx:
        work.enqueue(
            tx,
            kind="observe",
            key="live",
            connection="L",
            entity="ticket",
            remote_id="x",
            due_at=now,
            now=now,
        )
    assert drain._step(claim=True) == 1
    assert drain._running == held + 1


def test_live_work_does_not_wait_for_a_long_job_that_a_drain_sees_through_after_its_time(ledger):
    world = World(ledger, names="LH")
    now = world.clock.now()
    fields = {"kind": "observe", "entity": "ticket", "due_at": now, "now": now}
    drain = world.drain()
    with ledger.transaction() as tx:
        work.enqueue(tx, key="long", connection="H", remote_id="r", lane="backfill", **fields)
    drain._step(claim=True)
    with ledger.transaction() as tx:
        work.enqueue(tx, key="live", connection="L", remote_id="x", **fields)
        work.enqueue(tx, key="low", connection="L", remote_id="y", lane="backfill", **fields)
    drain._claimed_at = None
    drain.run(0.0)
    with ledger.read() as tx:
        assert set(tx.execute(select(tables.work.c.key)).scalars()) == {"low"}


def test_no_lane_starves_under_a_flood_of_live_work(ledger):
    world = World(ledger, names="LH")
    ids = born(world)
    with ledger.transaction() as tx:
        now = world.clock.now()
        fields = {"kind": "observe", "connection": "L", "entity": "ticket", "remote_id": ids["L"]}
        work.enqueue(tx, key="old", lane="backfill", due_at=now, now=now, **fields)
    world.clock.advance(work.AGED_AFTER.total_seconds() + 1)
    drain = world.drain()
    for number in range(400):
        now = world.clock.now()
        with ledger.transaction() as tx:
            for each in range(4 * most_running(world.context, {})):
                key = f"flood{number}-{each}"
                work.enqueue(
                    tx,
                    kind="observe",
                    key=key,
                    connection="L",
                    entity="ticket",
                    remote_id=f"none{each}",
                    due_at=now,
                    now=now,
                )
        drain.run(0.01)
        if not any(row["key"] == "old" for row in world.outstanding()):
            break
        world.clock.advance(0.05)
    else:
        raise AssertionError("the old work was never done")
    with ledger.read() as tx:
        assert work.by_lane(tx)["live"] > 0, "there was no flood"


def test_what_failed_goes_behind_what_is_fresh(world):
    ids = born(world)
    world.systems["H"].fail("before", on="read", times=1)
    world.systems["L"].edit(ids["L"], priority="low")
    world.hint("L", ids["L"])
    world.drain().run(0.05)
    world.clock.advance(0.01)
    lanes = {row["kind"]: row["lane"] for row in world.outstanding()}
    assert lanes.get("deliver", 2) == 2
    world.settle()
    assert world.systems["H"].peek(ids["H"])["priority"] == "low"


def test_an_aged_row_is_claimed_before_younger_rows_of_better_lanes(ledger, now):
    fields = {"kind": "observe", "connection": "L", "entity": "ticket"}
    with ledger.transaction() as tx:
        work.enqueue(tx, key="old", remote_id="1", lane="backfill", due_at=now, now=now, **fields)
        work.enqueue(
            tx,
            key="older",
            remote_id="2",
            lane="reconcile",
            due_at=now - timedelta(1),
            now=now,
            **fields,
        )
        work.enqueue(
            tx,
            key="paused",
            remote_id="3",
            lane="operator",
            due_at=now - timedelta(2),
            now=now,
            **fields | {"connection": "H"},
        )
        later = now + work.AGED_AFTER + timedelta(seconds=1)
        (row,) = work.claim_aged(tx, "w", later, later + timedelta(minutes=1), ["H"])
        assert row.key == "older"
        assert work.claim_aged(tx, "w", now, now + timedelta(minutes=1), ["H"]) == []
