"""What an operator asks of notices and does about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.core.model.outcome_codes import Code
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import notice_outbox
from bridge.operations import audit_trail, doctor, needs, notices, status
from tests.notices.desk import Receiver, Teller, endpoint, park, scope, sender
from tests.operations.desks import desk_of


@pytest.fixture
def told(world):
    """A desk with endpoints, and the clock's part."""
    endpoints = {"ops": endpoint(), "chat": endpoint("chat", events=("run.*",))}
    desk = desk_of(world)
    settings = replace(desk.config.settings, notices=endpoints)
    desk = replace(desk, config=replace(desk.config, settings=settings))
    teller = Teller(world.ledger, world.clock, scope(*endpoints.values()))
    return desk, teller


def fail(desk, teller, *answers):
    """Have a notice of its own tried for each answer."""
    for number, answer in enumerate(answers):
        teller.clock.advance(601)
        with desk.ledger.transaction() as tx:
            park(tx, desk.now(), f"{answer}-{number}-{desk.now()}")
        teller.tell()
        assert sender(teller, Receiver([answer] * 10)).send_next()


def codes(desk):
    return {each.code: each for each in doctor.examine(desk) if "NOTICE" in each.code}


def test_an_endpoint_that_fails_is_a_need_once_that_is_no_accident(told):
    desk, teller = told
    fail(desk, teller, 500)
    assert codes(desk) == {}
    assert notices.endpoint(desk, "ops").health == "failing"
    fail(desk, teller, 503, 500)
    (trouble,) = codes(desk).values()
    assert trouble.code is Code.NOTICE_FAILING
    assert trouble.what == "3 calls to ops failed in a row: answered 500; 3 notices wait"
    assert trouble in needs.needs(status.overview(desk))
    teller.clock.advance(3600)
    assert sender(teller, Receiver()).send_next()
    assert codes(desk) == {}


def test_an_endpoint_that_is_gone_is_called_again_when_somebody_says_so(told):
    desk, teller = told
    fail(desk, teller, 410)
    assert set(codes(desk)) == {Code.NOTICE_GONE, Code.NOTICE_UNSENT}
    assert notices.endpoint(desk, "ops").health == "gone"
    plan = notices.plan_again(desk, "ops")
    assert notices.send_again(desk, "ops", plan.ids) == len(plan.ids) == 1
    assert codes(desk) == {}
    assert sender(teller, Receiver()).send_next()
    shown = notices.endpoint(desk, "ops")
    assert (shown.health, shown.waiting, shown.given_up) == ("well", 0, 0)


def test_only_what_was_given_up_since_a_time_is_sent_again(told):
    desk, teller = told
    fail(desk, teller, 410)
    between = desk.now() + timedelta(seconds=1)
    with desk.ledger.transaction() as tx:
        notice_outbox.call_again(tx, "ops")
    fail(desk, teller, 410)
    newest, oldest = notices.sendings(desk, "ops")
    assert notices.plan_again(desk, "ops").ids == [newest.id, oldest.id]
    assert notices.plan_again(desk, "ops", since=between).ids == [newest.id]


def test_what_was_delivered_can_be_sent_again_under_its_id(told):
    desk, teller = told
    with desk.ledger.transaction() as tx:
        park(tx, desk.now(), 1)
    teller.tell()
    receiver = Receiver()
    sends = sender(teller, receiver)
    sends.send_next()
    (row,) = notices.sendings(desk, "ops", state="delivered")
    assert notices.send_again(desk, "ops", [row.id]) == 1
    sends.send_next()
    (first, body), (second, again) = receiver.came
    assert first["webhook-id"] == second["webhook-id"] == row.notice
    assert body == again


def test_what_is_none_of_an_endpoints_is_refused_and_changes_nothing(told):
    desk, teller = told
    fail(desk, teller, 410)
    (row,) = notices.sendings(desk, "ops")
    for act in (notices.send_again, notices.plan_again):
        with pytest.raises(NotPossible, match="no notices of ops"):
            act(desk, "ops", [row.id, 4711])
        with pytest.raises(NotPossible, match="no notices of chat"):
            act(desk, "chat", [row.id])
    with pytest.raises(NotPossible, match="from 1 to"):
        notices.send_again(desk, "ops", [])
    with pytest.raises(UnknownName, match="no endpoint gone; allowed: ops, chat"):
        notices.send_again(desk, "gone", [row.id])
    assert notices.sendings(desk, "ops")[0].state == "failed"


def test_a_test_is_sent_whatever_the_endpoint_asked_for_and_is_in_the_audit(told):
    desk, teller = told
    with pytest.raises(NotPossible, match="no clock has run since chat was declared"):
        notices.send_test(desk, "chat")
    teller.tell()
    notice = notices.send_test(desk, "chat")
    receiver = Receiver()
    assert sender(teller, receiver, name="chat").send_next()
    ((headers, body),) = receiver.came
    assert headers["webhook-id"] == notice
    assert b'"data":{"endpoint":"chat"}' in body
    acts = [row.action for row in audit_trail.acts(desk, limit=10)]
    assert "notices test" in acts


def test_no_more_than_the_host_of_an_address_is_told(told):
    desk, _teller = told
    assert [(row.name, row.host) for row in notices.endpoints(desk)] == [
        ("ops", "hooks.example.com"),
        ("chat", "hooks.example.com"),
    ]
    assert notices.endpoint(desk, "ops").health == "new"
