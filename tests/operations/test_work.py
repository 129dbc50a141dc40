"""Webhooks and parked work as values, and what an operator does to them."""

from dataclasses import asdict
from datetime import timedelta

import pytest

from bridge.core.model.outcome_codes import Code
from bridge.core.model.values import Ref
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import audit, stray_copies, webhook_inbox, work
from bridge.operations import inbox, parked
from bridge.operations.parked import Choice


@pytest.fixture
def webhook(desk):
    def accept(key, remote_id="1", **more):
        with desk.ledger.transaction() as tx:
            number, _new = webhook_inbox.accept(
                tx, connection="L", delivery_key=key, received_at=desk.now(), headers={},
                projection={}, digest="d", event="ticket.updated", entity="ticket",
                remote_id=remote_id, **more,
            )  # fmt: skip
        return number

    return accept


@pytest.fixture
def park(desk):
    def set_aside(key, cause, **more):
        with desk.ledger.transaction() as tx:
            now = desk.now()
            work.enqueue(
                tx, kind="deliver", key=key, connection="L", entity="ticket", due_at=now, now=now,
                **more,
            )  # fmt: skip
            (row,) = work.claim(tx, "me", now, now + timedelta(minutes=1), 5)
            work.park(tx, row, "me", "answered 422", cause, now)
        return row.id

    return set_aside


def due(desk):
    with desk.ledger.transaction() as tx:
        rows = work.claim(tx, "me", desk.now(), desk.now() + timedelta(minutes=1), 50)
    return {row.key: row for row in rows}


def test_webhooks_come_in_pages_with_their_account(desk, webhook):
    numbers = [webhook(key) for key in "abc"]
    page = inbox.recent(desk, limit=2)
    assert [entry.id for entry in page.rows] == numbers[:0:-1]
    assert [entry.id for entry in inbox.recent(desk, before=page.rows[-1].id).rows] == numbers[:1]
    assert (page.account.accepted, page.account.in_flight, page.account.balanced) == (3, 3, True)
    assert inbox.show(desk, numbers[0]).delivery_key == "a"
    assert list(asdict(page.rows[0])) == [
        "id", "connection", "delivery_key", "received_at", "deliveries", "headers", "projection",
        "digest", "event", "entity", "remote_id", "verdict", "why", "settled_at", "body",
    ]  # fmt: skip


def test_a_webhook_that_is_not_there_is_an_error(desk):
    with pytest.raises(UnknownName, match="no webhook 99; settled ones are forgotten"):
        inbox.show(desk, 99)
    with pytest.raises(UnknownName, match="no connection nobody"):
        inbox.recent(desk, connection="nobody")


def test_webhooks_are_reprocessed_all_or_none(desk, webhook):
    first, nameless = webhook("a"), webhook("b", remote_id=None)
    with pytest.raises(NotPossible, match=f"webhook {nameless} names no record"):
        inbox.reprocess(desk, [first, nameless])
    assert due(desk) == {}
    inbox.reprocess(desk, [first])
    assert due(desk)["observe:L:ticket:1"].lane == "operator"


def test_parked_work_is_grouped_freed_and_thrown_away(desk, park):
    for key, cause in (("d1", "Refused"), ("d2", "Refused"), ("d3", "unsafe")):
        park(key, cause)
    assert [(entry.parked.code, entry.parked.count) for entry in parked.groups(desk)] == [
        (Code.WRITE_REFUSED, 2),
        (Code.WRITE_UNSAFE, 1),
    ]
    assert all(entry.what_to_do for entry in parked.groups(desk))
    assert [row.key for row in parked.rows(desk, "unsafe")] == ["d3"]
    assert parked.retry(desk, Choice(["d3"]), approve=True) == 1
    assert due(desk)["d3"].payload == {"approved": True}
    assert parked.discard(desk, Choice(cause="Refused")) == 2
    assert parked.rows(desk) == []


def test_a_copy_without_a_ticket_is_forgotten_with_its_parked_reading(desk, park):
    park("observe:L:ticket:7", "ambiguous match", remote_id="7")
    with desk.ledger.transaction() as tx:
        for number in "78":
            stray_copies.put(tx, Ref("L", "ticket", number), "its original", desk.now())
    parked.discard(desk, Choice(["BRG-MATCH-AMBIGUOUS"]))
    with desk.ledger.read() as tx:
        assert [ref.id for ref in stray_copies.all_of(tx)] == ["8"]


def test_a_name_that_means_nothing_changes_nothing(desk, park):
    park("d1", "Refused")
    for act in (parked.retry, parked.discard):
        with pytest.raises(NotPossible, match=r"not parked \(any more\): nobody"):
            act(desk, Choice(["d1", "nobody"]))
    assert len(parked.rows(desk)) == 1
    with desk.ledger.read() as tx:
        assert audit.recent(tx) == []


@pytest.mark.parametrize(
    ("choice", "words", "empty"),
    [
        (Choice(), "", True),
        (Choice(["d1", "7"], "Refused"), "d1, 7, cause Refused", False),
        (Choice(everything=True), "all", False),
    ],
)
def test_a_choice_says_what_it_means(choice, words, empty):
    assert (choice.words, choice.empty) == (words, empty)
