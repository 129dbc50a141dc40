"""Links that are started in one go, and what creates made for them: each as it would be alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bridge.core.model.state import FieldState, Link, Note, Side, SideField
from bridge.core.model.values import Ref
from bridge.engine.effects import Consult, StoreChanges
from bridge.engine.ledger_steps import carry_out
from bridge.errors import LeaseLost
from bridge.ledger import changes, intents, link_leases, links, matching, tables, timeline, work
from bridge.ledger.changes import Changes
from bridge.ledger.intents import ClosedIntent, NewIntent
from bridge.ledger.link_leases import HeldLink
from bridge.ledger.matching import LinkKeys
from bridge.ledger.new_links import FIRST_FENCE, AdoptedRecord, NewLink
from bridge.ledger.work import BegunWork, NewWork
from tests.ledger.helpers import LONG, at_once, hint, make_link

NAMES = ("a1", "b2", "c3")


def ref(name, connection="helpdesk"):
    return Ref(connection, "ticket", f"{connection[0]}-{name}")


def start(tx, now, name, *, digest="", best_before=None):
    """The step with which a record gets a link, and its create is written down."""
    hint(tx, now, f"h-{name}")
    (row,) = work.claim(tx, "w", now, now + LONG, 1, keys=[f"observe:helpdesk:ticket:h-{name}"])
    own = Side("helpdesk", f"h-{name}", {"subject": SideField(f"of {name}", level=1)}, version="7")
    link = Link(name, "tickets", "ticket", {"subject": FieldState(f"of {name}", 1)})
    link.sides["helpdesk"] = own
    key = (0, digest or f"digest of {name}", None)
    to_make = NewWork(
        kind="create",
        key=f"create-{name}",
        connection="desk",
        entity="ticket",
        link_id=name,
        due_at=now,
        now=now,
    )
    return Changes(
        now,
        "w",
        started=NewLink(
            link,
            LinkKeys("tickets", name, "helpdesk", [key]),
            unless=frozenset({key[:2]}),
            locks=frozenset({key[1], f"ref:h-{name}"}),
            owner=f"w/{name}",
            until=now + LONG,
        ),
        best_before=best_before,
        intended=[NewIntent(name, "desk", "ticket", f"m-{name}", {"sent": 1}, now + LONG, now, 7)],
        finished=row,
        goes_on=BegunWork(to_make, "w", now + LONG),
        notes=[Note("linked", "helpdesk", "", {"n": n}) for n in range(2)],
    )


def adopt(now, name, row, *, remote_id="", fence=FIRST_FENCE):
    """The step with which what was made becomes a side of the link."""
    link = Link(name, "tickets", "ticket", {"subject": FieldState(f"of {name}", 1)})
    link.sides["desk"] = made = Side("desk", remote_id or f"d-{name}", version="1")
    keys = LinkKeys("tickets", name, "desk", [(0, f"made of {name}", now)])
    closed = ClosedIntent(f"m-{name}", now, "created", made.remote_id)
    return Changes(
        now,
        "w",
        HeldLink(name, f"w/{name}", fence, link),
        adopted=AdoptedRecord(closed, name, "ticket", made, keys),
        finished=row,
        notes=[Note("created", "desk", "", {})],
    )


def rows(tx, table, name, **blank):
    """The rows that a table has of a link, without what is given in turn."""
    found = tx.execute(select(table).where(table.c.link_id == name)).mappings()
    shown = [{key: value for key, value in row.items() if key not in blank} for row in found]
    return repr(shown).replace(name, "NAME")


def stored(tx, name):
    """Everything that the ledger has of a link, without numbers that are given in turn."""
    link = links.load(tx, [name])[name]
    for side in link.sides.values():
        side.id = ""
    held = select(tables.link).where(tables.link.c.id == name)
    return (
        repr(link).replace(name, "NAME"),
        repr(dict(tx.execute(held).mappings().one())).replace(name, "NAME"),
        [(each.kind, each.detail) for each in timeline.timeline(tx, name)],
        rows(tx, tables.work, name, id=0),
        rows(tx, tables.match_key, name, id=0),
        rows(tx, tables.create_intent, name, number=0),
    )


def nothing_of(tx, name):
    tables_of_links = (tables.side, tables.match_key, tables.create_intent, tables.journal)
    counted = [
        tx.execute(select(func.count()).where(table.c.link_id == name)).scalar_one()
        for table in tables_of_links
    ]
    return links.load(tx, [name]) == {} and not any(counted)


def waits(tx, name):
    """Whether the reading of a record is still to be done."""
    key = tables.work.c.key == f"observe:helpdesk:ticket:h-{name}"
    return bool(tx.execute(select(tables.work.c.id).where(key)).first())


class TestStarting:
    def test_many_are_started_as_each_would_be_alone(self, tx, now):
        steps = [start(tx, now, name) for name in NAMES]
        begun = changes.store(tx, steps[:2], now)
        (alone,) = changes.store(tx, steps[2:], now)
        assert [row.key for row in [*begun, alone]] == [f"create-{name}" for name in NAMES]
        assert stored(tx, "a1") == stored(tx, "b2") == stored(tx, "c3")
        assert "of NAME" in stored(tx, "a1")[0]
        assert links.load(tx, ["a1"])["a1"].intents == {"desk": "m-a1"}
        assert matching.find(tx, "tickets", 0, "digest of b2") == ["b2"]
        assert not any(waits(tx, name) for name in NAMES)

    def test_it_is_leased_to_whoever_started_it(self, tx, now):
        changes.store(tx, [start(tx, now, "a1")], now)
        assert links.lease(tx, "a1", "thief", now, now + LONG) is None
        link = links.load(tx, ["a1"])["a1"]
        links.save(tx, link, "w/a1", FIRST_FENCE, now, last=True)
        assert links.lease(tx, "a1", "next", now, now + LONG) == FIRST_FENCE + 1

    def test_what_was_stored_is_known_and_not_stored_again(self, tx, now):
        step = start(tx, now, "a1")
        changes.store(tx, [step], now)
        tx.execute(tables.side.update().values(version="untouched"))
        new = step.started
        held = HeldLink("a1", "w/a1", FIRST_FENCE, new.link, known=new.known)
        changes.store(tx, [Changes(now, "w", held)], now)
        assert held.fresh == {}
        assert tx.execute(select(tables.side.c.version)).scalars().all() == ["untouched"]

    @pytest.mark.parametrize("known", NAMES)
    def test_a_record_that_has_a_link_gets_no_other(self, tx, now, known):
        make_link(tx, now, "there", helpdesk=f"h-{known}")
        steps = {name: start(tx, now, name) for name in NAMES}
        changes.store(tx, list(steps.values()), now)
        assert [name for name in NAMES if steps[name].left_out] == [known]
        assert nothing_of(tx, known)
        assert waits(tx, known)
        kept = [name for name in NAMES if name != known]
        assert stored(tx, kept[0]) == stored(tx, kept[1])

    @pytest.mark.parametrize("alike", NAMES)
    def test_what_may_be_the_same_as_a_ticket_gets_no_link_of_its_own(self, tx, now, alike):
        make_link(tx, now, "there", desk="x")
        matching.add(tx, "tickets", "there", "desk", [(0, f"digest of {alike}", now)])
        steps = {name: start(tx, now, name) for name in NAMES}
        changes.store(tx, list(steps.values()), now)
        assert [name for name in NAMES if steps[name].left_out] == [alike]
        assert nothing_of(tx, alike)
        assert waits(tx, alike)

    def test_a_key_of_another_sync_or_rule_is_another_key(self, tx, now):
        make_link(tx, now, "there", desk="x")
        matching.add(tx, "others", "there", "desk", [(0, "digest of a1", None)])
        matching.add(tx, "tickets", "there", "desk", [(1, "digest of a1", None)])
        step = start(tx, now, "a1")
        changes.store(tx, [step], now)
        assert not step.left_out

    def test_of_two_that_may_be_the_same_only_the_first_is_started(self, tx, now):
        steps = [start(tx, now, name, digest="same") for name in NAMES]
        changes.store(tx, steps, now)
        assert [each.left_out for each in steps] == [False, True, True]
        assert nothing_of(tx, "b2")
        assert waits(tx, "c3")

    def test_what_has_become_too_old_meanwhile_is_left_out(self, tx, now):
        late = start(tx, now, "a1", best_before=now)
        other = start(tx, now, "b2", best_before=now + LONG)
        changes.store(tx, [late, other], now + timedelta(seconds=1))
        assert (late.left_out, other.left_out) == (True, False)
        assert nothing_of(tx, "a1")

    def test_two_workers_start_one_link_for_what_may_be_the_same(self, ledger, now):
        """Neither sees the other's before its commit: the lock on what they share does it."""

        def act(tx, number):
            step = start(tx, now, f"n{number}", digest="same")
            changes.store(tx, [step], now)
            return step.left_out

        assert sorted(at_once(ledger, act, 4)) == [False, True, True, True]
        with ledger.read() as tx:
            assert len(links.ids(tx)) == 1


class TestAdopting:
    @pytest.fixture
    def begun(self, tx, now):
        steps = [start(tx, now, name) for name in NAMES]
        return dict(zip(NAMES, changes.store(tx, steps, now), strict=True))

    def test_many_are_adopted_as_each_would_be_alone(self, tx, now, begun):
        matching.add(tx, "tickets", "a1", "desk", [(0, "of an earlier record", None)])
        changes.store(tx, [adopt(now, name, begun[name]) for name in NAMES[:2]], now)
        changes.store(tx, [adopt(now, "c3", begun["c3"])], now)
        assert stored(tx, "a1") == stored(tx, "b2") == stored(tx, "c3")
        link = links.load(tx, ["b2"])["b2"]
        assert (link.sides["desk"].remote_id, link.intents) == ("d-b2", {})
        assert intents.made_at(tx, "b2", "desk", "d-b2") == now
        assert matching.find(tx, "tickets", 0, "of an earlier record") == []
        assert matching.find(tx, "tickets", 0, "digest of a1") == ["a1"]

    @pytest.mark.parametrize("lost", NAMES)
    def test_one_lost_lease_is_its_own_tickets_and_nothing_of_that_is_stored(
        self, tx, now, begun, lost
    ):
        link_leases.take(tx, {lost: "thief"}, now + 2 * LONG, now + 3 * LONG)
        before = stored(tx, lost)
        asked = [StoreChanges(adopt(now, name, begun[name])) for name in NAMES]
        outcomes = dict(zip(NAMES, carry_out(tx, asked, now), strict=True))
        assert isinstance(outcomes.pop(lost)[1], LeaseLost)
        assert [error for _row, error in outcomes.values()] == [None, None]
        assert stored(tx, lost) == before
        kept = [name for name in NAMES if name != lost]
        assert stored(tx, kept[0]) == stored(tx, kept[1])
        assert "d-NAME" in stored(tx, kept[0])[0]

    @pytest.mark.parametrize("taken", NAMES)
    def test_what_belongs_to_another_ticket_by_now_is_left_to_that(self, tx, now, begun, taken):
        make_link(tx, now, "there", desk=f"d-{taken}")
        before = stored(tx, taken)
        steps = {name: adopt(now, name, begun[name]) for name in NAMES}
        changes.store(tx, list(steps.values()), now)
        assert [name for name in NAMES if steps[name].left_out] == [taken]
        assert stored(tx, taken) == before

    @pytest.mark.usefixtures("begun")
    def test_a_create_is_written_down_once_for_a_place(self, tx, now):
        held = [HeldLink(name, f"w/{name}", FIRST_FENCE, gives_back=False) for name in NAMES]
        links.add_side(tx, "c3", Side("feedback", "f"), now)
        places = zip(held, ("desk", "feedback", "feedback"), strict=True)
        asked = [
            StoreChanges(
                Changes(
                    now,
                    "w",
                    each,
                    intended=[
                        NewIntent(each.id, where, "ticket", f"again-{each.id}", {}, now, now)
                    ],
                )
            )
            for each, where in places
        ]
        errors = [error for _answer, error in carry_out(tx, asked, now)]
        assert [type(error) for error in errors] == [LeaseLost, type(None), LeaseLost]
        opened = select(tables.create_intent.c.marker).where(
            tables.create_intent.c.marker.startswith("again")
        )
        assert tx.execute(opened).scalars().all() == ["again-b2"]


def test_questions_are_answered_together_each_with_its_own_answer(tx, now):
    asked = []

    def doubled(_tx, numbers):
        asked.append(list(numbers))
        return [2 * number for number in numbers]

    def negated(_tx, numbers):
        return [-number for number in numbers]

    effects = [Consult(doubled, 1), Consult(negated, 2), Consult(doubled, 3)]
    assert carry_out(tx, effects, now) == [(2, None), (-2, None), (6, None)]
    assert asked == [[1, 3]]
