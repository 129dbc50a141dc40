"""A vendor refuses one field: it is set aside alone, and comes back when there is a reason to."""

from dataclasses import replace

import pytest

from bridge.core.model.capabilities import Support
from bridge.errors import Refused
from bridge.flow import field_refusals
from bridge.ledger import connection_health, parking, probes
from bridge.ledger.tables import work
from tests.flow.test_outcome import set_aside
from tests.flow.world import World, born


def picky(world, name, key, *bad, named=False, detail=""):
    """The vendor refuses a call that sets `key` to one of these, all of it, as PostHog does."""
    update, calls = world.connectors[name].update, []

    def refusing(ref, verb, values):
        calls.append(dict(values))
        if values.get(key) in bad:
            usual = f'{{"attr": "{key}"}}' if named else "a value is invalid"
            raise Refused(name, "answered 400", status=400, detail=detail or usual)
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


@pytest.mark.parametrize(
    ("status", "detail", "raw", "never"),
    [
        (400, '{"message": "tags is not supported", "details": {"field": "tags"}}', ["a"], True),
        (422, '{"tags": ["This field is read-only."]}', ["a"], True),
        (400, "Unrecognized key(s) in object: 'tags'", ["a"], True),
        (405, "", ["a"], True),
        (501, "", ["a"], True),
        (400, '{"message": "the tag \'bug\' is not allowed", "field": "tags"}', ["bug"], False),
        (400, '{"message": "too many", "field": "tags"}', ["a"], False),
        (400, '{"message": "subject is not supported"}', ["a"], False),
        (422, "<html>oops</html>", ["a"], False),
        (404, '{"message": "tags is not known"}', ["a"], False),
        (409, '{"message": "tags cannot be changed"}', ["a"], False),
    ],
)
def test_which_refusal_is_about_a_key_and_not_about_one_records_value(status, detail, raw, never):
    error = Refused("H", f"answered {status}", status=status, detail=detail)
    assert field_refusals.names_capability(error, "tags", raw) is never


@pytest.mark.parametrize("key", ["tags", "custom_fields.tags"])
def test_a_key_within_an_object_is_named_by_either(key):
    error = Refused("H", "400", status=400, detail='"custom_fields cannot be updated"')
    assert field_refusals.names_capability(error, key, ["a"]) is (key != "tags")


@pytest.mark.parametrize("detail", ["a value is invalid", "tags is not supported"])
def test_only_a_refusal_in_words_for_it_withdraws_a_key_of_which_nobody_knows(world, detail):
    able = world.context.capabilities["H"]["ticket"]
    probing = {"tags": replace(able.writable["tags"], on_update=Support.PROBED)}
    writable = able.writable | probing
    world.context.capabilities["H"]["ticket"] = replace(able, writable=writable)
    one = born(world)["L"]
    other = world.systems["L"].add(subject="other", status="open", tags=[])
    world.hint("L", other)
    world.settle()
    picky(world, "H", "tags", ["wrong"], detail=detail)
    for remote_id, tag in ((one, "wrong"), (other, "right")):
        world.systems["L"].edit(remote_id, tags=[tag])
        world.hint("L", remote_id)
        world.settle()
    withdrawn = detail != "a value is invalid"
    there = world.systems["H"].peek(world.systems["H"].ids[-1])
    assert (there["subject"], there["tags"]) == ("other", [] if withdrawn else ["right"])
    assert len(set_aside(world)) == (not withdrawn)
    with world.ledger.read() as tx:
        assert probes.findings(tx, "H") == {"tags": not withdrawn}


def test_an_edit_by_hand_meanwhile_does_not_show_that_a_write_was_taken(world):
    able = world.context.capabilities["H"]["ticket"]
    probing = {"tags": replace(able.writable["tags"], on_update=Support.PROBED)}
    world.context.capabilities["H"]["ticket"] = replace(able, writable=able.writable | probing)
    ids = born(world)
    system, update = world.systems["H"], world.connectors["H"].update
    system.habits = replace(system.habits, ignores=frozenset({"tags"}))

    def beside_a_human(ref, verb, values):
        system.habits = replace(system.habits, ignores=frozenset())
        system.edit(ids["H"], tags=["by hand"])
        system.habits = replace(system.habits, ignores=frozenset({"tags"}))
        world.connectors["H"].update = update
        return update(ref, verb, values)

    world.connectors["H"].update = beside_a_human
    world.systems["L"].edit(ids["L"], tags=["ours"])
    world.hint("L", ids["L"])
    world.settle()
    with world.ledger.read() as tx:
        assert probes.findings(tx, "H") == {}
    world.systems["L"].edit(ids["L"], tags=["ours", "more"])
    world.hint("L", ids["L"])
    world.settle()
    with world.ledger.read() as tx:
        assert probes.findings(tx, "H") == {"tags": False}


@pytest.mark.parametrize("edited", ["L", "H"])
def test_an_edit_of_the_refused_field_ends_the_parking_on_whichever_side(world, edited):
    ids = born(world)
    picky(world, "H", "status", "pending")
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    world.settle()
    assert len(set_aside(world)) == 1
    world.systems[edited].edit(ids[edited], status="resolved")
    world.hint(edited, ids[edited])
    world.settle()
    assert {world.systems[name].peek(ids[name])["status"] for name in "LH"} == {"resolved"}
    assert set_aside(world) == []


def test_what_an_edit_made_refuse_between_our_read_and_our_write_is_merged_not_parked(world):
    ids = born(world)
    update = world.connectors["H"].update

    def just_ended(_ref, _verb, _values):
        world.systems["H"].edit(ids["H"], status="resolved")
        world.connectors["H"].update = update
        raise Refused("H", "answered 400: it has ended", status=400)

    world.connectors["H"].update = just_ended
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    world.settle()
    assert set_aside(world) == []
    assert {world.systems[name].peek(ids[name])["status"] for name in "LH"} == {"resolved"}


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
