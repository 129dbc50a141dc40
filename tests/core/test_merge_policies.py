"""Owners, first, manual conflicts and the fuse. Tests carry their rule's number."""

from dataclasses import replace

from bridge.core.merge.case import Rules
from bridge.core.merge.lifecycle import resolve
from tests.core.builders import (
    H_STATUS,
    LEVELS,
    MAPS,
    RULES,
    at,
    bring_up,
    is_level,
    kinds,
    level,
    link,
    look,
    rules,
    system,
    value,
)


def test_f17_an_owners_field_is_put_back_once_for_each_edit():
    under = rules("owner", owner="L")
    given = level("L", "P", status="new", under=under)
    for second, edit in ((1, "open"), (2, "pending")):
        notes = look(given, "P", second, under=under, status=edit)
        assert kinds(notes) == ["reverted"]
        assert (notes[0].detail["mine"]["value"], notes[0].detail["winner"]) == (edit, "L")
    assert look(given, "P", 3, under=under, status="pending") == []
    assert value(given, "status") == "new"
    assert not is_level(given, "P", "status")


def test_f17_a_lenient_owner_leaves_edits_alone_until_its_own_next_change():
    under = rules("owner", owner="L", revert=False)
    given = level("L", "P", status="new", under=under)
    assert kinds(look(given, "P", 1, under=under, status="open")) == ["ignored"]
    assert given.sides["P"].fields["status"].decided == {"status": 1}
    assert is_level(given, "P", "status")
    look(given, "L", 3, under=under, status="closed")
    look(given, "P", 4, under=under, status="open")
    assert not is_level(given, "P", "status")


def test_f17_without_a_living_owner_the_latest_change_wins():
    under = rules("owner", owner="L")
    given = level("L", "P", status="new", under=under)
    given.sides["L"].tombstone = True
    assert kinds(look(given, "P", 1, under=under, status="open")) == ["changed"]


def test_f17_an_owner_that_never_set_the_field_still_puts_it_back():
    under = rules("owner", owner="L")
    given = link("L", "P")
    look(given, "L", 0, under=under, assignee=None)
    look(given, "P", 0, under=under, assignee=None)
    assert kinds(look(given, "P", 1, under=under, assignee="bob")) == ["reverted"]
    assert (value(given, "assignee"), given.state["assignee"].rev) == (None, 1)
    assert not is_level(given, "P", "assignee")


def test_f17_first_accepts_once_and_then_ignores_everybody():
    under = rules("first")
    given = link("L", "P")
    look(given, "L", 0, under=under, status=None)
    look(given, "L", 1, under=under, status="open")
    assert kinds(look(given, "L", 2, under=under, status="closed")) == ["ignored"]
    assert value(given, "status") == "open"


def manual_conflict():
    under = rules("manual")
    given = level("L", "P", "H", status="new", under=under)
    look(given, "L", 1, under=under, status="open")
    notes = look(given, "P", 2, under=under, status="pending")
    assert kinds(notes) == ["conflict"]
    return given, under


def test_f18_an_open_conflict_keeps_each_sides_newest_candidate():
    given, under = manual_conflict()
    assert given.state["status"].candidates == {"L": "open", "P": "pending"}
    look(given, "P", 3, under=under, status="resolved")
    look(given, "H", 4, under=under, status="closed")
    assert given.state["status"].candidates == {"L": "open", "P": "resolved", "H": "closed"}
    assert value(given, "status") == "open"


def test_f18_it_closes_itself_when_all_waiting_sides_agree():
    given, under = manual_conflict()
    assert kinds(look(given, "P", 3, under=under, status="open")) == ["waiting", "settled"]
    assert given.state["status"].candidates is None
    assert (is_level(given, "L", "status"), is_level(given, "P", "status")) == (True, True)
    assert not is_level(given, "H", "status")


def test_f18_it_closes_on_a_new_value_too():
    given, under = manual_conflict()
    look(given, "L", 3, under=under, status="pending")
    assert (given.state["status"].candidates, value(given, "status")) == (None, "pending")


def test_f18_a_resolution_is_a_revision_so_an_unseen_edit_conflicts_again():
    given, under = manual_conflict()
    rev = given.state["status"].rev
    notes = resolve(given, "status", "closed", at(5))
    assert kinds(notes) == ["resolved"]
    assert notes[0].detail["candidates"] == {"L": "open", "P": "pending"}
    assert (given.state["status"].rev, given.state["status"].set_by) == (rev + 1, "admin")
    assert kinds(look(given, "P", 6, under=under, status="new")) == ["conflict"]
    assert given.state["status"].candidates == {"state": "closed", "P": "new"}


def flip(given, under, count, pace):
    """Let L and P undo each other's edit in turn, each having seen the other's."""
    for number in range(count):
        side, new = "LP"[number % 2], ("pending", "open")[number % 2]
        bring_up(given, side, pace * number, "status", under=under)
        look(given, side, pace * number + 1, under=under, status=new)


FUSED_AFTER_THREE = Rules(
    replace(RULES.sync, guard=replace(RULES.sync.guard, flips=3)), RULES.maps, RULES.writable
)


def test_a_field_that_keeps_changing_hands_is_fused():
    given = level("P", "L", status="new")
    flip(given, FUSED_AFTER_THREE, 3, pace=2)
    assert (value(given, "status"), given.state["status"].candidates) == ("pending", None)
    bring_up(given, "P", 9, "status")
    notes = look(given, "P", 10, under=FUSED_AFTER_THREE, status="resolved")
    assert given.state["status"].why_open == "flip-flop fuse"
    assert given.state["status"].candidates == {"L": "pending", "P": "resolved"}
    assert notes[-1].kind == "conflict"
    assert value(given, "status") == "pending"
    resolve(given, "status", "open", at(30))
    assert given.state["status"].flips == []


def test_slow_changes_of_hands_do_not_fuse():
    given = level("P", "L", status="new")
    flip(given, FUSED_AFTER_THREE, 8, pace=1000)
    assert (value(given, "status"), given.state["status"].candidates) == ("open", None)


def test_f18_a_conflict_ends_once_a_changed_table_reads_all_sides_alike():
    manual = rules("manual")
    given = level("L", "H", under=manual, status="new")
    look(given, "L", 5, under=manual, status="closed")
    look(given, "H", 6, under=manual, status="resolved")
    assert given.state["status"].candidates is not None
    table = {**H_STATUS, "resolved": "closed"}
    maps = {**MAPS, "H": system(table, LEVELS)}
    notes = look(given, "H", 7, under=rules("manual", maps=maps), status="resolved")
    assert kinds(notes) == ["settled"]
    assert (value(given, "status"), given.state["status"].candidates) == ("closed", None)
