"""The same customer writes again under the same subject: what has ended is not reopened by it."""

from dataclasses import replace

import pytest
from werkzeug.wrappers import Response

from bridge.core.model.capabilities import Support
from bridge.http import request_count
from bridge.ledger import conflict_log, parking, work
from bridge.runs import reconcile
from bridge.sandbox.exchange import Problem
from tests.flow.estate import Estate
from tests.flow.pair import SYNC, pair

ANN, DAY, YEAR = "ann@customer.example", 86400, 365 * 86400
AMBIGUOUS = "ambiguous match"


@pytest.fixture
def estate(tmp_path):
    estate = pair(tmp_path / "home")
    estate.apps["product"].configure({"post": 405})
    return estate


def at_switch(estate, *, status="open", subject="Help"):
    desk = estate.apps["helpdesk"]
    remote_id = desk.create({"subject": subject, "customer_email": ANN})["id"]
    if status != "open":
        estate.clock.advance(3600)
        desk.edit(remote_id, {"status": status})
    return remote_id


def at_posthog(estate, *, status="new"):
    made = {
        "anonymous_traits": {"email": ANN},
        "last_message_text": "Help\nthe export is broken again",
        "status": status,
    }
    return estate.apps["product"].create(made)["id"]


def known(estate, name, remote_id):
    estate.hint(name, remote_id)
    return remote_id


def shown(estate, name, remote_id):
    return next(row for row in estate.apps[name].tickets() if row["id"] == remote_id)


def doubtful(estate):
    return [row for row in estate.parked() if row.cause == AMBIGUOUS]


def open_conflicts(estate):
    with estate.ledger.read() as tx:
        return [row["field"] for row in conflict_log.export(tx) if row["closed_at"] is None]


@pytest.mark.parametrize("status", ["closed", "resolved"])
@pytest.mark.parametrize("imported", [True, False])
def test_a_new_request_gets_a_ticket_of_its_own_and_the_ended_one_is_left_alone(
    estate, status, imported
):
    old = at_switch(estate, status=status)
    if imported:
        known(estate, "helpdesk", old)
    before = shown(estate, "helpdesk", old)
    estate.clock.advance(217 * DAY)
    new = known(estate, "product", at_posthog(estate))
    estate.reconcile()
    assert shown(estate, "helpdesk", old) == before
    row = shown(estate, "product", new)
    assert (row["status"], row["priority"]) == ("new", None)
    refs = estate.refs("product", new)
    assert refs["helpdesk"] != old
    assert shown(estate, "helpdesk", refs["helpdesk"])["status"] == "new"
    assert doubtful(estate) == []


@pytest.mark.parametrize("first", ["helpdesk", "product"])
def test_an_open_one_a_year_old_is_a_doubtful_match_that_touches_neither(estate, first):
    old = at_switch(estate)
    estate.clock.advance(YEAR)
    new = at_posthog(estate)
    for name, remote_id in sorted(
        [("helpdesk", old), ("product", new)], key=lambda pair: pair[0] != first
    ):
        estate.hint(name, remote_id)
    rows = doubtful(estate)
    assert rows
    assert "365 days apart" in rows[0].why
    assert "--approve" in rows[0].why
    assert shown(estate, "product", new)["status"] == "new"
    assert shown(estate, "helpdesk", old)["status"] == "new"
    assert len(estate.apps["helpdesk"].tickets()) == 1
    assert estate.refs("product", new).keys() != {"helpdesk", "product"}


def test_a_human_may_say_that_a_doubtful_one_is_a_ticket_of_its_own(tmp_path):
    estate = pair(tmp_path / "home")
    estate.apps["product"].configure({"post": 405})
    old = known(estate, "helpdesk", at_switch(estate))
    estate.clock.advance(YEAR)
    new = known(estate, "product", at_posthog(estate))
    with estate.ledger.transaction() as tx:
        parking.unpark(tx, estate.clock.now(), cause=AMBIGUOUS, payload={"approved": True})
    estate.settle()
    refs = estate.refs("product", new)
    assert refs["helpdesk"] != old
    assert len(estate.apps["helpdesk"].tickets()) == 2
    assert doubtful(estate) == []


def test_the_other_direction_a_new_one_at_switch_is_no_match_of_what_was_resolved(tmp_path):
    estate = pair(tmp_path / "home")
    sync, product = estate.context.syncs[SYNC], estate.apps["product"]
    none_made = replace(sync.members["helpdesk"], create=Support.NO)
    estate.context.syncs[SYNC] = replace(sync, members={**sync.members, "helpdesk": none_made})
    old = at_posthog(estate)
    estate.clock.advance(3600)
    product.edit(old, {"status": "resolved"})
    known(estate, "product", old)
    estate.clock.advance(217 * DAY)
    estate.context.syncs[SYNC] = sync
    new = known(estate, "helpdesk", at_switch(estate))
    estate.reconcile("full")
    assert shown(estate, "product", old)["status"] == "resolved"
    assert shown(estate, "helpdesk", new)["status"] in {"new", "open"}
    refs = estate.refs("helpdesk", new)
    assert refs["product"] != old
    assert shown(estate, "product", refs["product"])["status"] in {"new", "open"}


def test_two_old_candidates_that_have_ended_are_none(estate):
    old = [known(estate, "helpdesk", at_switch(estate, status="closed")) for _ in range(2)]
    estate.clock.advance(217 * DAY)
    new = known(estate, "product", at_posthog(estate))
    refs = estate.refs("product", new)
    assert refs["helpdesk"] not in old
    assert doubtful(estate) == []
    assert {shown(estate, "helpdesk", each)["status"] for each in old} == {"closed"}


def test_two_old_candidates_that_are_open_are_both_named(estate):
    old = [at_switch(estate), at_switch(estate)]
    for each in old:
        known(estate, "helpdesk", each)
    estate.clock.advance(YEAR)
    known(estate, "product", at_posthog(estate))
    (row,) = doubtful(estate)
    assert all(link.id in row.why for link in estate.links())
    assert len(estate.apps["helpdesk"].tickets()) == 2


def test_one_of_this_hour_is_chosen_before_an_old_one(estate):
    known(estate, "helpdesk", at_switch(estate, status="closed"))
    estate.clock.advance(217 * DAY)
    fresh = known(estate, "helpdesk", at_switch(estate))
    estate.clock.advance(1800)
    new = known(estate, "product", at_posthog(estate))
    assert estate.refs("product", new) == {"helpdesk": fresh, "product": new}


@pytest.mark.parametrize("status", ["open", "closed"])
def test_a_minute_apart_they_are_the_same_and_nothing_is_closed_in_silence(estate, status):
    old = known(estate, "helpdesk", at_switch(estate))
    estate.clock.advance(20)
    if status == "closed":
        estate.apps["helpdesk"].edit(old, {"status": "closed"})
        known(estate, "helpdesk", old)
    estate.clock.advance(40)
    new = known(estate, "product", at_posthog(estate))
    assert estate.refs("product", new) == {"helpdesk": old, "product": new}
    assert shown(estate, "product", new)["status"] != "resolved"
    assert open_conflicts(estate) == (["status"] if status == "closed" else [])


def test_a_chat_at_zaia_with_the_same_first_line_is_another_ticket(tmp_path):
    estate = Estate(tmp_path / "home")
    old = known(estate, "helpdesk", at_switch(estate, status="closed"))
    estate.clock.advance(217 * DAY)
    desk = estate.apps["desk"]
    chat = known(estate, "desk", desk.create({"summary": "Help\nagain", "ownerEmail": ANN})["id"])
    assert shown(estate, "desk", chat)["status"] == "pending"
    refs = estate.refs("desk", chat)
    assert refs["helpdesk"] != old
    assert shown(estate, "helpdesk", old)["status"] == "closed"


def test_a_chat_that_ended_at_zaia_takes_in_no_new_ticket(tmp_path):
    """Zaia dates no change: only that it has been seen to have ended says when, at the latest."""
    estate = Estate(tmp_path / "home")
    desk = estate.apps["desk"]
    chat = desk.create({"summary": "Help\nagain", "ownerEmail": ANN})["id"]
    desk.edit(chat, {"status": "completed"})
    estate.clock.advance(3 * DAY)
    new = at_switch(estate)
    known(estate, "helpdesk", new)
    known(estate, "desk", chat)  # only now is it seen for the first time
    assert shown(estate, "helpdesk", new)["status"] in {"new", "open"}
    assert [row.connection for row in doubtful(estate)] == ["desk"]


@pytest.mark.parametrize("by", ["a webhook", "a poll"])
@pytest.mark.parametrize("gap", [30, 3600, 3 * DAY])
def test_an_end_that_nobody_has_heard_of_is_learned_before_a_new_request_joins(estate, by, gap):
    old = known(estate, "helpdesk", at_switch(estate))
    estate.clock.advance(1800)
    estate.apps["helpdesk"].edit(old, {"status": "closed"})
    estate.clock.advance(gap)
    new = at_posthog(estate)
    if by == "a webhook":
        estate.hint("product", new)
    else:
        with estate.ledger.transaction() as tx:
            reconcile.start(tx, "product", "ticket", "poll", estate.clock.now())
        estate.settle()
    estate.reconcile()
    assert shown(estate, "product", new)["status"] == "new"
    assert shown(estate, "helpdesk", old)["status"] == "closed"
    assert estate.refs("product", new)["helpdesk"] != old
    assert (doubtful(estate), open_conflicts(estate)) == ([], [])


def test_a_new_one_that_is_found_before_a_create_joins_no_end_that_nobody_has_heard_of(tmp_path):
    estate = pair(tmp_path / "home")
    sync, product = estate.context.syncs[SYNC], estate.apps["product"]
    none_made = replace(sync.members["helpdesk"], create=Support.NO)
    estate.context.syncs[SYNC] = replace(sync, members={**sync.members, "helpdesk": none_made})
    old = known(estate, "product", at_posthog(estate))
    estate.clock.advance(1800)
    product.edit(old, {"status": "resolved"})
    estate.clock.advance(3600)
    new = at_switch(estate)
    estate.context.syncs[SYNC] = sync
    estate.context._rules.clear()  # they were made of the other sync
    (link,) = estate.links()
    now = estate.clock.now()
    with estate.ledger.transaction() as tx:
        work.enqueue(
            tx,
            kind="create",
            key="create:helpdesk",
            connection="helpdesk",
            entity="ticket",
            link_id=link.id,
            due_at=now,
            now=now,
        )
    estate.settle()
    known(estate, "helpdesk", new)
    assert estate.refs("product", old).get("helpdesk") != new
    assert shown(estate, "helpdesk", new)["status"] == "new"


def test_one_that_is_still_open_is_joined_once_it_has_been_read_again(estate):
    old = known(estate, "helpdesk", at_switch(estate))
    estate.clock.advance(1800)
    new = known(estate, "product", at_posthog(estate))
    assert estate.refs("product", new) == {"helpdesk": old, "product": new}


def test_what_cannot_be_read_is_not_joined_until_a_human_has_said_so(estate):
    desk = estate.apps["helpdesk"]
    old = known(estate, "helpdesk", at_switch(estate))
    estate.clock.advance(1800)
    answered = desk._handle
    desk._handle = lambda call, reading: refused(desk, call) or answered(call, reading)
    new = known(estate, "product", at_posthog(estate))
    assert estate.refs("product", new) == {}
    assert any(f"helpdesk:{old} could not be read" in row.why for row in doubtful(estate))
    desk._handle = answered
    with estate.ledger.transaction() as tx:
        parking.unpark(tx, estate.clock.now())
    estate.settle()
    assert estate.refs("product", new) == {"helpdesk": old, "product": new}


def refused(desk, call):
    """Refuse to show any ticket by its id."""
    if call.method == "GET" and "/tickets/" in call.path:
        return desk.problem(Problem(400, "BAD_REQUEST", "This ticket cannot be shown")), ""
    return None


def test_an_import_of_both_does_not_read_again_what_it_has_just_read(tmp_path):
    def requests(gap):
        estate = pair(tmp_path / str(gap))
        estate.apps["product"].configure({"post": 405})
        at_switch(estate)
        estate.clock.advance(gap)
        at_posthog(estate)
        estate.clock.advance(DAY)
        before = request_count.made()
        with estate.ledger.transaction() as tx:
            for name in ("helpdesk", "product"):
                reconcile.start(tx, name, "ticket", "full", estate.clock.now())
        estate.settle()
        assert [link.live().keys() for link in estate.links()] == [{"helpdesk", "product"}]
        return request_count.made() - before

    assert requests(3600) == requests(60) > 0


@pytest.mark.parametrize("wrong", [40 * 60, 5 * 3600])
@pytest.mark.parametrize("whose", [{"product": -1}, {"helpdesk": 1}, {"helpdesk": -1}])
def test_a_new_request_joins_no_ended_one_whatever_the_vendors_clocks_say(estate, whose, wrong):
    for name, sign in whose.items():
        estate.clocks[name].seconds = sign * wrong
    old = known(estate, "helpdesk", at_switch(estate))
    estate.clock.advance(60)
    estate.apps["helpdesk"].edit(old, {"status": "closed"})
    known(estate, "helpdesk", old)
    estate.clock.advance(600)
    new = known(estate, "product", at_posthog(estate))
    estate.reconcile()
    assert estate.refs("product", new)["helpdesk"] != old
    assert shown(estate, "product", new)["status"] == "new"
    assert shown(estate, "helpdesk", old)["status"] == "closed"
    assert (doubtful(estate), open_conflicts(estate)) == ([], [])


@pytest.mark.parametrize("wrong", [40 * 60, -40 * 60, 5 * 3600])
@pytest.mark.parametrize("whose", ["helpdesk", "product"])
def test_one_request_stays_one_whatever_the_vendors_clocks_say(estate, whose, wrong):
    estate.clocks[whose].seconds = wrong
    old = at_switch(estate)
    estate.clock.advance(30)
    estate.apps["helpdesk"].edit(old, {"status": "closed"})
    known(estate, "helpdesk", old)
    estate.clock.advance(30)
    new = known(estate, "product", at_posthog(estate))
    assert estate.refs("product", new) == {"helpdesk": old, "product": new}
    assert shown(estate, "product", new)["status"] == "new"
    assert (doubtful(estate), open_conflicts(estate)) == ([], ["status"])


def test_a_clock_that_was_set_right_since_makes_no_other_time_of_what_it_has_dated(estate):
    estate.clocks["helpdesk"].seconds = -40 * 60
    old = known(estate, "helpdesk", at_switch(estate))
    estate.clocks["helpdesk"].seconds = 0
    estate.apps["helpdesk"].edit(old, {"status": "closed"})
    known(estate, "helpdesk", old)
    new = known(estate, "product", at_posthog(estate))
    assert estate.refs("product", new) == {"helpdesk": old, "product": new}
    assert open_conflicts(estate) == ["status"]


def test_a_vendor_that_dates_no_answer_leaves_it_to_a_human_beside_an_end(estate):
    product = estate.apps["product"]
    dated = product._answer
    product._answer = lambda request, note: undated(dated(request, note))
    estate.clocks["product"].seconds = -40 * 60
    old = known(estate, "helpdesk", at_switch(estate))
    estate.apps["helpdesk"].edit(old, {"status": "closed"})
    known(estate, "helpdesk", old)
    estate.clock.advance(600)
    new = known(estate, "product", at_posthog(estate))
    estate.reconcile()
    assert "perhaps before the newer one was made" in doubtful(estate)[0].why
    assert shown(estate, "product", new)["status"] == "new"
    assert estate.refs("product", new) == {}


class Undated(Response):
    """An answer that has no date, whatever it is given."""

    date = None


def undated(response):
    return Undated(response.get_data(), status=response.status, headers=response.headers)


def at_one_moment_under_other_subjects(estate, *, later=0):
    """Let a customer be heard on two systems; each names the request otherwise."""
    old = at_switch(estate, subject="Export")
    estate.clock.advance(later)
    new = known(estate, "product", at_posthog(estate))
    known(estate, "helpdesk", old)
    return old, estate.refs("product", new).get("helpdesk")


@pytest.mark.parametrize("wrong", [40 * 60, -40 * 60])
def test_a_match_by_customer_and_time_is_by_our_clock(estate, wrong):
    estate.clocks["product"].seconds = wrong
    old, found = at_one_moment_under_other_subjects(estate)
    assert found == old


def test_nor_is_what_was_made_later_a_match_because_a_clock_is_behind(estate):
    estate.clocks["product"].seconds = -40 * 60
    old, found = at_one_moment_under_other_subjects(estate, later=40 * 60)
    assert found not in {old, None}
