"""Whether two records that match are one request, and what first contact never does in silence."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.merge.identity import Life, Sameness, judge
from bridge.core.model.capabilities import Writable
from bridge.core.model.clocks import TimeSpan
from tests.core.builders import MAPS, T0, at, field, kinds, link, look, rules, value

DAY = 86400
SAME, OTHER, DOUBTFUL = Sameness.SAME, Sameness.OTHER, Sameness.DOUBTFUL
AGED = {
    name: EntityMap("ticket", {**made.fields, "created_at": field("created_at")})
    for name, made in MAPS.items()
}


def life(made, *, ended=None, after=None, doubt=0):
    """Return a life that began on one day, give or take so many, and had ended by another."""
    return Life(
        None if made is None else TimeSpan(at((made - doubt) * DAY), at((made + doubt) * DAY)),
        ended is not None,
        None if after is None else at(after * DAY),
        None if ended is None else at(ended * DAY),
    )


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (life(0, ended=1), life(10), OTHER),
        (life(0, ended=1), life(10, ended=11), OTHER),
        (life(0, ended=20), life(10), DOUBTFUL),
        (life(0, ended=20, after=15), life(10), SAME),
        (life(0, ended=20), life(10, ended=20), SAME),
        (life(0, ended=400), life(365), OTHER),
        (life(0), life(10), SAME),
        (life(0), life(10, ended=11), SAME),
        (life(0), life(365), DOUBTFUL),
        (life(0, ended=0), life(0.001), SAME),
        (life(None), life(None), SAME),
        (life(None, ended=1), life(None, ended=2), SAME),
        (life(None, ended=1), life(5), DOUBTFUL),
        (life(0, ended=2), life(4, doubt=1), OTHER),
        (life(0, ended=4), life(4, doubt=1), DOUBTFUL),
        (life(0, ended=20, after=15), life(10, doubt=1), SAME),
        (life(0, ended=20, after=10), life(10, doubt=1), DOUBTFUL),
        (life(0, ended=0.5), life(0, doubt=1), DOUBTFUL),
        (life(0, ended=0.5, doubt=1), life(2), OTHER),
        (life(0, ended=3, doubt=1), life(1, doubt=1), DOUBTFUL),
        (life(0, doubt=1), life(0, doubt=1), SAME),
        (life(0, ended=3, doubt=1), life(1, ended=3, doubt=1), SAME),
        (life(2, ended=3), life(0, doubt=1), SAME),
        (life(0, doubt=1), life(30.5, doubt=1), SAME),
    ],
)
def test_when_each_was_made_and_ended_tells_whether_they_are_one(one, other, expected):
    for pair in ((one, other), (other, one)):
        verdict, why = judge(*pair, timedelta(days=30))
        assert (verdict, bool(why)) == (expected, expected is not SAME)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (life(0, ended=1), life(1.1, ended=2), DOUBTFUL),
        (life(0, ended=1), life(400), DOUBTFUL),
        (life(0, ended=20, after=15), life(10, doubt=1), SAME),
        (life(0), life(10), SAME),
    ],
)
def test_a_copy_that_may_have_been_forgotten_is_never_certainly_another(one, other, expected):
    for pair in ((one, other), (other, one)):
        verdict, why = judge(*pair, timedelta(days=30), may_be_copy=True)
        assert (verdict, "put back" in why) == (expected, expected is DOUBTFUL)


def met(state, shown, *, made, under=None):
    """L has had a status for days; P is linked with it now, made at that second."""
    under = under or rules(on_link="L", maps=AGED)
    given = link("L", "P")
    look(given, "L", 0, under=under, created_at=at(-90 * DAY).isoformat(), **state)
    notes = look(given, "P", 10, under=under, created_at=at(made).isoformat(), **shown)
    return given, notes


@pytest.mark.parametrize("ended", ["resolved", "closed"])
def test_f10_first_contact_ends_nothing_that_was_just_opened(ended):
    given, notes = met({"status": ended}, {"status": "new"}, made=5)
    assert "conflict" in kinds(notes)
    assert given.state["status"].candidates == {"L": ended, "P": "new"}


def test_f10_nor_when_it_is_the_older_side_that_is_read_second():
    under = rules(on_link="L", maps=AGED)
    given = link("L", "P")
    look(given, "P", 9, under=under, status="new", created_at=at(5).isoformat())
    look(given, "L", 10, under=under, status="closed", created_at=at(-90 * DAY).isoformat())
    assert given.state["status"].candidates == {"L": "closed", "P": "new"}


def test_f10_a_vendors_default_on_a_new_record_is_not_ended_either():
    under = rules(on_link="L", maps=AGED)
    under = replace(under, writable={"P": {"status": Writable(default="new")}})
    given, _notes = met({"status": "closed"}, {"status": "new"}, made=5, under=under)
    assert given.state["status"].candidates is not None


def test_f10_first_contact_empties_nothing_that_was_just_opened():
    under = rules(on_link="L", maps=AGED)
    given = link("L", "P")
    old = at(-90 * DAY).isoformat()
    look(given, "L", 0, under=under, assignee="ann", created_at=old)
    look(given, "L", 1, under=under, assignee=None, created_at=old)
    look(given, "P", 10, under=under, assignee="bob", created_at=at(5).isoformat())
    assert given.state["assignee"].candidates == {"L": None, "P": "bob"}


def test_f10_what_is_old_on_both_sides_meets_as_declared():
    given, notes = met({"status": "closed"}, {"status": "new"}, made=-60 * DAY)
    assert "first contact" in kinds(notes)
    assert (value(given, "status"), given.state["status"].candidates) == ("closed", None)
    assert given.state["status"].hi >= T0
