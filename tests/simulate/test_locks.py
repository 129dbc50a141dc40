"""Order and locks that a world in one thread cannot show: several transactions at once, on a real PostgreSQL."""

import threading
from datetime import UTC, datetime

import pytest

from bridge.connectors.base import Hint, Record
from bridge.core.values import Ref
from bridge.flow import match
from bridge.flow.context import Task
from bridge.ledger import inbox, links, work
from bridge.ledger.session import Ledger
from bridge.web.intake import Delivery, DirectIntake, GroupIntake
from tests.flow.world import World

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def delivery():
    return Delivery(
        connection="L",
        key="id:1",
        received_at=NOW,
        headers={},
        projection={},
        digest="d",
        event="e",
        verdict="pending",
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
            self.found.append(sum(inbox.counts(tx).values()))
        ledger.close()
        self.rang.set()
        return True

    def answered(self, lane="live"):
        pass

    def ping(self):
        return True


@pytest.mark.parametrize("make", [DirectIntake, GroupIntake])
def test_the_doorbell_rings_when_there_is_something_to_find(sqlite_url, make):
    ledger, bell = Ledger(sqlite_url), Looking(sqlite_url)
    intake = make(ledger, bell)
    intake.submit(delivery())
    assert bell.rang.wait(10)
    intake.close()
    ledger.close()
    assert bell.found[0] == 1


@pytest.mark.postgres
def test_f11_two_records_of_one_ticket_that_are_placed_at_the_same_moment_share_a_link(postgres_url):
    """Neither transaction sees the other's link before its commit: the lock on what they have in common does it."""
    world = World(Ledger(postgres_url))
    tasks = {}
    for name in "LH":
        remote_id = world.systems[name].add(subject="Same", status="open", priority="high", tags=[])
        world.hint(name, remote_id)
    with world.ledger.transaction() as tx:
        for row in work.claim(tx, "both", world.clock.now(), world.clock.now().replace(year=2027), 2):
            tasks[row.connection] = Task(row, "both", world.context.fresh_id())
    both, failures = threading.Barrier(2), []

    def place(name):
        task = tasks[name]
        ref = Ref(name, "ticket", task.row.remote_id)
        record: Record = world.connectors[name].read("ticket", [ref.id])[ref.id]
        try:
            with world.ledger.transaction() as tx:
                links.of_refs(tx, [ref])  # both have begun, and neither has written
                both.wait(10)
                match.place(tx, world.context, task, ref, world.context.syncs["tickets"], record, 0)
                both_placed.wait(0.5)
        except Exception as error:
            failures.append(error)

    both_placed = threading.Event()  # never set: each lingers before its commit
    threads = [threading.Thread(target=place, args=(name,)) for name in "LH"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    world.settle()
    assert len(world.links()) == 1
    world.ledger.close()
