"""The merge of one read: agreement, our own writes, levels, time, by rule number."""

import copy
from dataclasses import replace

import pytest

from bridge.core.merge.equality import agrees
from bridge.core.merge.observations import is_believable, open_attempt
from bridge.core.model.state import NEVER, Attempt, FieldState, SideField
from bridge.core.model.values import ABSENT, NO_BASE, Unreadable
from tests.core.builders import (
    MAPS,
    at,
    attempt,
    is_level,
    kinds,
    level,
    link,
    look,
    seen,
    shadow,
    value,
)


@pytest.mark.parametrize(
    ("connection", "raw", "state", "expected"),
    [
        ("L", "open", "open", True),
        ("L", "open", "new", False),
        ("H", "in_progress", "open", True),  # reads as the state
        ("Z", "ongoing", "on_hold", True),  # the state is written so
        ("Z", "ongoing", "new", False),
        ("Z", "ongoing", "resolved", False),  # not carried is not agreeing
        ("L", None, None, True),
        ("L", None, "open", False),
        ("L", "open", None, False),
    ],
)
def test_agreement_is_asked_in_both_directions(connection, raw, state, expected):
    field_map = MAPS[connection].fields["status"]
    assert agrees(field_map, SideField(), raw, FieldState(value=state, rev=1)) is expected


def test_a_remembered_answer_agrees_with_the_value_it_answered_only():
    field_map, side = MAPS["L"].fields["subject"], SideField(remembered_answer=("Bill.", "Bill"))
    assert agrees(field_map, side, "Bill", FieldState(value="Bill.", rev=1))
    assert not agrees(field_map, side, "Bill", FieldState(value="Bill?", rev=1))
    assert not agrees(field_map, side, "Bil", FieldState(value="Bill.", rev=1))


def test_f01_an_answer_to_our_write_does_not_swallow_a_human_edit_of_another_field():
    given = level("L", "P", status="new", assignee="ann")
    look(given, "P", 1, assignee="bob")
    attempt(given, "L", at_seconds=2, assignee="bob")
    notes = look(given, "L", 3, own=True, assignee="bob", status="pending")
    assert kinds(notes) == ["written", "changed"]
    assert value(given, "status") == "pending"
    assert is_level(given, "L", "assignee")
    assert given.sides["L"].attempt is None


def test_f02_an_edit_found_by_the_read_before_a_write_is_settled_not_overwritten():
    given = level("L", "P", status="new")
    look(given, "P", 10, status="open")
    notes = look(given, "L", 20, status="pending")
    assert kinds(notes) == ["uncertain", "changed"]
    assert value(given, "status") == "pending"
    assert notes[0].detail["theirs"] == {"value": "open", "by": "P", "raw": "open"}
    assert notes[0].detail["mine"] == {"value": "pending", "raw": "pending", "by": "L"}
    assert notes[0].detail["winner"] == "L"


@pytest.mark.parametrize(
    ("shown", "version", "expected", "state", "is_ours"),
    [
        ("pending", "2", ["landed"], "pending", True),
        ("new", "1", ["did not land"], "pending", False),
        ("new", "2", ["re-sent"], "pending", False),  # a human may have put it back
        ("new", None, ["re-sent"], "pending", False),
        ("resolved", "2", ["uncertain", "changed"], "resolved", True),
    ],
)
def test_f03_one_read_closes_an_attempt_of_unknown_outcome(
    shown, version, expected, state, is_ours
):
    given = level("H", "P", status="new", version="1")
    look(given, "P", 1, status="pending")
    attempt(given, "H", at_seconds=2, status="pending", version="1")
    notes = look(given, "H", 9, status=shown, version=version)
    assert kinds(notes) == expected
    if expected == [
        "re-sent"
    ]:  # what a human may have chosen is on record, in words of the bridge too
        assert notes[0].detail == {"sent": "pending", "before": "new", "value": "new"}
    assert value(given, "status") == state
    assert is_level(given, "H", "status") is is_ours
    assert given.sides["H"].attempt is None


def test_f03_a_write_that_lands_does_not_beat_a_newer_human_edit_elsewhere():
    given = level("H", "P", status="new")
    look(given, "P", 1, status="pending")
    attempt(given, "H", at_seconds=2, status="pending")
    look(given, "P", 5, status="resolved")
    look(given, "H", 9, status="pending")
    assert value(given, "status") == "resolved"
    assert not is_level(given, "H", "status")


def test_f03_a_field_that_cannot_be_read_leaves_its_part_of_the_attempt_open():
    given = level("H", "P", status="new", priority="low")
    look(given, "P", 1, status="open", priority="high")
    attempt(given, "H", at_seconds=2, status="open", priority="high")
    look(given, "H", 9, status="open", priority=Unreadable("withheld"))
    assert given.sides["H"].attempt.sent == {"priority": "high"}
    newer = Attempt(
        "b",
        "update",
        {"status": "new"},
        {"status": "open"},
        {"status": "new"},
        {"status": 3},
        at(20),
    )
    open_attempt(given.sides["H"], newer)
    assert newer.sent == {"status": "new", "priority": "high"}
    assert newer.before["priority"] == "low"
    assert kinds(look(given, "H", 30, status="new", priority="high")) == ["landed", "landed"]
    assert given.sides["H"].attempt is None


def beside_an_older_call():
    """An open call about the status, and an older one about the priority, of unknown fate."""
    given = level("H", "P", status="new", priority="low")
    look(given, "P", 1, status="open", priority="high")
    attempt(given, "H", at_seconds=2, priority="high")
    look(given, "H", 9, status="new", priority=Unreadable("nobody knows it yet"))
    newer = Attempt(
        "b",
        "update",
        {"status": "open"},
        {"status": "new"},
        {"status": "open"},
        {"status": 2},
        at(20),
    )
    open_attempt(given.sides["H"], newer)
    return given


def test_f13_the_answer_to_one_call_is_no_answer_to_an_older_one_of_another_field():
    given = beside_an_older_call()
    notes = look(given, "H", 30, own=True, status="open", priority="urgent")
    assert kinds(notes) == [
        "written",
        "uncertain",
        "changed",
    ]  # and not: "urgent" is how it took our "high"
    assert value(given, "priority") == "urgent"
    assert given.sides["H"].attempt is None


def test_f03_one_call_that_did_nothing_says_nothing_about_an_older_one():
    notes = look(beside_an_older_call(), "H", 30, status="new", priority="high")
    assert kinds(notes) == ["re-sent", "landed"]


def test_f03_a_call_lands_as_a_whole_so_what_reads_as_sent_beside_an_old_value_is_a_humans():
    given = level("H", "P", status="new", priority="low")
    look(given, "P", 1, status="open", priority="high")
    attempt(given, "H", at_seconds=2, status="open", priority="high")
    rev = given.state["status"].rev
    notes = look(given, "H", 9, status="open", priority="low")
    assert kinds(notes) == ["agreed", "re-sent"]
    assert given.state["status"].rev == rev + 1
    assert given.state["status"].set_by == "H"


def test_f05_level_moves_by_seeing_the_side_and_decisions_stay_beside_it():
    given = link("L", "Z")
    look(given, "L", 0, status="resolved")
    look(given, "Z", 1, status="ongoing")
    entry = given.sides["Z"].fields["status"]
    assert entry.level == NEVER
    entry.decided = {"status": given.state["status"].rev}
    assert entry.level == NEVER
    look(given, "Z", 2, status="ongoing")
    assert is_level(given, "Z", "status")
    look(given, "L", 3, status="closed")
    look(given, "Z", 4, status="ongoing")
    assert not is_level(given, "Z", "status")


def test_f05_a_decision_falls_when_any_field_that_it_used_moves():
    given = link("L", "Z")
    look(given, "L", 0, status="resolved", assignee="ann")
    look(given, "Z", 1, status="ongoing", assignee="ann")
    given.sides["Z"].fields["status"].decided = {"status": 1, "assignee": 1}
    look(given, "L", 2, assignee="bob")
    look(given, "Z", 3, status="ongoing", assignee="ann")
    assert not is_level(given, "Z", "status")


def test_f06_a_confirming_edit_renews_the_state():
    given = level("L", "P", status="open")
    look(given, "L", 10, status="new")
    notes = look(given, "P", 20, status="new", before=19)
    assert kinds(notes) == ["agreed"]
    assert (given.state["status"].rev, given.state["status"].set_by) == (3, "P")
    assert not is_level(given, "L", "status")
    older = look(given, "L", 21, status="closed", before=11)
    assert kinds(older) == ["uncertain"]
    assert value(given, "status") == "new"


@pytest.mark.parametrize(
    ("seen_p", "read_p", "dated_p", "kind", "winner"),
    [
        (12, 20, None, "conflict", "P"),  # P still had the old value after L's edit was read
        (5, 20, None, "uncertain", "P"),  # overlapping: the later upper end
        (5, 20, 9, "uncertain", "L"),
        (0, 20, 2, "conflict", "L"),  # dated before L's last read of the old value
        (5, 20, 10, "uncertain", "L"),  # the same upper end: precedence
    ],
)
def test_f07_latest_compares_intervals_and_says_when_the_order_is_uncertain(
    seen_p, read_p, dated_p, kind, winner
):
    given = level("L", "P", status="new")
    look(given, "L", 3, status="new")
    look(given, "P", seen_p if seen_p < 10 else 0, status="new")
    look(given, "L", 10, status="open")
    if seen_p >= 10:
        look(given, "P", seen_p, status="new")
    notes = look(given, "P", read_p, status="pending", before=dated_p)
    assert notes[0].kind == kind
    assert notes[0].detail["winner"] == winner
    assert value(given, "status") == ("open" if winner == "L" else "pending")


def test_f07_a_vendors_time_before_the_last_read_of_the_old_value_is_not_about_this_change():
    given = level("L", "P", status="new")
    look(given, "P", 10, status="new")
    look(given, "P", 20, status="open", before=5)
    assert (given.state["status"].lo, given.state["status"].hi) == (at(10), at(20))


def test_f08_a_version_that_stepped_back_is_believed_when_it_is_seen_again_after_settling():
    given = level("P", status="new", version="5")
    side = given.sides["P"]
    older = seen("P", 10, status="open", version="3")
    assert not is_believable(side, older, 2)
    assert not is_believable(side, replace(older, read_at=at(11)), 2)
    assert not is_believable(side, seen("P", 11.5, status="closed", version="3"), 2)
    assert not is_believable(side, replace(older, read_at=at(12)), 2)
    assert is_believable(side, replace(older, read_at=at(14)), 2)
    assert side.suspect is None


def test_f08_a_version_that_stepped_back_is_no_edit_while_the_vendor_may_lag():
    given = level("P", status="new", version="5")
    look(given, "P", 10, status="pending", version="6")
    side, older = given.sides["P"], seen("P", 11, status="new", version="5")
    for seconds in (11, 14, 24):
        assert not is_believable(side, replace(older, read_at=at(seconds)), 2, lag=15)
    assert is_believable(side, replace(older, read_at=at(25)), 2, lag=15)


@pytest.mark.parametrize("version", ["5", "6", None])
def test_f08_other_versions_are_believed_at_once(version):
    given = level("P", status="new", version="5")
    assert is_believable(given.sides["P"], seen("P", 10, status="open", version=version), 2)


def test_f09_an_equal_observation_moves_level_but_writes_no_line():
    given = level("L", "H", status="new")
    look(given, "L", 1, status="open")
    given.sides["H"].fields["status"].shadow = "in_progress"
    assert look(given, "H", 2, status="in_progress") == []
    assert is_level(given, "H", "status")


def test_f22_a_moved_version_without_a_mapped_change_is_on_record():
    given = level("L", status="new", version="1")
    assert kinds(look(given, "L", 1, status="new", version="2")) == ["touched, no mapped change"]
    assert look(given, "L", 2, status="new", version="2") == []


def test_null_absent_unreadable_and_no_base_are_four_things():
    given = level("L", "P", status="new", priority="low")
    base = copy.deepcopy(given.sides["P"].fields["priority"])
    assert kinds(look(given, "P", 1, status="new", priority=ABSENT)) == ["unreadable"]
    assert kinds(look(given, "P", 2, status="new", priority=Unreadable("withheld"))) == [
        "unreadable"
    ]
    kept = given.sides["P"].fields["priority"]
    assert (kept.shadow, kept.level, kept.unreadable) == (base.shadow, base.level, "withheld")
    assert value(given, "priority") == "low"
    assert kinds(look(given, "P", 3, status="new", priority=None)) == ["changed"]
    assert value(given, "priority") is None
    assert kept.unreadable == ""
    assert SideField().shadow is NO_BASE


def test_a_field_that_was_not_looked_at_is_left_as_it_is():
    given = level("L", status="new", priority="low")
    look(given, "L", 1, status="open")
    assert given.sides["L"].fields["priority"].unreadable == ""
    assert given.sides["L"].fields["priority"].seen_at == at(0)


def test_an_unknown_value_is_set_aside_and_named_while_other_fields_go_on():
    given = level("H", "L", status="new", priority="low")
    notes = look(given, "H", 1, status="snoozed", priority="high")
    assert kinds(notes) == ["unreadable", "changed"]
    assert "snoozed" in notes[0].detail["why"]
    assert shadow(given, "H", "status") == "new"
    assert kinds(look(given, "H", 2, status="open", priority="high")) == ["changed"]


def test_an_answer_that_leaves_a_field_out_is_no_read_of_it():
    given = level("L", "P", status="new", priority="low")
    look(given, "P", 1, status="open")
    attempt(given, "L", at_seconds=2, status="open")
    assert kinds(look(given, "L", 3, own=True, status="open", priority=ABSENT)) == ["written"]
    assert given.sides["L"].fields["priority"].unreadable == ""


def test_older_data_than_the_last_read_is_stale():
    given = level("L", "P", status="new")
    look(given, "L", 10, status="open")
    assert kinds(look(given, "L", 9, status="new")) == ["stale"]
    assert value(given, "status") == "open"


def test_a_write_that_the_vendor_ignored_is_on_record_and_not_repeated():
    given = level("L", "P", status="new")
    look(given, "P", 1, status="open")
    attempt(given, "L", at_seconds=2, status="open")
    assert kinds(look(given, "L", 3, own=True, status="new")) == ["not taken"]
    look(given, "L", 4, status="new")
    assert is_level(given, "L", "status")
    assert value(given, "status") == "open"
