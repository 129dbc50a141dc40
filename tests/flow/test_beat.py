"""A worker says that it is at work, by the loop that does the work: one that hangs falls silent."""

from concurrent.futures import Future
from datetime import timedelta

from bridge.engine.effects import Read
from bridge.engine.in_flight import RemoteRequest
from bridge.engine.remote_calls import HANGS_AFTER
from tests.flow.world import World


def counted(drain):
    beats = []
    drain.beat = lambda: beats.append(1)
    return beats


def test_each_round_of_the_loop_says_so():
    world = World()
    drain = world.drain()
    beats = counted(drain)
    drain.run()
    assert beats


def test_a_call_that_should_have_ended_long_ago_silences_the_worker():
    world = World()
    drain = world.drain()
    now = world.clock.now()
    effect = Read("L", "ticket", "1", now + timedelta(seconds=10))
    drain._calls.flying[Future()] = RemoteRequest("L", [], [effect], now)
    assert not drain._calls.hangs()
    world.clock.sleep((timedelta(seconds=10) + HANGS_AFTER).total_seconds())
    assert drain._calls.hangs()
