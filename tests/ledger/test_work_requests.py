from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DataError

from bridge.core.model.lanes import LANES
from bridge.ledger import work
from bridge.ledger.tables import work as table
from tests.ledger.helpers import at_once

KEYS = st.sampled_from(["a", "b", "ü", "n\0", "n\ufffd"])  # no database keeps NUL


def wanted(now):
    moments = st.integers(-3, 3).map(lambda seconds: now + timedelta(seconds=seconds))
    return st.builds(
        work.NewWork,
        kind=st.sampled_from(["observe", "deliver"]),
        key=KEYS,
        connection=st.sampled_from(["helpdesk", "desk"]),
        entity=st.just("ticket"),
        remote_id=st.none() | st.text(max_size=3),
        link_id=st.none() | st.just("l1"),
        lane=st.sampled_from(LANES),
        due_at=moments,
        now=moments,
        payload=st.none() | st.dictionaries(st.text(max_size=2), st.text(max_size=2), max_size=2),
        unpark=st.booleans(),
        run_id=st.none() | st.integers(1, 3),
        handle=st.sampled_from(["", "7", "ü\0"]),
    )


def there_already(now):
    """Rows that were asked for before, of which some have failed, are claimed or are parked."""
    states = st.fixed_dictionaries(
        {
            "parked_at": st.none() | st.just(now),
            "attempts": st.integers(0, 2),
            "claimed_by": st.none() | st.just("w1"),
        }
    )
    return st.lists(st.tuples(wanted(now), states), max_size=4, unique_by=lambda each: each[0].key)


def one_by_one(tx, asked):
    for each in asked:
        fields = {name: getattr(each, name) for name in work.NewWork.__slots__}
        work.enqueue(tx, **fields)


def left_by(ledger, before, act, asked):
    """Return the rows that `act` leaves; nothing stays in the ledger."""
    columns = [column for column in table.c if column.name != "id"]
    with ledger.transaction() as tx:
        for new, state in before:
            one_by_one(tx, [new])
            tx.execute(update(table).where(table.c.key == new.key).values(**state))
        act(tx, asked)
        left = tx.execute(select(*columns).order_by(table.c.key)).all()
        tx.execute(delete(table))
    return left


def test_work_asked_for_at_once_is_as_if_asked_for_one_by_one(ledger, now):
    @settings(max_examples=150)
    @given(there_already(now), st.lists(wanted(now), max_size=8))
    def agree(before, asked):
        at_once_left = left_by(ledger, before, work.enqueue_all, asked)
        assert at_once_left == left_by(ledger, before, one_by_one, asked)

    agree()


def test_those_who_ask_for_the_same_work_in_another_order_do_not_deadlock(ledger, now):
    fields = {"kind": "observe", "connection": "c", "entity": "ticket", "due_at": now, "now": now}
    asked = [
        work.NewWork(key=f"k{number}", unpark=number % 3 > 0, **fields) for number in range(60)
    ]
    at_once(ledger, lambda tx, turn: work.enqueue_all(tx, asked if turn % 2 else asked[::-1]))
    with ledger.read() as tx:
        assert set(tx.execute(select(table.c.generation)).scalars()) == {8}


def test_no_text_is_cut_short_that_a_column_cannot_hold(tx, now):
    if tx.dialect.name == "sqlite":
        return  # it holds text of any length
    fields = {"connection": "c", "entity": "ticket", "due_at": now, "now": now}
    with pytest.raises(DataError):
        work.enqueue(tx, kind="k" * 21, key="k", **fields)
