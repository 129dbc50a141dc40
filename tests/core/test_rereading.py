"""Sides are read anew by a changed mapping, from the ledger, and that can be taken back."""

from dataclasses import replace

import pytest

from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.merge.rereading import reread
from bridge.core.model.state import Attempt
from bridge.core.model.values import NotCarried
from tests.core.builders import (
    H_STATUS,
    LEVELS,
    MAPS,
    at,
    field,
    is_level,
    level,
    link,
    look,
    rules,
    value,
)

STORED = {name: {"status": ["1"], "tags": ["1"], "assignee": ["1"]} for name in "HLPZ"}
LATER = {name: {"status": ["2"], "tags": ["2"]} for name in "HLPZ"}


def under(name="H", *, revision="2", **fields):
    """The rules by which a system reads some fields otherwise."""
    made = {each: field(each, revision=revision, **how) for each, how in fields.items()}
    return rules(maps={**MAPS, name: EntityMap("ticket", {**MAPS[name].fields, **made})})


PENDING = {**H_STATUS, "in_progress": "pending"}


def kinds(notes):
    return [note.kind for note in notes]


def moved():
    given = link("H", "L")
    look(given, "H", 0, status="in_progress")
    look(given, "L", 0, status="open")
    reread(given, under(status={"table": PENDING}), STORED)
    return given


def test_what_is_taken_back_reads_as_it_did():
    given = moved()
    assert value(given, "status") == "pending"
    notes = reread(given, under(status={"table": H_STATUS}, revision="3"), LATER)
    assert (kinds(notes), value(given, "status")) == (["remapped"], "open")
    assert (is_level(given, "H", "status"), given.state["status"].rev) == (True, 3)


def test_what_a_mapping_has_made_of_a_side_is_taken_back_also_where_it_is_written_alike():
    """`on_hold` is written as `pending` before and after: that alone would be agreement."""
    write = {"on_hold": "pending"}
    alike = {"write": lambda value: write.get(value, value)}
    given = link("H", "L")
    look(given, "H", 0, status="pending")
    reads = {"read": lambda raw: "on_hold" if raw == "pending" else raw}
    new = {**reads, "write": lambda value: NotCarried("no") if value == "pending" else "pending"}
    reread(given, under(status=new), STORED)
    assert value(given, "status") == "on_hold"
    reread(given, under(status={"read": lambda raw: raw, **alike}, revision="3"), LATER)
    assert value(given, "status") == "pending"


def test_what_a_human_has_set_elsewhere_meanwhile_stands():
    given = moved()
    given.sides["L"].fields["status"].level = given.state["status"].rev
    look(given, "L", 5, status="closed")
    notes = reread(given, under(status={"table": H_STATUS}, revision="3"), LATER)
    assert [note.detail["why"] for note in notes] == [
        "by the changed mapping it reads otherwise; what was agreed stays"
    ]
    assert (value(given, "status"), given.state["status"].set_by) == ("closed", "L")
    assert not is_level(given, "H", "status")


def test_a_state_moves_before_the_others_are_compared_with_it():
    """H comes first by name, and would look behind a state that is about to move to it."""
    given = level("H", "L", status="open")
    look(given, "L", 1, status="new")
    look(given, "L", 2, status="open")
    given.sides["H"].fields["status"].level = given.state["status"].rev
    both = {**MAPS}
    for name in "HL":
        status = field("status", table={**H_STATUS, "open": "pending"}, revision="2")
        both[name] = EntityMap("ticket", {**MAPS[name].fields, "status": status})
    assert kinds(reread(given, rules(maps=both), STORED)) == ["remapped"]
    assert value(given, "status") == "pending"
    assert [is_level(given, name, "status") for name in "HL"] == [True, True]


def test_what_was_taken_from_elsewhere_says_nothing():
    given = link("H", "L")
    look(given, "H", 0, status="in_progress")
    assert reread(given, under(status={"table": PENDING}), {"H": {}}) == []
    assert reread(given, under(status={"table": PENDING}), {"H": {"status": ["0"]}}) == []
    assert (value(given, "status"), given.sides["H"].fields["status"].map_rev) == ("open", "1")


def test_the_time_of_a_state_is_that_of_the_edit_it_reads():
    given = link("H", "L")
    look(given, "H", 0, status="new")
    look(given, "H", 9, status="in_progress")
    since = (given.state["status"].lo, given.state["status"].hi)
    look(given, "H", 20, status="in_progress")
    reread(given, under(status={"table": PENDING}), STORED)
    state = given.state["status"]
    assert (state.value, (state.lo, state.hi)) == ("pending", since)


def test_an_edit_after_it_is_an_edit_and_no_first_contact():
    given = moved()
    again = under(status={"table": PENDING})
    assert kinds(look(given, "H", 9, under=again, status="closed")) == ["changed"]
    assert value(given, "status") == "closed"


def test_elements_move_with_the_side_that_brought_them_and_back():
    given = link("H", "L")
    look(given, "H", 0, tags=["vip"])
    look(given, "L", 0, tags=["vip", "own"])
    prefixed = {
        "read": lambda raw: f"crm/{raw}",
        "write": lambda tag: tag[4:] if tag.startswith("crm/") else NotCarried("no prefix"),
        "is_set": True,
    }
    reread(given, under(tags=prefixed), STORED)
    assert value(given, "tags") == ("crm/vip", "own")
    assert is_level(given, "H", "tags") is False  # it lacks what L has brought
    back = under(tags={"read": lambda raw: raw, "is_set": True}, revision="3")
    reread(given, back, LATER)
    assert value(given, "tags") == ("own", "vip")


def test_a_value_that_has_no_reading_moves_nothing_until_it_has_one():
    given = link("H", "L")
    look(given, "H", 0, status="in_progress")
    table = {"new": "new", "closed": "closed"}
    notes = reread(given, under(status={"table": table}), STORED)
    assert (kinds(notes), value(given, "status")) == (["unreadable"], "open")
    last = under(status={"table": PENDING}, revision="3")
    assert kinds(reread(given, last, LATER)) == ["remapped"]
    assert value(given, "status") == "pending"


@pytest.mark.parametrize("how", ["missing", "detached", "out of scope", "under way", "unshown"])
def test_what_is_not_followed_now_waits_for_a_read(how):
    given = link("H", "L")
    look(given, "H", 0, status="in_progress")
    side = given.sides["H"]
    if how == "missing":
        side.missing_since = at(1)
    elif how == "detached":
        side.detached = True
    elif how == "out of scope":
        side.in_scope = False
    elif how == "under way":
        side.attempt = Attempt("a", "patch", {"status": "new"}, {}, {}, {}, at(1))
    else:
        side.fields["status"].unreadable = "the record did not show the field"
    assert reread(given, under(status={"table": PENDING}), STORED) == []
    assert value(given, "status") == "open"


def test_the_state_is_not_asked_of_a_side_that_is_gone():
    given = link("H", "L")
    look(given, "H", 0, status="in_progress")
    given.sides["H"] = replace(given.sides["H"], tombstone=True)
    assert reread(given, under(status={"table": PENDING}), STORED) == []


def taken_alike(revision, name, **how):
    """The rules by which all systems take a field from the place where they took it before."""
    made = {
        each: replace(
            MAPS[each],
            fields={
                **MAPS[each].fields,
                name: replace(field(name, revision=revision, **how), taken_from="there"),
            },
        )
        for each in "HLPZ"
    }
    return rules(maps={**MAPS, **made})


@pytest.mark.parametrize("shown", ["normal", "low"])
def test_an_edit_made_as_the_table_changes_is_an_edit_whatever_it_sets(shown):
    """`normal` is the default of a new record, which first contact would take for nobody's."""
    given, before = link("H", "L"), taken_alike("1", "priority", table=LEVELS)
    for name in "HL":
        look(given, name, 0, under=before, priority="urgent")
    after = taken_alike("2", "priority", table={**LEVELS, "urgent": "high"})
    notes = look(given, "H", 5, under=after, priority=shown)
    assert kinds(notes) == ["remapped", "changed"]
    assert (value(given, "priority"), is_level(given, "H", "priority")) == (shown, True)


def test_an_element_taken_out_as_the_mapping_changes_is_taken_out():
    given, before = link("H", "L"), taken_alike("1", "tags", is_set=True)
    for name in "HL":
        look(given, name, 0, under=before, tags=["a", "b"])
    after = taken_alike("2", "tags", is_set=True, read=str.lower)
    look(given, "H", 5, under=after, tags=["a", "c"])
    assert value(given, "tags") == ("a", "c")


def test_another_value_from_another_place_is_no_edit():
    given, before = link("H", "L"), taken_alike("1", "priority", table=LEVELS)
    for name in "HL":
        look(given, name, 0, under=before, priority="urgent")
    elsewhere = taken_alike("2", "priority", table=LEVELS)
    for made in elsewhere.maps.values():
        moved = replace(made.fields["priority"], taken_from="elsewhere")
        made.fields["priority"] = moved
    notes = look(given, "H", 5, under=elsewhere, priority="low")
    assert (kinds(notes), value(given, "priority")) == (["first contact"], "urgent")
