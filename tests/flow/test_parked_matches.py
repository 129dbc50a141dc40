"""What was set aside as a doubtful match goes on by itself once it is no longer in doubt."""

from dataclasses import replace

import pytest

from bridge.ledger import parking
from bridge.operations import link
from bridge.runs import adoption
from tests.flow.pair import SYNC, pair
from tests.flow.test_same_subject import YEAR, at_posthog, at_switch, known
from tests.flow.test_two_copies import desk_of

AMBIGUOUS = "ambiguous match"


@pytest.fixture
def estate(tmp_path):
    estate = pair(tmp_path / "home")
    estate.apps["product"].configure({"post": 405})
    return estate


@pytest.fixture
def in_doubt(estate):
    """Return a ticket at Switch a year old, and a new one at PostHog that may be the same."""
    old = at_switch(estate)
    estate.clock.advance(YEAR)
    new = known(estate, "product", at_posthog(estate))
    assert [(row.kind, row.cause) for row in estate.parked()] == [("create", AMBIGUOUS)]
    return old, new


def ticket_of(estate, remote_id):
    return next(
        each
        for each in estate.links()
        if any(side.remote_id == remote_id for side in each.sides.values())
    )


@pytest.mark.parametrize("is_known", [True, False])
def test_a_create_in_doubt_is_over_when_an_operator_joins_the_two(estate, in_doubt, is_known):
    old, new = in_doubt
    if is_known:
        known(estate, "helpdesk", old)
    ticket = ticket_of(estate, new).id
    link.relink(desk_of(estate), f"helpdesk:{old}", ticket)
    estate.settle()
    assert estate.parked() == []
    assert estate.refs("product", new)["helpdesk"] == old
    assert len(estate.apps["helpdesk"].tickets()) == 1


def test_a_match_in_doubt_is_looked_at_anew_when_the_rules_for_it_have_changed(estate, in_doubt):
    old, new = in_doubt
    known(estate, "helpdesk", old)
    assert {row.cause for row in estate.parked()} == {AMBIGUOUS}
    sync = estate.context.syncs[SYNC]
    estate.context.syncs[SYNC] = replace(sync, match_age=400 * sync.match_age)
    with estate.ledger.transaction() as tx:
        adoption.take_up(tx, replace(estate.context, revision="with another match_age"))
    estate.settle()
    assert estate.parked() == []
    assert estate.refs("product", new)["helpdesk"] == old


def test_work_that_is_no_longer_wanted_is_parked_no_longer(estate):
    """A ticket is parked, because its write changes nothing; then a human makes it there."""
    new = known(estate, "product", at_posthog(estate))
    old = estate.refs("product", new)["helpdesk"]
    ticket = ticket_of(estate, new)
    with estate.ledger.transaction() as tx:
        parking.set_aside(
            tx, kind="deliver", key=f"deliver:{ticket.id}:helpdesk", connection="helpdesk",
            entity="ticket", link_id=ticket.id, payload={}, why="in vain", cause="in vain",
            now=estate.clock.now(),
        )  # fmt: skip
    estate.apps["helpdesk"].edit(old, {"priority": "high"})
    estate.hint("helpdesk", old)
    assert estate.parked() == []
