"""How systems in memory fail when they are told to."""

import pytest

from bridge.connectors.contract import Draft, Intent
from bridge.errors import (
    NotFound,
    NotSent,
    RateLimited,
    Refused,
    Unauthorised,
    Unavailable,
    UnknownOutcome,
)
from tests.memory import lossless
from tests.memory.account import START, Account


@pytest.fixture
def account():
    return Account(lossless)


def test_an_error_before_the_commit_did_nothing(account):
    account.system.fail("before", on="update")
    with pytest.raises(UnknownOutcome):
        account.update(status="open")
    assert account.true("status") == "new"
    assert account.update(status="open").data["status"] == "open"


def test_an_error_after_the_commit_did_it(account):
    account.system.fail("after", on="update")
    with pytest.raises(UnknownOutcome):
        account.update(status="open")
    assert account.true("status") == "open"


def test_a_lost_answer_shows_no_record(account):
    account.system.fail("lost", on="update")
    assert account.update(status="open") is None
    assert account.true("status") == "open"


def test_a_late_write_lands_when_nobody_waits_any_more(account):
    account.system.fail("late", on="update")
    with pytest.raises(UnknownOutcome):
        account.update(status="open")
    assert account.true("status") == "new"
    account.clock.sleep(1)
    assert account.read().data["status"] == "open"


def test_a_late_write_onto_nothing_is_nobodys_business(account):
    account.system.fail("late", on="update")
    with pytest.raises(UnknownOutcome):
        account.update(status="open")
    account.system.remove(account.id)
    account.clock.sleep(1)
    assert account.read() is None


def test_creates_fail_alike_and_can_be_found(account):
    draft = Draft("ticket", {"subject": "x"}, "m-1")
    account.system.fail("after", on="create")
    with pytest.raises(UnknownOutcome):
        account.connector.create(draft)
    assert len(account.connector.find(Intent(draft, START))) == 1
    account.system.fail("lost", on="create")
    assert account.connector.create(Draft("ticket", {"subject": "x"}, "m-2")) is None
    account.system.fail("before", on="create")
    with pytest.raises(UnknownOutcome):
        account.connector.create(Draft("ticket", {"subject": "x"}, "m-3"))
    assert account.system.marked("m-3") == []


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("not sent", NotSent),
        ("limited", RateLimited),
        ("unauthorised", Unauthorised),
        ("refused", Refused),
    ],
)
def test_refusals_did_nothing(account, kind, error):
    account.system.fail(kind, on="update")
    with pytest.raises(error):
        account.update(status="open")
    assert account.true("status") == "new"


def test_reads_and_listings_fail_as_often_as_told(account):
    account.system.fail("before", on="read", times=2)
    account.system.fail("before", on="list")
    for _ in range(2):
        with pytest.raises(Unavailable):
            account.read()
    assert account.read() is not None
    with pytest.raises(Unavailable):
        account.connector.changed("ticket", None)


def test_a_record_that_is_gone_is_not_found_and_deleting_it_is_done(account):
    account.connector.delete(account.ref)
    account.connector.delete(account.ref)
    assert account.read() is None
    with pytest.raises(NotFound):
        account.update(status="open")
