"""Order and locks of several transactions at once, on a real PostgreSQL: one thread shows none."""

import contextlib
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text

from bridge.connectors.contract import Hint, Record
from bridge.core.model.state import Link, Side
from bridge.core.model.syncs import Guard
from bridge.core.model.values import Ref
from bridge.engine.context import Task
from bridge.errors import LeaseLost
from bridge.flow import deliver, match
from bridge.ledger import connection_health, links, matching, parking, timeline, webhook_inbox, work
from bridge.ledger.database import Ledger, savepoint
from bridge.web.receiver.intake import Delivery, DirectIntake, GroupIntake
from tests.flow.world import World

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def delivery():
    return Delivery(
        connection="L",
        delivery_key="id:1",
        received_at=NOW,
        headers={},
        projection={},
        digest="d",
        event="e",
        verdict="pending",
        entity="ticket",
        remote_id="1",
        hints=(Hint("ticket", "1"),),
    )


class Looking:
    """A doorbell whose ringing makes somebody look at once, from another connection."""

    def __init__(self, url):
        self.url, self.found = url, []
        self.rang = threading.Event()

    def ring(self, lane="live"):  # noqa: ARG002
        ledger = Ledger(self.url)
        with ledger.read() as tx:
            self.found.append(sum(webhook_inbox.counts(tx).values()))
        ledger.close()
        self.rang.set()
        return True

    def answered(self, lane="live"):
        pass

    def ping(self):
        return True

    def fault(self):
        return None


@pytest.mark.parametrize("make", [DirectIntake, GroupIntake])
def test_the_doorbell_rings_when_there_is_something_to_find(sqlite_url, make):
    ledger, bell = Ledger(sqlite_url), Looking(sqlite_url)
    intake = make(ledger, bell)
    intake.begin(delivery())
    assert bell.rang.wait(60)
    intake.close()
    ledger.close()
    assert bell.found[0] == 1


def at_the_same_moment(world, tasks, act):
    """Do it in a transaction a task: all begin before any writes, and wait before they commit."""
    ready, failures, results = threading.Barrier(len(tasks)), [], []
    never = threading.Event()

    def one(task):
        try:
            with world.ledger.transaction() as tx:
                links.ids(tx)
                ready.wait(60)
                results.append(act(tx, task))
                never.wait(0.5)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    return results


def claimed(world, number):
    now = world.clock.now()
    with world.ledger.transaction() as tx:
        rows = work.claim(tx, "both", now, now.replace(year=2027), number)
    return [Task(row, "both", world.context.fresh_id()) for row in rows]


@pytest.fixture
def world(postgres_url):
    made = World(Ledger(postgres_url), names="LH")
    yield made
    made.ledger.close()


@pytest.mark.postgres
def test_f11_two_records_of_one_ticket_that_are_placed_at_the_same_moment_share_a_link(world):
    """Neither sees the other's link before its commit: the lock on what they share does it."""
    for name in "LH":
        remote_id = world.systems[name].add(subject="Same", status="open", priority="high", tags=[])
        world.hint(name, remote_id)

    def place(tx, task):
        ref = Ref(task.row.connection, "ticket", task.row.remote_id)
        record: Record = world.connectors[ref.connection].read("ticket", [ref.id])[ref.id]
        match.place(tx, world.context, task, ref, world.context.syncs["tickets"], record, 0)

    at_the_same_moment(world, claimed(world, 2), place)
    world.settle()
    assert len(world.links()) == 1


@pytest.mark.postgres
def test_a_record_that_two_workers_link_at_the_same_moment_has_one_link_and_one_timeline(world):
    """One gives it a link of its own, the other adopts it as the counterpart of a ticket."""
    remote_id = world.systems["H"].add(subject="There", status="open", priority="high", tags=[])
    sync, now, ref = (
        world.context.syncs["tickets"],
        world.clock.now(),
        Ref("H", "ticket", remote_id),
    )
    with world.ledger.transaction() as tx:
        assert links.create(
            tx, Link("waiting", "tickets", "ticket", sides={"L": Side("L", "7")}), now
        )
    record = world.connectors["H"].read("ticket", [remote_id])[remote_id]
    world.hint("H", remote_id)
    (task,) = claimed(world, 1)

    def start(tx):
        with contextlib.suppress(LeaseLost), savepoint(tx):  # the record is read again then
            match.start_link(tx, world.context, task, sync, record, [(0, "digest", None)], None, 0)

    def join(tx):
        match.join(tx, sync, ref, "waiting", [(0, "digest", None)], now)

    at_the_same_moment(world, [start, join], lambda tx, act: act(tx))
    with world.ledger.read() as tx:
        link_id = links.of_refs(tx, [ref])[ref]
        assert matching.find(tx, "tickets", 0, "digest") == [link_id]
        lines = [
            line
            for each in links.ids(tx)
            for line in timeline.timeline(tx, each)
            if line.connection == "H"
        ]
        assert [line.kind for line in lines if line.kind in {"linked", "matched"}] == [
            "matched" if link_id == "waiting" else "linked"
        ]
        assert (
            links.ids(tx) == ["waiting"] if link_id == "waiting" else sorted(["waiting", link_id])
        )


@pytest.mark.postgres
def test_two_workers_together_destroy_no_more_than_the_guard_lets_through(world):
    """Each would see the count without the other's write: a lock sees to it that both count."""
    syncs = world.context.syncs
    syncs["tickets"] = replace(syncs["tickets"], guard=Guard(share=0.0, minimum=1))
    made = [
        world.systems["L"].add(subject=f"No {n}", status="open", priority="high", tags=["a"])
        for n in range(2)
    ]
    for remote_id in made:
        world.hint("L", remote_id)
    world.settle()
    with world.ledger.transaction() as tx:
        connection_health.hold(tx, "H", "until both are due", world.clock.now())
    for remote_id in made:
        world.systems["L"].edit(remote_id, tags=[])
        world.hint("L", remote_id)
    world.drain().run()
    tasks = claimed(world, 2)
    assert [(task.row.kind, task.row.connection) for task in tasks] == [("deliver", "H")] * 2

    def begin(tx, task):
        assert task.take(tx, world.context, task.row.link_id)
        return next(deliver.start(world.context, task)).act(tx)

    writes = [begun for begun in at_the_same_moment(world, tasks, begin) if begun is not None]
    assert len(writes) == 1
    with world.ledger.read() as tx:
        assert [row.cause for row in parking.parked(tx)] == ["unsafe"]


def throttled(world):
    """A ticket of each vendor is to be looked at, and each vendor wants a pause."""
    for name in "LH":
        world.hint(
            name, world.systems[name].add(subject=name, status="open", priority="high", tags=[])
        )
        world.systems[name].fail("limited", on="read")


def waits(tx):
    """Wait until another transaction waits for one of this one's locks."""
    mine = text(
        "SELECT count(*) FROM pg_locks"
        " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    )
    for _ in range(1000):
        if tx.execute(mine).scalar():
            return
        time.sleep(0.01)
    raise AssertionError("nobody waits for us")


def drained(world, order):
    """Run a drain beside a worker that has judged one connection: the next is judged as well."""
    now, runs, failures = world.clock.now(), [], []

    def run():
        try:
            runs.append(world.drain().run())
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    with world.ledger.transaction() as tx:
        tx.execute(
            text("SET LOCAL deadlock_timeout = '1min'")
        )  # of two that wait for one another, the drain loses
        first, second = order
        connection_health.failed(tx, first, "seen by another worker", now)
        thread.start()
        waits(tx)
        connection_health.failed(tx, second, "seen by another worker", now)
    thread.join(60)
    assert failures == []
    with world.ledger.read() as tx:
        states = {name: found.state(now) for name, found in connection_health.by_name(tx).items()}
    assert (runs[0].failed, states) == (2, {"H": "paused", "L": "paused"})


@pytest.mark.postgres
def test_a_worker_that_judges_two_connections_locks_them_in_the_order_of_all_workers(world):
    throttled(world)
    said = []
    event.listen(
        world.ledger.engine,
        "handle_error",
        lambda context: said.append(str(context.original_exception)),
    )
    drained(world, ("H", "L"))
    assert said == []


@pytest.mark.postgres
def test_a_judgement_that_meets_a_deadlock_loses_no_work_and_is_passed_the_next_time(world):
    throttled(world)
    drained(world, ("L", "H"))


@pytest.mark.postgres
def test_work_that_is_finished_is_locked_in_the_order_in_which_hints_ask_for_it(world):
    for number in reversed(range(20)):
        world.hint("L", f"{number:02}")
    tasks, failures = claimed(world, 20), []

    def finish():
        try:
            with world.ledger.transaction() as tx:
                ended = [(task.row, "both") for task in reversed(tasks)]
                work.finish_all(tx, ended, world.clock.now())
        except Exception as error:
            failures.append(error)

    def hint(tx, number):
        row = {"connection": "L", "entity": "ticket", "remote_id": number, "now": NOW}
        work.enqueue(tx, kind="observe", key=f"observe:L:ticket:{number}", due_at=NOW, **row)

    thread = threading.Thread(target=finish)
    with world.ledger.transaction() as tx:
        tx.execute(text("SET LOCAL deadlock_timeout = '1min'"))
        hint(tx, "00")
        thread.start()
        waits(tx)
        hint(tx, "19")
    thread.join(60)
    assert failures == []
    assert sorted(row["remote_id"] for row in world.outstanding()) == ["00", "19"]
