from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.model.budget_use import BudgetUse
from bridge.core.model.lanes import LANES, SHARES
from bridge.core.model.syncs import Connection, Rate
from bridge.queue.redis_budget import MemoryBudget, RedisBudget

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


def connection(*rates, concurrency=1000):
    return Connection(
        name="helpdesk",
        system="switch",
        mapping="switch",
        base_url="http://x",
        credentials={},
        rates=rates,
        concurrency=concurrency,
    )


@pytest.fixture(params=["memory", "redis"])
def budget(request):
    if request.param == "memory":
        yield MemoryBudget()
        return
    request.getfixturevalue("redis")
    found = RedisBudget(request.getfixturevalue("valkey").url, server_time=False)
    yield found
    found.close()


def calls(budget, to, start, seconds, *, step=0.05):
    """Ask as eagerly as waits allow; give the times of the granted calls."""
    at, granted, number = start, [], 0
    while at < start + timedelta(seconds=seconds):
        number += 1
        wait = budget.acquire(to, f"h{number}", at, 0.001)
        if wait == 0:
            granted.append(at)
            wait = step / 10
        at += timedelta(seconds=wait)
    return granted


def most_in_a_window(times, seconds):
    return max(sum(0 <= (b - a).total_seconds() < seconds - 1e-6 for b in times) for a in times)


def test_a_rate_holds_in_every_window_and_is_used_up(budget):
    granted = calls(budget, connection(Rate(10, 1.0)), START, 10)
    assert most_in_a_window(granted, 1.0) <= 10
    assert len(granted) >= 90


def test_the_tightest_of_several_rates_counts(budget):
    granted = calls(budget, connection(Rate(10, 1.0), Rate(30, 10.0)), START, 30)
    assert most_in_a_window(granted, 1.0) <= 10
    assert most_in_a_window(granted, 10.0) <= 30


def test_it_begins_low_and_allows_a_burst_once_a_window_is_known(budget):
    to = connection(Rate(10, 10.0))
    assert [budget.acquire(to, f"a{n}", START, 1) for n in range(2)] == [0.0, pytest.approx(1.0)]
    later = START + timedelta(seconds=30)
    assert [budget.acquire(to, f"b{n}", later, 1) for n in range(10)] == [0.0] * 10
    assert budget.acquire(to, "b10", later, 1) == pytest.approx(10.0)


def test_whoever_looks_sees_what_is_in_use_and_takes_nothing(budget):
    to = connection(Rate(10, 1.0), Rate(100, 60.0))
    assert budget.use(to, START) == BudgetUse((0, 0), 0, 0.0)
    budget.acquire(to, "first", START, 5.0)
    later = START + timedelta(seconds=30)
    for number in range(3):
        assert budget.acquire(to, f"h{number}", later, 5.0) == 0
    budget.release("helpdesk", "h0")
    for _ in range(20):
        assert budget.use(to, later) == BudgetUse((3, 4), 2, 0.0)
    budget.hold_off("helpdesk", 7.0, later)
    assert budget.use(to, later).held_off == pytest.approx(7.0)
    assert budget.use(to, later + timedelta(seconds=6)).in_flight == 0


def test_an_emptied_redis_begins_low_again(redis, valkey):
    budget = RedisBudget(valkey.url, server_time=False)
    to = connection(Rate(10, 10.0))
    later = START + timedelta(seconds=30)
    budget.acquire(to, "first", START, 1)
    assert [budget.acquire(to, f"b{n}", later, 1) for n in range(10)] == [0.0] * 10
    redis.flushall()
    assert budget.acquire(to, "c", later, 1) == 0.0
    assert budget.acquire(to, "d", later, 1) == pytest.approx(1.0)
    budget.close()


def test_calls_in_flight_are_limited_until_released_or_run_out(budget):
    to = connection(concurrency=2)
    assert budget.acquire(to, "a", START, 10) == budget.acquire(to, "b", START, 10) == 0.0
    assert 0 < budget.acquire(to, "c", START, 10) <= 0.05
    budget.release("helpdesk", "a")
    assert budget.acquire(to, "c", START, 10) == 0.0
    assert budget.acquire(to, "d", START, 10) > 0
    assert budget.acquire(to, "d", START + timedelta(seconds=10), 10) == 0.0


def test_a_holder_may_call_again_on_the_place_that_it_has(budget):
    to = connection(concurrency=1)
    assert [budget.acquire(to, "a", START, 10) for _ in range(3)] == [0.0] * 3


def test_a_refusal_costs_nothing(budget):
    to = connection(Rate(1, 1.0), concurrency=1)
    assert budget.acquire(to, "a", START, 10) == 0.0
    later = START + timedelta(seconds=5)
    assert [budget.acquire(to, "b", later, 10) > 0 for _ in range(5)] == [
        True
    ] * 5  # the place is taken
    budget.release("helpdesk", "a")
    assert budget.acquire(to, "b", later, 10) == 0.0


@pytest.mark.parametrize("lane", [lane for lane in SHARES if lane != "live"])
def test_lower_lanes_leave_room_for_live_in_every_window(budget, lane):
    to = connection(Rate(10, 1.0))
    budget.acquire(to, "first", START, 1)
    at = START + timedelta(seconds=60)
    granted = 0
    while budget.acquire(to, f"low{granted}", at, 1, lane=lane) == 0:
        granted += 1
    assert granted == int(10 * SHARES[lane]) < 10
    assert [budget.acquire(to, f"live{n}", at, 1) for n in range(10 - granted)] == [0.0] * (
        10 - granted
    )
    assert budget.acquire(to, "more", at, 1) > 0


def test_lower_lanes_leave_the_last_place_in_flight_to_live(budget):
    to = connection(concurrency=3)
    assert (
        budget.acquire(to, "a", START, 10, lane="backfill")
        == budget.acquire(to, "b", START, 10, lane="retry")
        == 0.0
    )
    assert budget.acquire(to, "c", START, 10, lane="operator") > 0
    assert budget.acquire(to, "d", START, 10) == 0.0


def test_a_connection_with_one_place_serves_every_lane(budget):
    to = connection(Rate(1, 1.0), concurrency=1)
    assert budget.acquire(to, "a", START, 1, lane="backfill") == 0.0


def test_the_more_urgent_lane_has_the_larger_share():
    assert list(SHARES) == list(LANES)
    assert sorted(SHARES.values(), reverse=True) == list(SHARES.values())
    assert SHARES["live"] == 1.0


def test_retry_after_stops_everybody_and_is_never_shortened(budget):
    to = connection()
    budget.hold_off("helpdesk", 30, START)
    budget.hold_off("helpdesk", 5, START)
    assert budget.acquire(to, "a", START, 1) == pytest.approx(30)
    assert budget.acquire(to, "a", START + timedelta(seconds=31), 1) == 0.0


def test_requests_that_were_made_without_asking_are_made_up_for(budget):
    """Each call makes four requests and asks for one: only calls under way exceed the rate."""
    to, at, made = connection(Rate(10, 1.0), Rate(120, 60.0)), START, []
    while at < START + timedelta(seconds=300):
        wait = budget.acquire(to, "a", at, 1)
        if wait == 0:
            made += [at] * 4
            budget.charge(to, 3, at)
        at += timedelta(seconds=max(wait, 0.01))
    assert most_in_a_window(made, 1.0) <= 10 + 3
    assert most_in_a_window(made, 60.0) <= 120 + 3
    assert len(made) >= 5 * 120 * 0.95


def test_a_charge_beyond_a_window_is_made_up_for_by_the_next_ones(budget):
    to = connection(Rate(10, 10.0))
    budget.acquire(to, "first", START, 1)
    later = START + timedelta(seconds=30)
    budget.charge(to, 35, later)
    assert budget.acquire(to, "a", later, 1) > 0
    assert budget.acquire(to, "a", later + timedelta(seconds=29.9), 1) > 0
    at = later + timedelta(seconds=30)
    assert [budget.acquire(to, f"b{n}", at, 1) for n in range(6)] == [
        *[0.0] * 5,
        pytest.approx(10.0),
    ]


def test_a_clock_that_is_set_back_makes_nobody_wait_for_it_and_gives_nothing_away(budget):
    to = connection(Rate(10, 10.0), concurrency=3)
    budget.acquire(to, "first", START, 1)
    later = START + timedelta(seconds=30)
    assert [budget.acquire(to, f"a{n}", later, 20) for n in range(3)] == [0.0] * 3
    back = later - timedelta(hours=1)
    assert budget.acquire(to, "b", back, 1) == pytest.approx(0.05), "three are in flight still"
    for number in range(3):
        budget.release("helpdesk", f"a{number}")
    granted = calls(budget, to, back, 40)
    assert most_in_a_window([back] * 3 + granted, 10.0) <= 10
    assert len(granted) >= 4 * 10 - 3


def test_a_clock_that_is_set_back_prolongs_no_retry_after(budget):
    to, back = connection(), START - timedelta(hours=1)
    assert budget.acquire(to, "a", START, 1) == 0.0
    budget.hold_off("helpdesk", 30, START)
    assert budget.acquire(to, "a", back, 1) == pytest.approx(30)
    assert budget.acquire(to, "a", back + timedelta(seconds=31), 1) == 0.0


def test_what_is_heard_first_after_the_clock_was_set_back_counts_by_the_new_time(budget):
    to, back = connection(Rate(10, 10.0)), START - timedelta(hours=1)
    assert budget.acquire(to, "a", START, 1) == 0.0
    budget.hold_off("helpdesk", 30, back)
    assert budget.acquire(to, "b", back + timedelta(seconds=1), 1) == pytest.approx(29)
    later = START + timedelta(hours=1)
    assert budget.acquire(to, "c", later, 1) == 0.0
    budget.release("helpdesk", "c")
    budget.charge(to, 9, START)
    wait = budget.acquire(to, "d", START + timedelta(seconds=1), 1)
    assert wait == pytest.approx(9), "ten calls within ten seconds"


def test_where_no_rate_is_declared_a_charge_asks_redis_for_nothing(redis, valkey):
    budget = RedisBudget(valkey.url, server_time=False)
    budget.charge(connection(), 1000, START)
    assert redis.keys("budget:*") == []
    budget.close()


def test_connections_do_not_share(budget):
    import dataclasses

    to = connection(Rate(1, 60.0))
    other = dataclasses.replace(to, name="desk")
    assert budget.acquire(to, "a", START, 1) == 0.0
    assert budget.acquire(to, "b", START, 1) > 0
    assert budget.acquire(other, "b", START, 1) == 0.0


def test_without_redis_nothing_is_granted(tmp_path):
    budget = RedisBudget(f"unix://{tmp_path}/nobody.sock")
    assert budget.acquire(connection(), "a", START, 1) == 1.0
    budget.release("helpdesk", "a")
    budget.charge(connection(Rate(1, 1.0)), 1, START)
    budget.hold_off("helpdesk", 1, START)


@pytest.mark.usefixtures("redis")
def test_without_redis_nobody_knows_what_is_in_use(tmp_path):
    assert RedisBudget(f"unix://{tmp_path}/none.sock").use(connection(Rate(1, 1.0)), START) is None


def test_several_workers_share_one_budget_by_the_servers_clock(valkey):
    first, second = RedisBudget(valkey.url), RedisBudget(valkey.url)
    to = connection(Rate(1, 3600.0))
    wrong_clock = START - timedelta(days=400)
    assert first.acquire(to, "a", START, 1) == 0.0
    assert second.acquire(to, "b", wrong_clock, 1) > 3000
    first.close()
    second.close()


@settings(max_examples=60, deadline=None)
@given(
    rates=st.lists(
        st.tuples(st.integers(1, 6), st.sampled_from([0.5, 1.0, 4.0])), min_size=1, max_size=3
    ),
    pauses=st.lists(st.floats(0, 3), min_size=1, max_size=40),
)
def test_no_history_ever_breaks_a_rate(rates, pauses):
    budget = MemoryBudget()
    to = connection(*(Rate(*rate) for rate in rates))
    at, granted = START, []
    for number, pause in enumerate(pauses * 3):
        at += timedelta(seconds=pause / 10)
        if budget.acquire(to, f"h{number}", at, 0.01) == 0:
            granted.append(at)
    for count, seconds in rates:
        assert most_in_a_window(granted, seconds) <= count


@pytest.mark.usefixtures("redis")
def test_an_emptied_redis_begins_low_for_every_lane(redis, valkey):
    budget = RedisBudget(valkey.url, server_time=False)
    to, later = connection(Rate(10, 10.0)), START + timedelta(seconds=30)
    for lane in SHARES:
        budget.acquire(to, "first", START, 1)
        redis.flushall()
        assert budget.acquire(to, "a", later, 1, lane=lane) == 0.0
        assert budget.acquire(to, "b", later, 1, lane=lane) == pytest.approx(
            10 / max(1, int(10 * SHARES[lane]))
        )
        redis.flushall()
    budget.close()


@pytest.mark.usefixtures("redis")
def test_both_budgets_give_the_same_answers(valkey):
    import random

    chance = random.Random(7)
    shared, alone = RedisBudget(valkey.url, server_time=False), MemoryBudget()
    to = connection(Rate(3, 1.0), Rate(8, 5.0), concurrency=3)
    at = START
    for number in range(400):
        at += timedelta(milliseconds=chance.randrange(400))
        holder, lane = f"h{number % 7}", chance.choice(list(SHARES))
        asked = (to, holder, at, 0.5)
        assert shared.acquire(*asked, lane=lane) == pytest.approx(
            alone.acquire(*asked, lane=lane), abs=2e-3
        )
        if chance.random() < 0.4:
            shared.release("helpdesk", holder)
            alone.release("helpdesk", holder)
        if chance.random() < 0.1:
            more = chance.randrange(1, 12)
            shared.charge(to, more, at)
            alone.charge(to, more, at)
    shared.close()
