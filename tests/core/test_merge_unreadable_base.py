"""An edit from a value without a reading is an edit: a group, an unknown word, a stranger."""

import pytest

from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.model.values import ABSENT, Unreadable
from tests.core.builders import (
    MAPS,
    T0,
    at,
    field,
    is_level,
    kinds,
    link,
    look,
    rules,
    value,
)

ROLE = "role:7"


def no_group(raw):
    return Unreadable(f"{raw} is a group") if str(raw).startswith("role:") else raw


def under(*, revision="1", **policy):
    """Rules by which P shows groups as assignees, and L wins at first contact."""
    fields = {**MAPS["P"].fields, "assignee": field("assignee", read=no_group, revision=revision)}
    return rules(on_link="L", maps={**MAPS, "P": EntityMap("ticket", fields)}, **policy)


def met(given_rules):
    """L and P are linked; at P a group has the ticket."""
    given = link("L", "P")
    look(given, "L", 0, under=given_rules, assignee="ann")
    look(given, "P", 1, under=given_rules, assignee=ROLE)
    assert value(given, "assignee") == "ann"
    return given


def test_f19_from_a_group_to_a_person_is_an_edit_that_is_settled_by_time():
    declared = under()
    given = met(declared)
    notes = look(given, "P", 20, under=declared, before=15, assignee="bob")
    assert kinds(notes) == ["conflict", "changed"]
    assert (value(given, "assignee"), is_level(given, "P", "assignee")) == ("bob", True)
    assert {notes[0].detail[who]["value"] for who in ("mine", "theirs")} == {"ann", "bob"}


@pytest.mark.parametrize(("first", "stands"), [("L", "bob"), ("P", "cat")])
def test_f19_two_edits_at_once_are_both_on_record_and_the_later_one_stands(first, stands):
    declared = under()
    given = met(declared)
    edits = {"L": "cat", "P": "bob"}
    second = "P" if first == "L" else "L"
    look(given, first, 20, under=declared, before=10, assignee=edits[first])
    look(given, second, 21, under=declared, before=18, assignee=edits[second])
    assert value(given, "assignee") == stands


def test_f19_back_to_the_person_of_before_is_an_edit_too():
    declared = under()
    given = link("L", "P")
    look(given, "L", 0, under=declared, assignee="ann")
    look(given, "P", 1, under=declared, assignee="ann")
    look(given, "P", 5, under=declared, assignee=ROLE)
    look(given, "L", 6, under=declared, assignee="cat")
    look(given, "P", 20, under=declared, before=15, assignee="ann")
    assert value(given, "assignee") == "ann"


def test_f19_the_same_raw_value_that_has_a_reading_now_was_nobodys_edit():
    declared = under()
    given = met(declared)
    readable = EntityMap("ticket", {**MAPS["P"].fields, "assignee": field("assignee")})
    later = rules(on_link="L", maps={**MAPS, "P": readable})
    notes = look(given, "P", 20, under=later, assignee=ROLE)
    assert kinds(notes) == ["first contact"]
    assert value(given, "assignee") == "ann"


@pytest.mark.parametrize("hidden", [ABSENT, Unreadable("withheld")])
def test_f19_what_was_not_shown_is_no_base(hidden):
    declared = under()
    given = link("L", "P")
    look(given, "L", 0, under=declared, assignee="ann")
    look(given, "P", 1, under=declared, assignee=hidden)
    assert kinds(look(given, "P", 20, under=declared, assignee="bob")) == ["first contact"]
    assert value(given, "assignee") == "ann"


def test_f19_under_another_declaration_the_value_without_a_reading_is_no_base():
    given = met(under())
    assert kinds(look(given, "P", 20, under=under(revision="2"), assignee="bob")) == [
        "first contact"
    ]


def test_f19_an_unknown_word_is_a_base_like_any_other():
    declared = rules(on_link="L")
    given = link("L", "P")
    look(given, "L", 0, under=declared, status="open")
    look(given, "P", 1, under=declared, status="escalated")
    assert given.sides["P"].fields["status"].unreadable
    notes = look(given, "P", 20, under=declared, before=15, status="pending")
    assert kinds(notes) == ["conflict", "changed"]
    assert value(given, "status") == "pending"


def test_f19_from_a_person_over_a_group_the_time_counts_from_the_group():
    declared = under()
    given = met(declared)
    look(given, "P", 10, under=declared, assignee=ROLE)
    look(given, "L", 12, under=declared, before=5, assignee="cat")
    look(given, "P", 20, under=declared, assignee="bob")
    assert value(given, "assignee") == "bob"
    assert given.state["assignee"].lo == at(10)
    assert given.state["assignee"].hi > T0
