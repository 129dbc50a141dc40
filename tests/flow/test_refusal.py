"""A vendor refuses one field: it is set aside alone, and comes back when there is a reason to."""

import pytest

from bridge.errors import Refused
from bridge.ledger import connection_health, parking
from bridge.ledger.tables import work
from tests.flow.test_outcome import set_aside
from tests.flow.world import World, born


def picky(world, name, key, *bad, named=False):
    """The vendor refuses a call that sets `key` to one of these, all of it, as PostHog does."""
    update, calls = world.connectors[name].update, []

    def refusing(ref, verb, values):
        calls.append(dict(values))
        if values.get(key) in bad:
            detail = f'{{"attr": "{key}"}}' if named else "a value is invalid"
            raise Refused(name, "answered 400", status=400, detail=detail)
        return update(ref, verb, values)

    world.connectors[name].update = refusing
    return calls


@pytest.mark.parametrize("named", [True, False])
def test_a_refused_field_is_set_aside_alone_and_the_others_go_through(world, named):
    ids = born(world)
    calls = picky(world, "H", "status", "pending", named=named)
    world.systems["L"].edit(
        ids["L"], status="pending", priority="urgent", subject="New words", assignee="mary"
    )
    world.hint("L", ids["L"])
    world.settle()
    shown = world.systems["H"].peek(ids["H"])
    assert (shown["priority"], shown["subject"], shown["assignee"]) == (
        "urgent",
        "New words",
        "mary",
    )
    assert shown["status"] == "open"
    (row,) = set_aside(world)
    assert (row.cause, row.key.endswith(":H:status")) == ("Refused", True)
    assert "answered 400" in row.why
    assert len(calls) <= (3 if named else 5)
    before = len(calls)
    world.systems["L"].edit(
        ids["L"], priority="low"
    )  # the parked field does not travel along again
    world.hint("L", ids["L"])
    world.settle()
    assert world.systems["H"].peek(ids["H"])["priority"] == "low"
    assert [set(call) for call in calls[before:]] == [{"priority"}]


def test_an_edit_of_the_refused_field_tries_the_new_value_and_ends_the_parking(world):
    ids = born(world)
    picky(world, "H", "status", "pending")
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    world.settle()
    assert len(set_aside(world)) == 1
    world.systems["L"].edit(ids["L"], status="resolved")
    world.hint("L", ids["L"])
    world.settle()
    assert world.systems["H"].peek(ids["H"])["status"] == "resolved"
    assert set_aside(world) == []


def test_parked_work_that_is_retried_looks_at_the_present_never_at_what_it_was_for(world):
    ids = born(world)
    update = world.connectors["H"].update
    picky(world, "H", "priority", "low")
    world.systems["L"].edit(ids["L"], priority="low")
    world.hint("L", ids["L"])
    world.settle()
    with world.ledger.transaction() as tx:
        connection_health.hold(tx, "H", "in the meantime", world.clock.now())
        assert parking.unpark(tx, world.clock.now()) == 1
    world.systems["L"].edit(ids["L"], priority="urgent")
    world.hint("L", ids["L"])
    world.drain().run()  # the edit is taken in; H may not be written to yet
    (link,) = world.links()
    assert link.state["priority"].value == "urgent"
    world.connectors["H"].update = update
    sent = picky(world, "H", "priority")
    with world.ledger.transaction() as tx:
        # What the edit asked for is thrown away: the retry is all that is left to do.
        assert tx.execute(work.delete().where(work.c.key == f"deliver:{link.id}:H")).rowcount == 1
        connection_health.resume(tx, "H")
    world.settle()
    assert world.systems["H"].peek(ids["H"])["priority"] == "urgent"
    assert [call["priority"] for call in sent] == ["urgent"]
    assert set_aside(world) == []


def test_a_retry_that_is_refused_again_is_parked_again(world):
    ids = born(world)
    calls = picky(world, "H", "priority", "low")
    world.systems["L"].edit(ids["L"], priority="low")
    world.hint("L", ids["L"])
    world.settle()
    with world.ledger.transaction() as tx:
        assert parking.unpark(tx, world.clock.now()) == 1
    world.settle()
    assert len(calls) == 2
    assert [row.key.rpartition(":")[2] for row in set_aside(world)] == ["priority"]


def test_two_refused_fields_are_two_parked_rows(world):
    ids = born(world)
    picky(world, "H", "priority", "low")
    picky(world, "H", "status", "pending")
    world.systems["L"].edit(ids["L"], status="pending", priority="low", subject="New words")
    world.hint("L", ids["L"])
    world.settle()
    assert sorted(row.key.rpartition(":")[2] for row in set_aside(world)) == ["priority", "status"]
    assert world.systems["H"].peek(ids["H"])["subject"] == "New words"


def test_a_refused_tag_holds_up_no_other_tag(ledger):
    world = World(ledger, names="LZ")
    ids = born(world, tags=["a"])
    update = world.connectors["Z"].update

    def refusing(ref, verb, values):
        if values.get("tags") == "bad":
            raise Refused("Z", "answered 422", status=422)
        return update(ref, verb, values)

    world.connectors["Z"].update = refusing
    world.systems["L"].edit(ids["L"], tags=["a", "b", "bad", "c"])
    world.hint("L", ids["L"])
    world.settle()
    assert sorted(world.systems["Z"].peek(ids["Z"])["tags"]) == ["a", "b", "c"]
    assert [row.key.rpartition(":")[2] for row in set_aside(world)] == ["bad"]


def test_what_says_that_the_call_itself_is_wrong_is_not_tried_field_by_field(world):
    ids = born(world)
    calls, update = [], world.connectors["H"].update

    def moved(_ref, _verb, values):
        calls.append(values)
        raise Refused("H", "answered 301, a redirect; correct base_url", status=301)

    world.connectors["H"].update = moved
    world.systems["L"].edit(ids["L"], status="pending", priority="urgent")
    world.hint("L", ids["L"])
    world.settle()
    assert len(calls) == 1
    assert [row.key.rpartition(":")[2] for row in set_aside(world)] == ["H"]
    world.connectors["H"].update = update
