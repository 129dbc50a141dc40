"""A scheduled run that fails is tried again by itself, ever rarer, and seen until it works."""

from datetime import timedelta
from itertools import pairwise

import pytest

from bridge.errors import (
    AlreadyExists,
    NotFound,
    Refused,
    Unauthorised,
    Unavailable,
    Unsupported,
)
from bridge.ledger import connection_health, failing_runs, parking, run_records, work
from bridge.operations import doctor, status
from bridge.runs import backfill, reconcile, schedule
from tests.flow.test_outcome import set_aside
from tests.flow.world import World, born
from tests.operations.desks import desk_of

POLL = timedelta(minutes=5)
FAILURES = [
    Refused("L", "answered 302, a redirect to elsewhere; correct base_url", status=302),
    Refused("L", "answered 422", status=422),
    NotFound("L", "answered 404", status=404),
    AlreadyExists("L", "answered 409", status=409),
    Unsupported("no such listing"),
    Unavailable("L", "answered 200 without JSON", status=200),
    KeyError("updated_at"),
]


def named(error):
    return str(error)


@pytest.fixture
def polled():
    world = World(names="LH")
    object.__setattr__(world.context.connections["L"], "poll", POLL)
    world.ids = born(world)
    world.drain_ = world.drain()
    pass_time(world, timedelta(minutes=6))
    return world


def pass_time(world, span):
    """Let the clock and a worker go on for so long."""
    until, step = world.clock.now() + span, 30 if span < timedelta(hours=1) else 150
    while world.clock.now() < until:
        schedule.start_due_runs(world.context, world.ledger)
        world.drain_.run(1)
        world.clock.advance(step)


def ill(world, error, name="L"):
    """Let a vendor's listings fail; give the times of the calls, and what makes it well."""
    connector, calls = world.connectors[name], []
    kept = connector.changed, connector.scan

    def fail(_entity, _cursor):
        calls.append(world.clock.now())
        raise error

    def well():
        connector.changed, connector.scan = kept

    connector.changed = connector.scan = fail
    return calls, well


def failing(world):
    with world.ledger.read() as tx:
        return failing_runs.by_run(tx)


@pytest.mark.parametrize("error", FAILURES, ids=named)
@pytest.mark.parametrize("lasts", [timedelta(minutes=8), timedelta(hours=9)], ids=["short", "long"])
def test_a_poll_that_fails_is_never_parked_and_goes_on_by_itself(polled, error, lasts):
    calls, well = ill(polled, error)
    pass_time(polled, lasts)
    assert set_aside(polled) == []
    assert calls
    well()
    polled.systems["L"].edit(polled.ids["L"], priority="low")
    pass_time(polled, POLL * 1.2 if lasts < timedelta(hours=1) else timedelta(hours=1.1))
    assert polled.systems["H"].peek(polled.ids["H"])["priority"] == "low"
    assert failing(polled) == {}


@pytest.mark.parametrize("error", FAILURES, ids=named)
def test_tries_come_ever_rarer_but_once_an_hour(polled, error):
    calls, _well = ill(polled, error)
    pass_time(polled, timedelta(hours=9))
    gaps = [after - before for before, after in pairwise(calls)]
    assert max(gaps) <= timedelta(hours=1, minutes=5)
    assert len([gap for gap in gaps if gap < timedelta(minutes=30)]) < 20
    assert gaps[-1] > timedelta(minutes=4)


@pytest.mark.parametrize("error", FAILURES, ids=named)
def test_a_failing_run_is_seen_at_once_and_no_longer_after_the_first_success(polled, error):
    desk = desk_of(polled)
    _calls, well = ill(polled, error)
    pass_time(polled, POLL * 1.2)
    (row,) = [row for row in status.overview(desk).connections if row.connection == "L"]
    assert row.health == "failing"
    assert row.since is not None
    assert "answered" in row.why or "failed over it" in row.why or "no such" in row.why
    (trouble,) = [found for found in doctor.examine(desk) if "poll" in found.what]
    assert trouble.what.startswith("the poll of L tickets fails")
    assert "by itself" in trouble.do
    assert type(error).__name__ not in trouble.what
    for _ in range(3):  # reads that work are no reason to call it well
        polled.hint("L", polled.ids["L"])
        polled.drain_.run(1)
    (row,) = [row for row in status.overview(desk).connections if row.connection == "L"]
    assert row.health == "failing"
    well()
    pass_time(polled, POLL * 2)
    (row,) = [row for row in status.overview(desk).connections if row.connection == "L"]
    assert (row.health, row.why) == ("ok", "")
    assert [found for found in doctor.examine(desk) if "poll" in found.what] == []


def test_a_full_comparison_that_fails_does_not_wait_for_the_next_day(polled):
    connection = polled.context.connections["L"]
    object.__setattr__(connection, "full", (polled.clock.now() + timedelta(hours=1)).time())
    calls, well = ill(polled, Refused("L", "answered 422", status=422))
    object.__setattr__(connection, "poll", None)
    pass_time(polled, timedelta(hours=4))
    assert 5 < len(calls) < 15
    well()
    pass_time(polled, timedelta(hours=1.1))
    with polled.ledger.read() as tx:
        last = run_records.last(tx, kind="full", connection="L", entity="ticket")
    assert (last.error, last.finished_at is not None) == ("", True)


def test_a_watermark_that_a_vendor_refuses_is_given_up(polled):
    connector, changed = polled.connectors["L"], polled.connectors["L"].changed

    def picky(entity, cursor):
        if cursor is not None:
            raise Refused("L", "answered 422: unknown cursor", status=422)
        return changed(entity, cursor)

    connector.changed = picky
    pass_time(polled, POLL * 6)
    connector.changed = changed
    polled.systems["L"].edit(polled.ids["L"], priority="low")
    with polled.ledger.read() as tx:
        assert run_records.last_whole(tx, kind="poll", connection="L", entity="ticket")
    pass_time(polled, POLL * 4)
    assert failing(polled) == {}
    assert polled.systems["H"].peek(polled.ids["H"])["priority"] == "low"


@pytest.mark.parametrize("error", FAILURES[:2], ids=named)
def test_a_run_that_an_older_version_parked_goes_on(polled, error):
    with polled.ledger.transaction() as tx:
        now = polled.clock.now()
        run_id = reconcile.start(tx, "L", "ticket", "poll", now)
        (row,) = work.claim(tx, "old", now, now + timedelta(minutes=1), 1)
        work.park(tx, row, "old", str(error), type(error).__name__, now)
        assert parking.free_runs(tx, now) == 1
    pass_time(polled, POLL)
    assert set_aside(polled) == []
    with polled.ledger.read() as tx:
        assert run_records.get(tx, run_id).finished_at is not None


@pytest.mark.parametrize("error", FAILURES[:2], ids=named)
def test_an_import_that_a_vendor_refuses_ends_and_says_so(polled, error):
    _calls, _well = ill(polled, error)
    with polled.ledger.transaction() as tx:
        run_id = backfill.start(tx, "L", "ticket", polled.clock.now())
    polled.drain_.run(5)
    with polled.ledger.read() as tx:
        run = run_records.get(tx, run_id)
    assert run.finished_at is not None
    assert str(error) in run.error
    (trouble,) = [found for found in doctor.examine(desk_of(polled)) if "import" in found.what]
    assert "bridge backfill" in trouble.do


# --- refused keys


def key_is_refused(world, name="L", status=401):
    connector, calls = world.connectors[name], []
    kept = connector.read, connector.changed, connector.update

    def refuse(*_arguments):
        calls.append(world.clock.now())
        raise Unauthorised(name, f"answered {status}", status=status)

    def well():
        connector.read, connector.changed, connector.update = kept

    connector.read = connector.changed = connector.update = refuse
    return calls, well


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_stopped_connection_is_tried_by_one_call_ever_rarer_and_goes_on_by_itself(polled, status):
    calls, well = key_is_refused(polled, status=status)
    pass_time(polled, timedelta(hours=9))
    with polled.ledger.read() as tx:
        health = connection_health.get(tx, "L")
    assert health.state(polled.clock.now()) == "stopped"
    (trouble,) = [found for found in doctor.examine(desk_of(polled)) if found.what.startswith("L")]
    assert "one call tries it again" in trouble.do
    assert 6 <= len(calls) <= 14
    gaps = [after - before for before, after in pairwise(calls)]
    assert max(gaps) <= timedelta(hours=1, minutes=5)
    well()
    polled.systems["L"].edit(polled.ids["L"], priority="low")
    pass_time(polled, timedelta(hours=1.1))
    pass_time(polled, POLL * 1.2)
    with polled.ledger.read() as tx:
        assert connection_health.get(tx, "L").state(polled.clock.now()) == "ok"
    assert polled.systems["H"].peek(polled.ids["H"])["priority"] == "low"


def test_an_operators_pause_is_never_tried(polled):
    calls, _well = key_is_refused(polled)
    with polled.ledger.transaction() as tx:
        connection_health.hold(tx, "L", "moving", polled.clock.now())
    pass_time(polled, timedelta(hours=9))
    assert calls == []


def test_a_call_that_fails_meanwhile_does_not_hide_why_a_connection_is_stopped(polled):
    with polled.ledger.transaction() as tx:
        now = polled.clock.now()
        connection_health.refuse(tx, "L", "answered 401", now)
        connection_health.failed(tx, "L", "no answer", now)
        connection_health.failed(tx, "L", "no answer", now, probe=True)
        assert connection_health.get(tx, "L").why == "answered 401"
