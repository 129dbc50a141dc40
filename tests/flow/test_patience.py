"""Writes that come to nothing are not repeated for ever; what is missing is looked for again."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import update

from bridge.errors import AlreadyExists, NotFound, UnknownOutcome
from bridge.ledger import parking
from bridge.ledger.tables import work
from bridge.runs import reconcile
from tests.flow.test_outcome import set_aside
from tests.flow.world import World, born


@pytest.fixture
def pair():
    made = World(names="LH")
    made.ids = born(made)
    return made


def answering(world, answer, name="H"):
    """The vendor answers a write in its own way: give what it was sent, and when."""
    calls, real = [], world.connectors[name].update

    def update_(ref, verb, values):
        calls.append((world.clock.now(), dict(values)))
        return answer(lambda: real(ref, verb, values), values)

    world.connectors[name].update = update_
    return calls


def edit(world, **values):
    world.systems["L"].edit(world.ids["L"], **values)
    world.hint("L", world.ids["L"])


def hours(world, count):
    drain = world.drain()
    for _ in range(count * 60):
        drain.run(5)
        world.clock.advance(60)


def fails_over_priority(real, values):
    if "priority" in values:
        raise UnknownOutcome("H", "answered 500", status=500)
    return real()


@pytest.mark.parametrize(
    "answer", [fails_over_priority, lambda _real, _values: None], ids=["500", "ignored"]
)
def test_a_write_that_never_does_anything_is_set_aside(pair, answer):
    calls = answering(pair, answer)
    edit(pair, priority="low")
    hours(pair, 3)
    assert len(calls) == 12
    gaps = [later[0] - before[0] for before, later in pairwise(calls)]
    assert gaps[-1] > timedelta(minutes=10)
    (row,) = set_aside(pair)
    assert (row.cause, "12 writes in a row changed nothing on H:" in row.why) == ("in vain", True)


def test_set_aside_it_is_tried_when_an_operator_says_so_and_when_there_is_something_else_to_say(
    pair,
):
    calls = answering(pair, fails_over_priority)
    edit(pair, priority="low")
    hours(pair, 3)
    with pair.ledger.transaction() as tx:
        parking.unpark(tx, pair.clock.now())
    hours(pair, 3)
    assert len(calls) == 24
    assert [row.cause for row in set_aside(pair)] == ["in vain"]
    edit(pair, priority="urgent", status="pending")
    hours(pair, 3)
    assert 25 < len(calls) <= 24 + 12
    edit(pair, priority="high")  # as it stands there
    hours(pair, 1)
    assert pair.systems["H"].peek(pair.ids["H"])["status"] == "pending"
    assert set_aside(pair) == []


@pytest.mark.parametrize(
    "error", [NotFound("H", "no such user", status=404), AlreadyExists("H", "is so", status=409)]
)
def test_what_the_call_names_and_the_vendor_does_not_find_is_set_aside_alone(pair, error):
    def picky(real, values):
        if "assignee" in values:
            raise error
        return real()

    calls = answering(pair, picky)
    edit(pair, assignee="ann", priority="low")
    hours(pair, 2)
    assert len(calls) <= 3
    assert pair.systems["H"].peek(pair.ids["H"])["priority"] == "low"
    (row,) = set_aside(pair)
    assert (row.cause, row.key.endswith(":H:assignee")) == (type(error).__name__, True)


def test_a_read_that_takes_nearly_its_whole_time_does_not_keep_the_write_back(pair):
    real = pair.connectors["H"].read

    def slow(entity, ids):
        pair.clock.advance(9)
        return real(entity, ids)

    pair.connectors["H"].read = slow
    for name in "LH":
        pair.context.connections[name] = replace(pair.context.connections[name], timeout=10.0)
    edit(pair, priority="low")
    hours(pair, 1)
    assert pair.systems["H"].peek(pair.ids["H"])["priority"] == "low"


def test_a_deletion_that_a_write_comes_upon_is_believed_once_it_was_seen_twice(pair):
    pair.systems["H"].remove(pair.ids["H"])
    edit(pair, priority="low")
    pair.settle()
    (link,) = pair.links()
    assert link.sides["H"].tombstone
    assert pair.outstanding() == []


def test_a_record_that_a_write_missed_once_gets_the_write_all_the_same(pair):
    real, reads = pair.connectors["H"].read, []

    def missing_once(entity, ids):
        reads.append(ids)
        return dict.fromkeys(ids) if len(reads) == 1 else real(entity, ids)

    pair.connectors["H"].read = missing_once
    edit(pair, priority="low")
    pair.settle()
    assert pair.systems["H"].peek(pair.ids["H"])["priority"] == "low"


def test_a_worker_whose_clock_is_behind_takes_in_what_it_reads(pair):
    pair.clock.time -= timedelta(seconds=3)
    edit(pair, priority="low")
    pair.drain("slow").run(1)
    (link,) = pair.links()
    assert link.state["priority"].value == "low"


def test_a_worker_whose_clock_is_behind_leaves_no_attempt_open(pair):
    edit(pair, priority="low")
    pair.clock.advance(5)
    pair.hint("H", pair.ids["H"])
    with pair.ledger.transaction() as tx:  # the fast one looks at H, and the slow one does the rest
        late = pair.clock.now() + timedelta(seconds=60)
        tx.execute(update(work).where(work.c.key.startswith("observe:L:")).values(due_at=late))
    pair.drain("fast").run(0.1)
    pair.clock.time -= timedelta(seconds=3)
    with pair.ledger.transaction() as tx:
        tx.execute(update(work).values(due_at=pair.clock.now()))
    pair.drain("slow").run(1)
    (link,) = pair.links()
    assert (pair.systems["H"].peek(pair.ids["H"])["priority"], link.sides["H"].attempt) == (
        "low",
        None,
    )


def test_a_poll_does_not_wake_what_was_set_aside_more_than_once_an_hour(pair):
    calls = answering(pair, fails_over_priority)
    edit(pair, priority="low")
    hours(pair, 3)
    before = len(calls)
    for _ in range(24):
        for name in "LH":
            with pair.ledger.transaction() as tx:
                reconcile.start(tx, name, "ticket", "full", pair.clock.now())
        pair.settle()
        pair.clock.advance(300)
    assert before < len(calls) <= before + 3
