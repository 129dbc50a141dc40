"""A clock that is set back by an hour, as people and virtual machines do: nothing waits for it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import responses

from bridge.clock import TimeLimit
from bridge.clock_loop import Duty, SetBackWatch
from bridge.connectors.posthog.tag_belief import SEARCH_INTERVAL, TagBelief
from bridge.connectors.scopeai.tag_names import NAME_LIFETIME, TagNames
from bridge.core.model.syncs import Rate
from bridge.errors import LedgerError, RateLimited
from bridge.http.client import Http
from bridge.queue.redis_budget import MemoryBudget
from bridge.runs import upkeep
from bridge.web.receiver.refusal_log import WRITE_EVERY, RefusalLog
from tests.connectors.bench import StillClock, connection
from tests.flow.world import ManualClock, World

HOUR = timedelta(hours=1).total_seconds()


def test_a_time_limit_is_not_prolonged():
    clock = ManualClock()
    limit = TimeLimit(clock, 10)
    clock.advance(6)
    assert not limit.is_over()
    clock.advance(-HOUR)
    assert not limit.is_over()
    clock.advance(3.9)
    assert not limit.is_over()
    clock.advance(0.1)
    assert limit.is_over()


def test_a_drain_ends_in_its_time():
    world = World()
    drain = world.drain()
    began, rounds = world.clock.now(), []

    def beat():
        rounds.append(world.clock.now())
        world.clock.advance(-HOUR if len(rounds) == 2 else 1)
        world.hint("L", f"r{len(rounds)}")  # there is always more to do
        assert len(rounds) < 100, "it goes on for the hour"

    drain.beat = beat
    drain.run(5.0)
    assert world.clock.now() < began
    assert len(rounds) <= 8


def test_refusals_are_written_down_as_soon_as_ever():
    world, waits = World(), []
    world.clock.later = lambda seconds, act: waits.append((seconds, act))
    log = RefusalLog(world.ledger, world.clock)
    for _ in range(2):
        log.add("L", "signature")
        waits[-1][1]()
        world.clock.advance(-HOUR)
    assert [seconds for seconds, _act in waits] == [0.0, WRITE_EVERY.total_seconds()]


def test_no_duty_of_the_clock_waits_for_it():
    began = datetime(2026, 3, 1, 12, tzinfo=UTC)
    duty = Duty("announcement", timedelta(seconds=1), lambda: None, began)
    assert duty.is_due(began)
    duty.due = began + duty.every
    assert not duty.is_due(began + timedelta(seconds=0.5))
    back = began - timedelta(seconds=HOUR)
    assert duty.is_due(back)
    duty.due = back + duty.every
    assert not duty.is_due(back + timedelta(seconds=0.5))


def test_no_worker_waits_by_what_the_budget_said_before_it():
    world, rounds = World(), []
    connections = world.context.connections
    rated = {"H": replace(connections["H"], rates=(Rate(1, 1.0),))}
    world.context = replace(world.context, connections={**connections, **rated})
    for number in range(2):
        world.hint("L", world.systems["L"].add(subject=f"ticket {number}"))
    drain, began = world.drain(budget=MemoryBudget()), world.clock.now()

    def beat():
        rounds.append(world.clock.now())
        if len(rounds) == 30:  # nothing is under way, and the second call waits for its second
            world.clock.advance(-HOUR)
        assert len(rounds) < 2000, "it waits for the hour"

    drain.beat = beat
    drain.run(20.0)
    assert len(world.systems["H"].ids) == 2
    assert world.clock.now() < began - timedelta(seconds=HOUR) + timedelta(seconds=20)


def test_names_and_the_absence_of_tags_are_asked_for_anew():
    clock, asked = ManualClock(), []
    names = TagNames(clock.now, dict, lambda tag: asked.append(tag) or f"name {len(asked)}")
    belief, searches = TagBelief(declared=False), []
    for _ in range(2):
        names.of(["7"])
        belief.confirm(lambda _p: searches.append(clock.now()) or [], clock.now(), by_ids=False)
        clock.advance(-max(NAME_LIFETIME, SEARCH_INTERVAL).total_seconds() - HOUR)
    assert (asked, len(searches)) == (["7", "7"], 2)


def test_no_call_waits_longer_than_retry_after_said():
    began = datetime(2026, 3, 1, 12, tzinfo=UTC)
    made = replace(connection("switch"), base_url="https://desk.example")
    http = Http(made, clock=StillClock(began))

    def ask():
        return http.request("GET", "/x", write=False, auth=lambda request: request)

    with responses.RequestsMock() as vendor:
        vendor.get("https://desk.example/x", status=429, headers={"Retry-After": "7"})
        vendor.get("https://desk.example/x", json={})
        with pytest.raises(RateLimited):
            ask()
        http._clock.sleep(-HOUR)
        with pytest.raises(RateLimited) as early:
            ask()
        assert (early.value.retry_after, len(vendor.calls)) == (7.0, 1)
        http._clock.sleep(7)
        assert ask().status == 200
    http.close()


def test_the_clock_process_has_the_ledger_follow_once_it_can():
    clock, followed, away = ManualClock(), [], [True]

    def follow(step):
        if away:
            raise LedgerError("away")
        followed.append(step)

    watch = SetBackWatch(clock.now, follow)
    watch.look()
    clock.advance(-1)  # too little to be worth the while
    watch.look()
    clock.advance(-HOUR)
    with pytest.raises(LedgerError):
        watch.look()
    clock.advance(1)
    away.clear()
    for _ in range(3):
        watch.look()
    assert followed == [timedelta(seconds=HOUR)]


def test_what_was_raised_before_is_done_at_once():
    world = World()
    world.hint("L", world.systems["L"].add(subject="ticket"))
    before = world.clock.now()
    world.clock.advance(-HOUR)
    world.drain().run()
    assert world.links() == []
    upkeep.follow_clock(world.ledger, world.clock.now(), before - world.clock.now())
    world.drain().run()
    assert len(world.links()) == 1
