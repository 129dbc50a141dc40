"""A clock that is set back by an hour, as people and virtual machines do: nothing waits for it."""

from datetime import timedelta

from bridge.clock import TimeLimit
from bridge.web.receiver.refusal_log import WRITE_EVERY, RefusalLog
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
