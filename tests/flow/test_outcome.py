"""What becomes of work and of connections when calls fail."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from bridge.engine.outcomes import backoff, record_call_outcome
from bridge.errors import NotFound, RateLimited, Refused, Unauthorised, Unavailable
from bridge.ledger import connection_health, parking, webhook_inbox, work
from bridge.queue.redis_budget import MemoryBudget
from tests.flow.world import World


def state(world, name):
    with world.ledger.read() as tx:
        return connection_health.get(tx, name).state(world.clock.now())


def set_aside(world):
    with world.ledger.read() as tx:
        return parking.parked(tx)


def down(world, name, calls=None):
    """The vendor does not answer; every call that reaches it is counted."""
    connector, seen = world.connectors[name], [] if calls is None else calls

    def dead(*_arguments):
        seen.append(world.clock.now())
        raise Unavailable(name, "no answer")

    kept = connector.read, connector.update, connector.create, connector.changed, connector.scan
    connector.read = connector.update = connector.create = connector.changed = connector.scan = dead

    def up():
        connector.read, connector.update, connector.create, connector.changed, connector.scan = kept

    return seen, up


def turns(world, seconds, step=0.5, drain=None):
    drain = drain or world.drain()
    until = world.clock.now() + timedelta(seconds=seconds)
    while world.clock.now() < until:
        drain.run(step)
        world.clock.advance(step)


def tickets(world, count, on="L"):
    """Tickets that have their counterparts, edited on one side with the hints underway."""
    ids = [
        world.systems[on].add(subject=f"s{n}", status="open", priority="high", tags=[])
        for n in range(count)
    ]
    for remote_id in ids:
        world.hint(on, remote_id)
    world.settle()
    return ids


def counterpart(world, remote_id):
    return next(
        link.sides["H"].remote_id
        for link in world.links()
        if link.sides["L"].remote_id == remote_id
    )


def edit(world, ids, on="L", **values):
    for remote_id in ids:
        world.systems[on].edit(remote_id, **values)
        world.hint(on, remote_id)


# --- the breaker
# --------------------------------------------------------------------------------------------------


def test_a_vendor_that_is_down_is_tried_by_one_call_at_a_time_and_less_and_less_often(world):
    ids = tickets(world, 12)
    calls, up = down(world, "H")
    edit(world, ids, priority="low")
    turns(world, 4)
    assert state(world, "H") in {"paused", "trying"}
    calls.clear()
    turns(world, 150)
    gaps = [(b - a).total_seconds() for a, b in pairwise(calls)]
    assert 2 <= len(calls) <= 12
    assert min(gaps) > 0.5, "two calls of one probe"
    assert gaps[-1] > gaps[0]
    up()
    turns(world, 90)
    assert state(world, "H") == "ok"
    assert {
        world.systems["H"].peek(remote_id)["priority"] for remote_id in world.systems["H"].ids
    } == {"low"}
    assert set_aside(world) == []


def test_two_workers_have_one_probe_between_them(world):
    ids = tickets(world, 8)
    calls, _up = down(world, "H")
    edit(world, ids, priority="low")
    first, second = world.drain("one"), world.drain("two")
    turns(world, 5, drain=first)
    with world.ledger.read() as tx:
        until = connection_health.get(tx, "H").paused_until
    world.clock.advance(max(0.0, (until - world.clock.now()).total_seconds()) + 0.01)
    calls.clear()
    claimed = [row for drain in (first, second) for row in drain_claims(drain)]
    assert [row.connection for row in claimed].count("H") == 1


def drain_claims(drain):
    drain._step(claim=True)
    return [run.task.row for run, *_ in (*drain._ready, *drain._asking)]


def test_the_others_go_on_while_one_connection_is_open(ledger):
    world = World(ledger, names="LHP")
    ids = tickets(world, 6)
    _calls, up = down(world, "P")
    edit(world, ids, status="pending")
    turns(world, 10)
    assert {world.systems["H"].peek(each)["status"] for each in world.systems["H"].ids} == {
        "pending"
    }
    assert state(world, "P") != "ok"
    up()
    turns(world, 90)
    assert {world.systems["P"].peek(each)["status"] for each in world.systems["P"].ids} == {
        "pending"
    }


def test_no_work_is_parked_however_long_a_vendor_is_down(world):
    (one,) = tickets(world, 1)
    down(world, "H")
    edit(world, [one], priority="low")
    turns(world, 3600, step=60)
    assert set_aside(world) == []
    assert [row["kind"] for row in world.outstanding()] == ["deliver"]


def test_one_bad_record_does_not_stop_its_connection(world):
    ids = tickets(world, 3)
    connector, read, bad = (
        world.connectors["H"],
        world.connectors["H"].read,
        counterpart(world, ids[0]),
    )

    def poisoned(entity, wanted):
        if bad in wanted:
            raise Unavailable("H", "answered 500", status=500)
        return read(entity, wanted)

    connector.read = poisoned
    edit(world, ids[:1], priority="low")
    for _ in range(60):
        turns(world, 5, step=1)
        assert state(world, "H") in {"ok", "failing"}


def test_one_call_that_always_fails_while_others_work_is_parked_in_the_end(world):
    ids = tickets(world, 4)
    connector, read, bad = (
        world.connectors["H"],
        world.connectors["H"].read,
        counterpart(world, ids[0]),
    )

    def poisoned(entity, wanted):
        if bad in wanted:
            raise Unavailable("H", "answered 500")
        return read(entity, wanted)

    connector.read = poisoned
    edit(world, ids[:1], priority="low")
    for number in range(30):
        edit(world, ids[1:], priority=("low", "high")[number % 2])
        turns(world, 60, step=20)
    assert {row.cause for row in set_aside(world)} == {"Unavailable"}
    assert state(world, "H") in {"ok", "failing"}


@pytest.mark.parametrize(
    "answer", [None, NotFound("H", "x", status=404), Refused("H", "x", status=422)]
)
def test_an_answer_of_any_kind_shows_that_a_system_is_there(world, answer):
    with world.ledger.transaction() as tx:
        for _ in range(connection_health.BREAKER_FAILURES - 1):
            record_call_outcome(tx, world.context, "H", Unavailable("H", "no answer"))
        record_call_outcome(tx, world.context, "H", answer)
        record_call_outcome(tx, world.context, "H", Unavailable("H", "no answer"))
    assert state(world, "H") == "failing"


# --- asked to wait
# -------------------------------------------------------------------------------------------------


def test_a_429_without_a_time_begins_where_the_connector_says_and_grows(world):
    world.context = replace(world.context, backoff={"H": 30.0})
    waits = []
    for _ in range(5):
        now = world.clock.now()
        with world.ledger.transaction() as tx:
            record_call_outcome(tx, world.context, "H", RateLimited("H", "answered 429"))
            until = connection_health.get(tx, "H").paused_until
        waits.append((until - now).total_seconds())
        world.clock.advance(waits[-1] + 1)
    assert all(30 <= wait <= 3600 for wait in waits)
    assert waits[0] == pytest.approx(30)
    assert max(waits) > 60


def test_several_429_at_once_count_once(world):
    with world.ledger.transaction() as tx:
        for _ in range(20):
            record_call_outcome(tx, world.context, "H", RateLimited("H", "answered 429"))
        assert connection_health.get(tx, "H").throttled == 1


def test_a_longer_pause_is_never_cut_short(world):
    now = world.clock.now()
    with world.ledger.transaction() as tx:
        record_call_outcome(
            tx, world.context, "H", RateLimited("H", "answered 429", retry_after=600.0)
        )
        record_call_outcome(
            tx, world.context, "H", RateLimited("H", "answered 429", retry_after=1.0)
        )
        assert connection_health.get(tx, "H").paused_until == now + timedelta(seconds=600)


def test_no_retry_after_stops_a_connection_for_more_than_an_hour(world):
    with world.ledger.transaction() as tx:
        record_call_outcome(
            tx, world.context, "H", RateLimited("H", "answered 429", retry_after=1e9)
        )
        assert connection_health.get(tx, "H").paused_until <= world.clock.now() + timedelta(hours=1)


def test_backoff_is_full_jitter_up_to_five_minutes(world):
    for tries in (0, 3, 40):
        waits = [backoff(world.context, tries) for _ in range(400)]
        longest = min(300.0, 0.5 * 2**tries)
        assert all(0 < wait <= longest for wait in waits)
        assert max(waits) > 0.8 * longest
        assert min(waits) < 0.3 * longest


# --- refused keys
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 402])
def test_refused_credentials_stop_at_once_and_say_how_to_go_on(world, status):
    ids = tickets(world, 3)
    calls, read = [], world.connectors["H"].read

    def refused(_entity, _ids):
        calls.append(1)
        raise Unauthorised("H", f"answered {status}", status=status)

    world.connectors["H"].read = refused
    edit(world, ids[:1], priority="low")
    turns(world, 3)
    edit(world, ids[1:], priority="low")
    turns(world, 30)
    assert len(calls) == 1
    with world.ledger.read() as tx:
        found = connection_health.get(tx, "H")
    assert found.state(world.clock.now()) == "stopped"
    assert "restart the bridge, then `bridge connection resume H`" in found.words(world.clock.now())
    world.connectors["H"].read = read
    with world.ledger.transaction() as tx:
        connection_health.resume(tx, "H")
    world.settle()
    assert {world.systems["H"].peek(each)["priority"] for each in world.systems["H"].ids} == {"low"}


@pytest.mark.parametrize("stopping", [False, True], ids=["goes on", "is told to stop"])
def test_what_waits_for_its_turn_is_not_sent_once_the_key_is_refused(world, stopping):
    """Of twelve pieces of work in hand one is refused, and one was on its way by then."""
    ids = tickets(world, 12)
    calls = []

    def refused(_entity, _ids):
        calls.append(1)
        raise Unauthorised("H", "answered 401", status=401)

    world.connectors["H"].read = refused
    able = world.context.capabilities["H"]
    able["ticket"] = replace(able["ticket"], read_batch=1)
    one_by_one = replace(world.context.connections["H"], concurrency=1)
    world.context.connections["H"] = one_by_one
    edit(world, ids, priority="low")
    drain = world.drain(budget=MemoryBudget())
    drain.stopping = drain._calls.stopping = lambda: stopping and bool(calls)
    drain.run()
    assert state(world, "H") == "stopped"
    assert len(calls) <= 2
    assert {row["connection"] for row in world.outstanding()} == {"H"}, "all of it waits"
    assert set_aside(world) == []


def forbidden(world, name, ids):
    read = world.connectors[name].read

    def partly(entity, wanted):
        if any(each in ids for each in wanted):
            raise Unauthorised(name, "answered 403", status=403)
        return read(entity, wanted)

    world.connectors[name].read = partly
    return read


def test_one_forbidden_item_is_parked_alone(world):
    ids = tickets(world, 3)
    with world.ledger.read() as tx:
        assert connection_health.get(tx, "H").state(world.clock.now()) == "ok"
    forbidden(world, "H", {counterpart(world, ids[0])})
    for remote_id in ids:
        edit(world, [remote_id], priority="low")
        world.settle()
    assert state(world, "H") == "ok"
    assert [row.cause for row in set_aside(world)] == ["Unauthorised"]
    assert [world.systems["H"].peek(counterpart(world, each))["priority"] for each in ids] == [
        "high",
        "low",
        "low",
    ]


def test_a_second_forbidden_item_in_a_row_stops_the_connection_and_takes_the_first_along(world):
    ids = tickets(world, 3)
    read = forbidden(world, "H", set(world.systems["H"].ids))
    for remote_id in ids:
        edit(world, [remote_id], priority="low")
        turns(world, 3)
    assert state(world, "H") == "stopped"
    assert set_aside(world) == []
    world.connectors["H"].read = read
    with world.ledger.transaction() as tx:
        connection_health.resume(tx, "H")
    world.settle()
    assert {world.systems["H"].peek(each)["priority"] for each in world.systems["H"].ids} == {"low"}


# --- parked webhooks
# -----------------------------------------------------------------------------------------------


def test_a_webhook_whose_work_is_parked_has_its_verdict(world):
    remote_id = world.systems["L"].add(subject="x", status="open", tags=[])
    now = world.clock.now()
    with world.ledger.transaction() as tx:
        fields = {"headers": {}, "projection": {}, "digest": "d", "event": "e", "entity": "ticket"}
        webhook_inbox.accept(
            tx, connection="L", delivery_key="k", received_at=now, remote_id=remote_id, **fields
        )
    world.hint("L", remote_id)

    def refused(_entity, _ids):
        raise Refused("L", "answered 400", status=400)

    world.connectors["L"].read = refused
    world.settle()
    with world.ledger.read() as tx:
        (row,) = webhook_inbox.recent(tx)
        assert work.next_due(tx, world.clock.now()) is None
    assert (row["verdict"], "answered 400" in row["why"]) == ("parked", True)
