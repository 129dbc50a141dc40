"""When a request was made, by our clock: vendors' own clocks are wrong, and are set right."""

from datetime import timedelta

import pytest

from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.merge.identity import (
    Sameness,
    judge,
    known_until,
    life_of_link,
    life_of_record,
)
from bridge.core.merge.making import span_of, state_made
from bridge.core.model.clocks import NOT_LEARNT, SECOND, ClocksApart, TimeSpan
from tests.core.builders import MAPS, WRITABLE, at, field, kinds, link, look, rules

MINUTE, HOUR, DAY = 60, 3600, 86400
MONTH = timedelta(days=30)
AGED = {
    name: EntityMap("ticket", {**made.fields, "created_at": field("created_at")})
    for name, made in MAPS.items()
}
UNDER = rules(on_link="L", maps=AGED, writable=WRITABLE | {"P": {}})


def behind(seconds):
    """Return what the answers of a vendor show whose clock is so much behind ours."""
    return ClocksApart(timedelta(seconds=seconds) - SECOND, timedelta(seconds=seconds))


def shown(made, clock_behind):
    """Return what a vendor with such a clock shows as the time of something that happened then."""
    return at(made - clock_behind + 0.5).isoformat()


def ticket(*, made, ended=None, clock_behind=0):
    """Return a ticket of L, read each minute; it ended then."""
    given, told = link("L", "P"), {"created_at": shown(made, clock_behind)}
    told |= {"clocks": behind(clock_behind), "under": UNDER}
    look(given, "L", made + MINUTE, status="open", **told)
    if ended is not None:
        look(given, "L", ended, status="open", **told)
        look(given, "L", ended + MINUTE, status="closed", **told)
    return given


def record(*, made, clock_behind=0, known=True, status="new"):
    values = {"status": status, "created_at": shown(made, clock_behind)}
    clocks = behind(clock_behind) if known else NOT_LEARNT
    return life_of_record(values, clocks, at(made + MINUTE), None)


WRONG = [0, 40 * MINUTE, -40 * MINUTE, 5 * HOUR, -5 * HOUR]


@pytest.mark.parametrize("theirs", WRONG)
@pytest.mark.parametrize("ours", WRONG)
def test_f10_an_end_is_before_a_new_request_whatever_the_vendors_clocks_say(ours, theirs):
    old = ticket(made=0, ended=HOUR, clock_behind=ours)
    new = record(made=HOUR + 10 * MINUTE, clock_behind=theirs)
    assert judge(life_of_link(old), new, MONTH)[0] is Sameness.OTHER
    assert judge(new, life_of_link(old), MONTH)[0] is Sameness.OTHER


@pytest.mark.parametrize("again", ["closed", "resolved"])
def test_f10_what_had_ended_does_not_end_a_second_time(again):
    old = ticket(made=0)
    for when, status in ((HOUR, "resolved"), (3 * HOUR, again)):
        look(old, "L", when, status=status, under=UNDER)
        look(old, "P", when + MINUTE, status=status, under=UNDER)
    assert judge(life_of_link(old), record(made=2 * HOUR), MONTH)[0] is Sameness.OTHER
    assert judge(life_of_link(old), record(made=HOUR / 2), MONTH)[0] is not Sameness.OTHER


def test_f10_what_was_reopened_ends_anew():
    old = ticket(made=0, ended=HOUR)
    look(old, "L", 2 * HOUR, status="open", under=UNDER)
    look(old, "L", 4 * HOUR - MINUTE, status="open", under=UNDER)
    look(old, "L", 4 * HOUR, status="closed", under=UNDER)
    assert judge(life_of_link(old), record(made=3 * HOUR), MONTH)[0] is Sameness.SAME


@pytest.mark.parametrize("theirs", WRONG)
@pytest.mark.parametrize("ours", WRONG)
def test_f10_what_was_made_in_one_moment_is_one_whatever_the_vendors_clocks_say(ours, theirs):
    old = ticket(made=0, ended=MINUTE, clock_behind=ours)
    new = record(made=MINUTE, clock_behind=theirs)
    assert judge(life_of_link(old), new, MONTH)[0] is Sameness.SAME
    assert known_until(life_of_link(ticket(made=0, clock_behind=ours)), new) is None


def test_f10_beside_an_end_a_clock_that_nobody_knows_leaves_it_to_a_human():
    old = life_of_link(ticket(made=0, ended=HOUR))
    undated = record(made=2 * HOUR, known=False)
    assert judge(old, undated, MONTH)[0] is Sameness.DOUBTFUL
    assert judge(old, record(made=-HOUR, known=False), MONTH)[0] is Sameness.DOUBTFUL
    assert judge(old, record(made=3 * DAY, known=False), MONTH)[0] is Sameness.OTHER
    open_still = life_of_link(ticket(made=0))
    assert judge(open_still, undated, MONTH)[0] is Sameness.SAME
    assert known_until(open_still, undated) >= at(2 * HOUR)


def test_f10_a_ticket_of_an_older_ledger_has_a_clock_that_nobody_knows():
    old, twin = ticket(made=0, ended=MINUTE, clock_behind=40 * MINUTE), record(made=90)
    assert judge(life_of_link(old), twin, MONTH)[0] is Sameness.SAME
    old.state["created_at"].in_our_time = old.sides["L"].fields["created_at"].in_our_time = None
    assert judge(life_of_link(old), twin, MONTH)[0] is Sameness.DOUBTFUL
    told = {"created_at": shown(0, 40 * MINUTE), "clocks": behind(40 * MINUTE)}
    look(old, "L", 2 * HOUR, status="closed", under=UNDER, **told)
    assert state_made(old).farthest(TimeSpan(at(0), at(0))) <= timedelta(seconds=1)


@pytest.mark.parametrize("now", [behind(0), NOT_LEARNT])
def test_a_time_stays_as_it_was_translated_when_the_clock_is_set_right(now):
    given = ticket(made=0, clock_behind=40 * MINUTE)
    first = state_made(given)
    assert first.after <= at(0) <= first.before
    told = {"created_at": shown(0, 40 * MINUTE), "status": "pending"}
    look(given, "L", DAY, under=UNDER, clocks=now, **told)
    assert state_made(given) == first
    assert given.sides["L"].fields["created_at"].in_our_time == (first.after, first.before)


def test_the_time_of_another_side_is_not_the_tickets():
    given = ticket(made=0)
    first = state_made(given)
    told = {"created_at": shown(HOUR, DAY), "clocks": behind(DAY), "status": "open"}
    look(given, "P", 2 * HOUR, under=UNDER, **told)
    assert state_made(given) == first
    assert given.sides["P"].fields["created_at"].in_our_time[1] >= at(HOUR)


@pytest.mark.parametrize("wrong", [3 * DAY, -3 * DAY, 40 * MINUTE])
def test_f10_what_was_just_opened_is_not_ended_though_its_clock_makes_it_old(wrong):
    given = link("L", "P")
    old = {"created_at": shown(-90 * DAY, 0), "clocks": behind(0), "under": UNDER}
    look(given, "L", 0, status="closed", **old)
    told = {"created_at": shown(10 * MINUTE, wrong), "clocks": behind(wrong)}
    notes = look(given, "P", 20 * MINUTE, under=UNDER, status="new", **told)
    assert "conflict" in kinds(notes)
    assert given.state["status"].candidates == {"L": "closed", "P": "new"}


def test_f10_nor_when_it_was_read_first():
    given = link("L", "P")
    told = {"created_at": shown(10 * MINUTE, 3 * DAY), "clocks": behind(3 * DAY)}
    look(given, "P", 20 * MINUTE, under=UNDER, status="new", **told)
    old = {"created_at": shown(-90 * DAY, 0), "clocks": behind(0), "under": UNDER}
    look(given, "L", 30 * MINUTE, status="closed", **old)
    assert given.state["status"].candidates == {"L": "closed", "P": "new"}


def test_what_is_no_time_is_none_and_the_calendar_has_ends():
    assert [span_of(each, NOT_LEARNT) for each in ("soon", None, 7)] == [None] * 3
    last = span_of("9999-12-31T23:59:59.5+00:00", behind(DAY))
    assert last.after <= last.before
    assert span_of("2026-03-01T12:00:00", behind(0)).before == at(1)
