"""What many tickets store in one go is what each would store by itself, or nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from bridge.core.model.state import Attempt, FieldState, Link, Note, Side, SideField
from bridge.core.model.values import Ref
from bridge.engine.effects import StoreChanges, TakeLink
from bridge.engine.ledger_steps import carry_out
from bridge.errors import LeaseLost
from bridge.ledger import (
    attempts,
    changes,
    link_leases,
    links,
    tables,
    taking,
    timeline,
    webhook_inbox,
    work,
)
from bridge.ledger.attempts import ClosedAttempt
from bridge.ledger.changes import Changes, PutOff
from bridge.ledger.link_leases import HeldLink
from bridge.ledger.taking import Asked
from bridge.ledger.webhook_inbox import Answered
from bridge.ledger.work import BegunWork, NewWork
from tests.ledger.helpers import LONG, hint

MINUTE = timedelta(minutes=1)


def born(tx, now, name):
    sides = {"helpdesk": Side("helpdesk", f"h-{name}"), "desk": Side("desk", f"d-{name}")}
    assert links.create(tx, Link(name, "tickets", "ticket", sides=sides), now)


def ref(name):
    return Ref("helpdesk", "ticket", f"h-{name}")


def taken(tx, now, *names):
    asked = [Asked(f"w/{name}", LONG, ref=ref(name)) for name in names]
    return dict(zip(names, taking.take(tx, asked, now), strict=True))


def step(held, now, row, *, ends=True):
    """One step of everything that a step can hold."""
    link = held.link
    link.state["subject"] = FieldState(f"of {link.id}", 1)
    link.sides["helpdesk"].fields["subject"] = SideField(f"of {link.id}", level=1)
    sent = {"subject": "x"}
    link.sides["desk"].attempt = Attempt(
        f"t-{link.id}", "patch", sent, {}, sent, {"subject": 1}, now + LONG
    )
    what = HeldLink(
        link.id, f"w/{link.id}", held.fence, link, gives_back=ends, until=None, known=held.known
    )
    work_of = {"connection": "desk", "entity": "ticket", "due_at": now, "now": now}
    return Changes(
        now,
        "w",
        what,
        opened=[attempts.new(link.id, link.sides["desk"], now)],
        finished=row,
        raised=[NewWork(kind="create", key=f"c-{link.id}", link_id=link.id, **work_of)],
        goes_on=BegunWork(
            NewWork(kind="deliver", key=f"d-{link.id}", link_id=link.id, **work_of), "w", now + LONG
        ),
        notes=[Note("changed", "helpdesk", "subject", {"n": n}) for n in range(2)],
        answered=[Answered(ref(link.id), 99, "applied", "because", now)],
    )


def prepared(tx, now, *names):
    """Links, each with a webhook and a claimed row of work."""
    rows = {}
    for name in names:
        born(tx, now, name)
        hint(tx, now, f"h-{name}")
        webhook_inbox.accept(
            tx,
            connection="helpdesk",
            delivery_key=f"k-{name}",
            received_at=now,
            headers={},
            projection={},
            digest="",
            event="changed",
            entity="ticket",
            remote_id=f"h-{name}",
            verdict="pending",
        )
    for row in work.claim(tx, "w", now, now + MINUTE, 10):
        rows[row.remote_id.removeprefix("h-")] = row
    return rows


def stored(tx, name):
    """Everything that the ledger has of a link, without numbers that are given in turn."""
    link = links.load(tx, [name])[name]
    for side in link.sides.values():
        side.id = ""
    held = select(tables.link.c.lease_owner, tables.link.c.fence, tables.link.c.updated_at)
    told = [
        (each.kind, each.connection, each.field, each.detail)
        for each in timeline.timeline(tx, name)
    ]
    rows = select(tables.work).where(tables.work.c.key.endswith(f"-{name}"))
    rows = rows.order_by(tables.work.c.key)
    queued = [dict(row) | {"id": 0, "key": ""} for row in tx.execute(rows).mappings()]
    for row in queued:
        row["link_id"] = ""
    inbox = select(tables.inbox.c.verdict, tables.inbox.c.why, tables.inbox.c.settled_at)
    return (
        repr(link).replace(name, "NAME"),
        tuple(tx.execute(held.where(tables.link.c.id == name)).one()[1:]),
        told,
        queued,
        [tuple(row) for row in tx.execute(inbox.where(tables.inbox.c.remote_id == f"h-{name}"))],
    )


def test_many_steps_are_stored_as_each_would_be_alone(tx, now):
    names = ["a1", "b2", "c3"]
    rows = prepared(tx, now, *names)
    held = taken(tx, now, *names)
    assert {each.webhooks_upto > 0 for each in held.values()} == {True}
    begun = changes.store(tx, [step(held[name], now, rows[name]) for name in names[:2]], now)
    (alone,) = changes.store(tx, [step(held["c3"], now, rows["c3"])], now)
    assert [row.key for row in [*begun, alone]] == ["d-a1", "d-b2", "d-c3"]
    assert {row.generation for row in [*begun, alone]} == {1}
    assert stored(tx, "a1") == stored(tx, "b2") == stored(tx, "c3")
    assert "of NAME" in stored(tx, "a1")[0]
    assert stored(tx, "a1")[4] == [("applied", "because", now)]
    assert [row["claimed_by"] for row in stored(tx, "a1")[3]] == [None, "w"]


@pytest.mark.parametrize("lost", ["a1", "b2", "c3"])
def test_one_lost_lease_is_its_own_tickets_and_nothing_of_that_is_stored(tx, now, lost):
    names = ["a1", "b2", "c3"]
    rows = prepared(tx, now, *names)
    held = taken(tx, now, *names)
    link_leases.take(tx, {lost: "thief"}, now + 2 * LONG, now + 3 * LONG)
    before = stored(tx, lost)
    asked = [StoreChanges(step(held[name], now, rows[name])) for name in names]
    outcomes = dict(zip(names, carry_out(tx, asked, now), strict=True))
    assert isinstance(outcomes.pop(lost)[1], LeaseLost)
    assert [error for _row, error in outcomes.values()] == [None, None]
    assert stored(tx, lost) == before
    kept = [name for name in names if name != lost]
    assert stored(tx, kept[0]) == stored(tx, kept[1])
    assert "of NAME" in stored(tx, kept[0])[0]


def test_a_second_write_to_a_side_is_its_own_tickets_failure(tx, now):
    rows = prepared(tx, now, "a1", "b2")
    held = taken(tx, now, "a1", "b2")
    changes.store(tx, [step(held["a1"], now, rows["a1"], ends=False)], now)
    again = step(held["a1"], now, None, ends=False)
    again.opened = [
        attempts.NewAttempt(
            "other", "a1", int(held["a1"].link.sides["desk"].id), "desk", "patch", "{}", now, now
        )
    ]
    first, second = carry_out(
        tx, [StoreChanges(again), StoreChanges(step(held["b2"], now, rows["b2"]))], now
    )
    assert "under way" in str(first[1])
    assert second[1] is None
    assert "of NAME" in stored(tx, "b2")[0]


def test_a_hint_that_comes_meanwhile_outlives_a_step_among_many(tx, now):
    rows = prepared(tx, now, "a1", "b2")
    held = taken(tx, now, "a1", "b2")
    hint(tx, now, "h-a1")
    changes.store(tx, [step(held[name], now, rows[name]) for name in ("a1", "b2")], now)
    observing = select(tables.work.c.remote_id).where(tables.work.c.kind == "observe")
    assert tx.execute(observing).scalars().all() == ["h-a1"]


def test_a_row_that_is_there_already_is_not_gone_on_with(tx, now):
    rows = prepared(tx, now, "a1")
    held = taken(tx, now, "a1")
    work.enqueue(
        tx, kind="deliver", key="d-a1", connection="desk", entity="ticket", due_at=now, now=now
    )
    assert changes.store(tx, [step(held["a1"], now, rows["a1"])], now) == [None]


def test_of_two_who_ask_for_one_link_the_first_gets_it(tx, now):
    born(tx, now, "a1")
    asked = [TakeLink(Asked(f"w/{n}", LONG, link_id="a1")) for n in range(2)]
    (first, _), (second, _) = carry_out(tx, asked, now)
    assert first.link.id == "a1"
    assert second == taking.Taken("a1")
    again = taken(tx, now, "a1")["a1"]
    assert again.link is None


def test_what_is_as_it_was_is_not_stored_again(tx, now):
    rows = prepared(tx, now, "a1")
    held = taken(tx, now, "a1")["a1"]
    first = step(held, now, rows["a1"], ends=False)
    changes.store(tx, [first], now)
    known = held.known | first.held.fresh
    tx.execute(tables.side.update().values(version="untouched"))
    tx.execute(tables.attempt.update().values(remaining={"as": "it was"}))
    same = HeldLink("a1", "w/a1", held.fence, held.link, known=known)
    changes.store(tx, [Changes(now, "w", same, closed=[], put_off=None)], now)
    assert same.fresh == {}
    assert set(tx.execute(select(tables.side.c.version)).scalars()) == {"untouched"}
    assert tx.execute(select(tables.attempt.c.remaining)).scalar() == {"as": "it was"}


def test_work_is_put_off_and_attempts_are_closed_in_one_step(tx, now):
    rows = prepared(tx, now, "a1")
    held = taken(tx, now, "a1")["a1"]
    changes.store(tx, [step(held, now, None, ends=False)], now)
    ended = HeldLink("a1", "w/a1", held.fence, None)
    closed = [ClosedAttempt("t-a1", now, "done", {"subject": "x"}, 7)]
    changes.store(
        tx, [Changes(now, "w", ended, closed=closed, put_off=PutOff(rows["a1"], now + MINUTE))], now
    )
    (told,) = attempts.history(tx, "a1")
    assert (told["outcome"], told["read_back"], told["latency_ms"]) == ("done", {"subject": "x"}, 7)
    due = select(tables.work.c.due_at).where(tables.work.c.kind == "observe")
    assert tx.execute(due).scalar() == now + MINUTE
    assert tx.execute(select(tables.link.c.lease_owner)).scalar() is None
