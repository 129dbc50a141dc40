"""First contact, creates, normalising vendors and changed mappings, by rule number."""

from dataclasses import replace

import pytest

from bridge.core.merge.created_records import absorb_created
from bridge.core.merge.rereading import reread
from bridge.core.model.capabilities import Writable
from bridge.core.model.state import NEVER
from tests.core.builders import (
    H_STATUS,
    LEVELS,
    MAPS,
    RULES,
    SERVICE,
    WRITABLE,
    attempt,
    field,
    is_level,
    kinds,
    level,
    link,
    look,
    rules,
    seen,
    shadow,
    value,
)


@pytest.mark.parametrize(
    ("under", "first", "second", "expected", "kind"),
    [
        (RULES, ("L", "open"), ("P", "open"), "open", None),
        (RULES, ("L", "open"), ("H", "in_progress"), "open", None),
        (RULES, ("L", "open"), ("P", None), "open", None),
        (RULES, ("L", None), ("P", "open"), "open", "observed"),
        (RULES, ("L", "open"), ("P", "pending"), "open", "first contact"),
        (RULES, ("P", "open"), ("L", "pending"), "pending", "first contact"),
        (rules("owner", owner="P"), ("L", "open"), ("P", "pending"), "pending", "first contact"),
        (rules("owner", owner="P"), ("P", "open"), ("L", "pending"), "open", "first contact"),
        (rules("first"), ("P", "open"), ("L", "pending"), "open", "first contact"),
        (rules(on_link="P"), ("L", "open"), ("P", "pending"), "pending", "first contact"),
        (rules(on_link="P"), ("P", "open"), ("L", "pending"), "open", "first contact"),
        (rules("manual"), ("L", "open"), ("P", "pending"), "open", "conflict"),
        (rules(on_link="manual"), ("L", "open"), ("P", "pending"), "open", "conflict"),
    ],
)
def test_f10_first_contact_is_settled_by_declaration_never_by_time(
    under, first, second, expected, kind
):
    given = link("L", "H", "P")
    look(given, first[0], 5, under=under, status=first[1])
    notes = look(given, second[0], 1, under=under, status=second[1], before=0)
    assert value(given, "status") == expected
    assert kinds(notes) == ([kind] if kind else [])
    if kind == "first contact":
        assert {notes[0].detail["mine"]["value"], notes[0].detail["theirs"]["value"]} == {
            "open",
            "pending",
        }
    if kind == "conflict":
        assert given.state["status"].candidates == {"L": "open", "P": "pending"}


def test_f10_a_vendors_default_takes_the_states_value():
    given = link("P", "H")
    look(given, "P", 0, priority="high")
    assert look(given, "H", 1, priority="normal") == []
    assert value(given, "priority") == "high"
    assert not is_level(given, "H", "priority")


def test_f12_fields_that_a_create_did_not_send_are_never_edits():
    given = link("L", "H")
    look(given, "L", 0, subject="Bill", status="new", priority=None)
    notes = absorb_created(
        given,
        seen("H", 1, subject="Bill", status="new", priority="normal"),
        {"subject": "Bill", "status": "new"},
        RULES,
    )
    assert kinds(notes) == ["written", "written"]
    assert given.state["priority"].rev == 0
    assert look(given, "H", 2, subject="Bill", status="new", priority="normal") == []
    assert given.state["priority"].rev == 0
    look(given, "H", 3, priority="urgent")
    assert value(given, "priority") == "urgent"


def test_f12_what_a_create_left_to_the_vendor_is_no_word_either_once_its_table_has_changed():
    given = link("L", "H")
    look(given, "L", 0, subject="Bill", priority=None)
    made = seen("H", 1, subject="Bill", priority="normal")
    absorb_created(given, made, {"subject": "Bill"}, RULES)
    for revision in ("2", "3"):
        table = {**LEVELS, "middle": "normal"} if revision == "2" else LEVELS
        changed = field("priority", table=table, revision=revision)
        fields = {**MAPS["H"].fields, "priority": changed}
        under = rules(maps={**MAPS, "H": replace(MAPS["H"], fields=fields)})
        assert reread(given, under, {"H": {"priority": ["1", "2"]}}) == []
        assert given.state["priority"].rev == 0
        assert look(given, "H", 2, under=under, subject="Bill", priority="normal") == []
    look(given, "H", 3, under=under, priority="urgent")
    assert value(given, "priority") == "urgent"


def test_f12_fields_frozen_by_a_conflict_are_not_level_after_a_create():
    under = rules("manual")
    given = level("L", "P", status="new", subject="s", under=under)
    look(given, "L", 1, under=under, status="open")
    look(given, "P", 2, under=under, status="pending")
    given.sides["H"] = link("H").sides["H"]
    absorb_created(given, seen("H", 3, subject="s", status="new"), {"subject": "s"}, under)
    assert given.sides["H"].fields["status"].level == NEVER
    assert is_level(given, "H", "subject")


def test_f12_a_created_record_that_is_found_later_keeps_a_humans_edit():
    given = link("L", "H")
    look(given, "L", 0, status="new", subject="s")
    notes = absorb_created(
        given,
        seen("H", 9, status="closed", subject="s"),
        {"status": "new", "subject": "s"},
        RULES,
        found=True,
    )
    assert "changed" in kinds(notes)
    assert value(given, "status") == "closed"


@pytest.mark.parametrize(("shown", "stands"), [("closed", "closed"), ("new", "open")])
def test_f12_a_field_that_a_create_cannot_set_is_an_edit_once_it_left_its_default(shown, stands):
    """The create could not send the status, and a human set it before we found the record."""
    under = rules(
        writable={**WRITABLE, "H": {**WRITABLE.get("H", {}), "status": Writable(default="new")}}
    )
    given = link("L", "H")
    look(given, "L", 0, under=under, status="open", subject="s")
    absorb_created(
        given, seen("H", 9, status=shown, subject="s"), {"subject": "s"}, under, found=True
    )
    assert value(given, "status") == stands
    assert is_level(given, "H", "status") == (shown == "closed")


@pytest.mark.parametrize(("shown", "stands"), [("closed", "closed"), ("new", None)])
def test_f12_a_field_that_nobody_had_set_is_an_edit_once_it_left_its_default(shown, stands):
    """The create had nothing to say there, and a human set it before we found the record."""
    under = rules(
        writable={**WRITABLE, "H": {**WRITABLE.get("H", {}), "status": Writable(default="new")}}
    )
    given = link("L", "H")
    look(given, "L", 0, under=under, subject="s")
    absorb_created(
        given, seen("H", 9, status=shown, subject="s"), {"subject": "s"}, under, found=True
    )
    assert value(given, "status") == stands
    assert is_level(given, "H", "status")


@pytest.mark.parametrize("found", [True, False])
def test_f12_tags_that_a_create_could_not_set_are_edits_if_somebody_had_time_to_add_them(found):
    given = link("L", "H")
    look(given, "L", 0, subject="s", tags=["sales"])
    absorb_created(
        given, seen("H", 9, subject="s", tags=["eu"]), {"subject": "s"}, RULES, found=found
    )
    assert value(given, "tags") == (("eu", "sales") if found else ("sales",))
    assert not is_level(given, "H", "tags")  # `sales` is still to be written there


def test_f13_a_normalised_answer_is_shadow_and_is_remembered():
    given = level("L", "H", subject="old")
    look(given, "L", 1, subject="Bill.")
    attempt(given, "H", at_seconds=2, subject="Bill.")
    assert kinds(look(given, "H", 3, own=True, subject="Bill")) == ["normalised"]
    assert shadow(given, "H", "subject") == "Bill"
    assert look(given, "H", 4, subject="Bill") == []
    assert value(given, "subject") == "Bill."
    assert is_level(given, "H", "subject")
    look(given, "H", 5, subject="Bob")
    assert given.sides["H"].fields["subject"].remembered_answer is None
    assert value(given, "subject") == "Bob"


def test_f16_changing_to_a_value_of_the_same_class_is_agreement():
    given = level("P", "Z", assignee=None)
    look(given, "P", 1, status="on_hold")
    look(given, "Z", 2, status="waiting")
    notes = look(given, "Z", 3, status="ongoing")
    assert kinds(notes) == ["agreed"]
    assert value(given, "status") == "on_hold"


KNOWN = {"H": {"status": ["1"]}}
"""H's status was taken from where it is taken now."""


def remapped(table, revision="2"):
    fields = {**MAPS["H"].fields, "status": field("status", table=table, revision=revision)}
    return rules(maps={**MAPS, "H": replace(MAPS["H"], fields=fields)})


def test_f19_a_changed_table_moves_the_state_to_the_new_reading_and_leaves_the_others_behind():
    given = link("H", "L")
    look(given, "H", 0, status="in_progress")
    look(given, "L", 0, status="open")
    under = remapped({**H_STATUS, "in_progress": "pending"})
    assert kinds(reread(given, under, KNOWN)) == ["remapped"]
    assert (value(given, "status"), given.state["status"].set_by) == ("pending", "mapping")
    assert is_level(given, "H", "status")
    assert not is_level(given, "L", "status")
    assert reread(given, under, KNOWN) == []
    assert look(given, "H", 1, under=under, status="in_progress") == []


def test_f19_a_changed_table_is_noticed_by_the_next_read_as_well():
    given = link("H", "L")
    look(given, "H", 0, status="in_progress")
    look(given, "L", 0, status="open")
    under = remapped({**H_STATUS, "in_progress": "pending"})
    assert kinds(look(given, "H", 1, under=under, status="in_progress")) == ["remapped"]
    assert value(given, "status") == "pending"


def test_f19_a_new_revision_has_no_base_so_nothing_counts_as_changed():
    given = level("L", "H", status="new")
    under = remapped(H_STATUS)
    notes = look(given, "H", 1, under=under, status="closed")
    assert kinds(notes) == ["first contact"]
    assert value(given, "status") == "new"


def test_f19_what_is_put_back_to_the_default_as_the_table_changes_is_on_record():
    given = level("L", "H", priority="urgent")
    fields = {**MAPS["H"].fields, "priority": field("priority", table=LEVELS, revision="2")}
    under = rules(maps={**MAPS, "H": replace(MAPS["H"], fields=fields)})
    (note,) = look(given, "H", 1, under=under, priority="normal")
    assert (note.kind, note.detail["mine"]["value"]) == ("first contact", "normal")
    assert (value(given, "priority"), is_level(given, "H", "priority")) == ("urgent", False)
    assert look(given, "H", 2, under=under, priority="normal") == []


@pytest.mark.parametrize(("edition", "kind"), [("1/b", "changed"), ("2/a", "first contact")])
@pytest.mark.parametrize(
    "table", [H_STATUS, {**H_STATUS, "new": "pending"}], ids=["as before", "reads otherwise"]
)
def test_f19_another_raw_value_is_an_edit_when_only_the_directory_of_people_has_changed(
    edition, kind, table
):
    given = level("L", "H", under=remapped(H_STATUS, "1/a"), status="new")
    assert kinds(look(given, "H", 1, under=remapped(table, edition), status="closed")) == [kind]


@pytest.mark.parametrize("chosen", ["new", "pending"])
def test_f19_another_raw_value_is_an_edit_also_on_a_side_that_is_behind(chosen):
    known = remapped(H_STATUS, "1/a")
    given = level("L", "H", under=known, status="new")
    look(given, "L", 1, under=known, status="open")
    look(given, "L", 2, under=known, status=chosen)
    assert not is_level(given, "H", "status")
    assert kinds(look(given, "H", 3, under=remapped(H_STATUS, "1/b"), status="closed")) == [
        "uncertain",
        "changed",
    ]
    assert value(given, "status") == "closed"


def test_f19_a_newly_mapped_field_takes_first_contact_on_every_side():
    given = level("L", "H", status="new")
    assert kinds(look(given, "H", 1, status="new", priority="high")) == ["observed"]
    assert kinds(look(given, "L", 2, status="new", priority="low")) == ["first contact"]
    assert value(given, "priority") == "low"


@pytest.mark.parametrize("sent", [{}, {"status": "new"}])
def test_f19_whoever_was_put_on_a_new_record_before_we_found_it_is_an_edit_once_they_are_known(
    sent,
):
    strangers = remapped({raw: name for raw, name in H_STATUS.items() if raw != "closed"}, "1/a")
    given = link("L", "H")
    look(given, "L", 0, under=strangers, status="new")
    absorb_created(given, seen("H", 9, status="closed"), sent, strangers, found=True)
    assert (given.sides["H"].fields["status"].unreadable, value(given, "status")) == (
        "unknown status 'closed'",
        "new",
    )
    notes = look(given, "H", 20, under=remapped(H_STATUS, "1/b"), status="closed")
    assert "changed" in kinds(notes)
    assert value(given, "status") == "closed"


def test_f20_what_a_call_sets_besides_is_ours_and_the_service_user_is_nobody():
    given = level("P", "Z", assignee=None)
    look(given, "Z", 0, status="waiting")
    look(given, "P", 0, status="new")
    look(given, "P", 1, status="open", assignee=None)
    opened = attempt(given, "Z", at_seconds=2, status="ongoing", assignee=SERVICE)
    assert opened.sent == {"status": "ongoing", "assignee": SERVICE}
    look(given, "Z", 3, own=True, status="ongoing", assignee=SERVICE)
    look(given, "Z", 4, status="ongoing", assignee=SERVICE)
    assert (value(given, "assignee"), given.state["assignee"].rev) == (None, 0)
