"""Webhooks that are stored together are stored as if one by one."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from bridge.ledger import webhook_inbox
from bridge.ledger.tables import inbox, tally
from tests.ledger.helpers import at_once

WINDOW = timedelta(minutes=5)


def arrivals(now):
    moments = st.integers(-700, 700).map(lambda seconds: now + timedelta(seconds=seconds))
    return st.builds(
        webhook_inbox.Arrival,
        connection=st.sampled_from(["helpdesk", "desk"]),
        delivery_key=st.sampled_from(["a", "ü\0", "ü\ufffd"]),  # no database keeps NUL
        received_at=moments,
        headers=st.just({"x": "1"}),
        projection=st.dictionaries(st.text(max_size=2), st.none() | st.integers(), max_size=1),
        digest=st.sampled_from(["d1", "d2"]),
        event=st.text(max_size=3),
        entity=st.none() | st.just("ticket"),
        remote_id=st.none() | st.text(max_size=2),
        verdict=st.sampled_from(["pending", "ignored"]),
        why=st.text(max_size=2),
        body=st.none() | st.text(max_size=2),
        lasts=st.none() | st.just(WINDOW),
    )


def one_by_one(tx, came):
    return [receipt for each in came for receipt in webhook_inbox.accept_all(tx, [each])]


def left_by(ledger, before, act, came):
    """Return what `act` answers and leaves; nothing stays in the ledger."""
    columns = [column for column in inbox.c if column is not inbox.c.id]
    with ledger.transaction() as tx:
        one_by_one(tx, before)
        receipts = act(tx, came)
        keys = dict(tx.execute(select(inbox.c.id, inbox.c.connection + inbox.c.delivery_key)).all())
        left = tx.execute(select(*columns).order_by(inbox.c.connection, inbox.c.delivery_key)).all()
        counted = webhook_inbox.account(tx)
        for table in (inbox, tally):
            tx.execute(delete(table))
    return [(keys[number], is_new) for number, is_new in receipts], left, counted


def test_webhooks_stored_at_once_are_as_if_stored_one_by_one(ledger, now):
    @settings(max_examples=150)
    @given(st.lists(arrivals(now), max_size=4), st.lists(arrivals(now), max_size=8))
    def agree(before, came):
        at_once_left = left_by(ledger, before, webhook_inbox.accept_all, came)
        assert at_once_left == left_by(ledger, before, one_by_one, came)
        assert at_once_left[-1].balanced

    agree()


def test_those_who_store_the_same_webhooks_in_another_order_do_not_deadlock(ledger, now):
    fields = {"headers": {}, "projection": {}, "digest": "", "event": "", "entity": None}
    came = [
        webhook_inbox.Arrival(
            connection="c", delivery_key=f"k{number}", received_at=now, remote_id=None, **fields
        )
        for number in range(60)
    ]
    answered = at_once(
        ledger, lambda tx, turn: webhook_inbox.accept_all(tx, came if turn % 2 else came[::-1])
    )
    assert sum(is_new for receipts in answered for _, is_new in receipts) == 60
    with ledger.read() as tx:
        assert set(tx.execute(select(inbox.c.deliveries)).scalars()) == {8}
        assert webhook_inbox.account(tx).accepted == 60
