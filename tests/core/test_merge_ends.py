"""Records that vanish and return: what their end does, and what a return takes back (rule F21)."""

from dataclasses import replace

import pytest

from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.merge.case import Rules
from bridge.core.merge.lifecycle import leave_scope, record_missing, resolve, was_there
from bridge.core.model.capabilities import Support, Writable
from bridge.core.model.state import Side
from bridge.core.model.syncs import FieldPolicy
from tests.core.builders import MAPS, WRITABLE, at, is_level, kinds, level, look, rules, value


def test_f21_two_absences_a_settling_time_apart_make_a_tombstone():
    given = level("L", "H", status="new")
    assert kinds(record_missing(given, "H", at(10), 2)) == ["missing"]
    assert record_missing(given, "H", at(11), 2) == []
    assert not given.sides["H"].tombstone
    assert kinds(record_missing(given, "H", at(12), 2)) == ["deleted"]
    assert given.sides["H"].tombstone
    assert record_missing(given, "H", at(13), 2) == []


def test_f21_a_record_that_returns_has_its_old_shadow_as_base():
    given = level("L", "H", status="new")
    record_missing(given, "H", at(10), 2)
    record_missing(given, "H", at(12), 2)
    notes = look(given, "H", 20, status="open")
    assert kinds(notes) == ["returned", "changed"]
    assert not given.sides["H"].tombstone
    assert given.sides["H"].missing_since is None


def test_f21_one_absence_is_forgotten_when_the_record_is_read():
    given = level("L", "H", status="new")
    record_missing(given, "H", at(10), 2)
    look(given, "H", 11, status="new")
    assert kinds(record_missing(given, "H", at(13), 2)) == ["missing"]


def test_f21_a_deletion_travels_as_closed_where_nobody_has_edited_since():
    under = rules(delete="close")
    given = level("L", "H", status="new", under=under)
    record_missing(given, "H", at(10), 2, under)
    assert kinds(record_missing(given, "H", at(12), 2, under)) == ["deleted", "changed"]
    assert (value(given, "status"), given.state["status"].set_by) == ("closed", "H")
    assert not is_level(given, "L", "status")


def test_f21_an_edit_elsewhere_that_the_deleted_side_had_not_seen_turns_it_into_a_conflict():
    under = rules(delete="close")
    given = level("L", "H", status="new", subject="a", under=under)
    record_missing(given, "H", at(10), 2, under)
    look(given, "L", 11, under=under, subject="b")
    assert kinds(record_missing(given, "H", at(12), 2, under)) == ["deleted", "conflict"]
    assert given.state["status"].candidates == {"L": "new", "H": "closed"}
    assert value(given, "status") == "new"


def of_subject(**changed):
    fields = {**MAPS["P"].fields, "subject": replace(MAPS["P"].fields["subject"], **changed)}
    return {"maps": {**MAPS, "P": EntityMap("ticket", fields)}}


def said_of_subject(given, **said):
    for name, what in said.items():
        setattr(given.sides["P"].fields["subject"], name, what)


NO_UPDATE = {**WRITABLE["P"], "subject": Writable(on_update=Support.NO)}
NOT_TAKEN = {
    "only read": (of_subject(write_key=None), {}),
    "only on create": (of_subject(on_update=False), {}),
    "not changed by the system": ({"writable": {**WRITABLE, "P": NO_UPDATE}}, {}),
    "not sent there": ({"to": ("L", "H")}, {}),
    "not readable there": ({}, {"unreadable": "the vendor withholds it"}),
    "not carried": ({}, {"decided": {"subject": 2}, "decided_why": "no writing"}),
}


@pytest.mark.parametrize(("declared", "said"), NOT_TAKEN.values(), ids=NOT_TAKEN.keys())
@pytest.mark.parametrize(
    ("edited_at", "last_there", "expected"),
    [(5, 6, "changed"), (5, 5, "changed"), (5, 0, "conflict"), (11, 6, "conflict")],
)
def test_f21_what_the_deleted_side_cannot_take_says_nothing_if_it_was_edited_before(
    declared, said, edited_at, last_there, expected
):
    under = rules(delete="close", **declared)
    given = level("L", "P", status="new", subject="a", under=under)
    look(given, "L", edited_at, under=under, subject="b")
    assert given.state["subject"].rev == 2
    said_of_subject(given, **said)
    was_there(given.sides["P"], at(last_there))
    record_missing(given, "P", at(10), 2, under)
    assert kinds(record_missing(given, "P", at(12), 2, under)) == ["deleted", expected]


def without_subject():
    fields = {name: each for name, each in MAPS["P"].fields.items() if name != "subject"}
    return rules(delete="close", maps={**MAPS, "P": EntityMap("ticket", fields)})


@pytest.mark.parametrize(("edited_at", "expected"), [(5, "changed"), (7, "conflict")])
def test_f21_nor_does_what_it_does_not_have_at_all(edited_at, expected):
    under = without_subject()
    given = level("L", "P", status="new", under=under)
    look(given, "L", 1, under=under, subject="a")
    look(given, "L", edited_at, under=under, subject="b")
    look(given, "P", 6, under=under, status="new")
    record_missing(given, "P", at(10), 2, under)
    assert kinds(record_missing(given, "P", at(12), 2, under)) == ["deleted", expected]


def test_f21_what_was_met_without_a_base_is_no_edit_where_the_record_was_not_missed_yet():
    under = without_subject()
    given = level("L", "P", status="new", under=under)
    look(given, "L", 5, under=under, subject="a")
    record_missing(given, "P", at(10), 2, under)
    assert kinds(record_missing(given, "P", at(12), 2, under)) == ["deleted", "changed"]


@pytest.mark.parametrize("decided_at", [5, 11])
def test_f21_what_an_admin_decided_after_the_record_was_last_there_speaks_against_its_end(
    decided_at,
):
    under = rules(delete="close")
    given = level("L", "P", status="new", under=under)
    record_missing(given, "P", at(10), 2, under)
    resolve(given, "status", "on_hold", at(decided_at))
    assert kinds(record_missing(given, "P", at(12), 2, under)) == ["deleted", "conflict"]
    assert value(given, "status") == "on_hold"


@pytest.mark.parametrize(("edited_at", "expected"), [(5, "changed"), (7, "conflict")])
def test_f21_nor_does_leaving_the_scope_close_what_may_have_been_edited_after(edited_at, expected):
    under = rules(delete="close", to=("L", "H"))
    under = Rules(replace(under.sync, leave_scope="close"), under.maps, under.writable)
    given = level("L", "P", status="new", subject="a", under=under)
    look(given, "P", 6, under=under, status="new")
    look(given, "L", edited_at, under=under, subject="b")
    assert kinds(leave_scope(given, "P", at(10), under)) == ["left scope", expected]


def test_f21_a_record_that_was_never_read_is_not_known_to_have_been_there():
    given = level("L", status="new")
    given.sides["P"] = Side("P", "P-1")
    was_there(given.sides["P"], at(5))
    assert given.sides["P"].read_at is None
    was_there(given.sides["L"], at(-5))
    assert given.sides["L"].read_at == at(0)


def test_f21_what_it_could_have_taken_speaks_against_its_end():
    under = rules(delete="close")
    given = level("L", "P", status="new", subject="a", under=under)
    look(given, "L", 5, under=under, subject="b")
    record_missing(given, "P", at(10), 2, under)
    assert kinds(record_missing(given, "P", at(12), 2, under)) == ["deleted", "conflict"]


def test_f21_a_return_takes_back_what_the_end_had_closed():
    under = rules(delete="close")
    given = level("L", "P", status="on_hold", under=under)
    record_missing(given, "P", at(10), 2, under)
    record_missing(given, "P", at(12), 2, under)
    assert value(given, "status") == "closed"
    assert kinds(look(given, "P", 20, under=under, status="on_hold")) == ["returned", "changed"]
    assert (value(given, "status"), given.state["status"].ended) == ("on_hold", None)
    assert is_level(given, "P", "status")


def test_f21_what_was_decided_since_the_end_stands_when_the_record_returns():
    under = rules(delete="close")
    given = level("L", "P", status="new", under=under)
    record_missing(given, "P", at(10), 2, under)
    record_missing(given, "P", at(12), 2, under)
    look(given, "L", 14, under=under, status="pending")
    assert kinds(look(given, "P", 20, under=under, status="new")) == ["returned"]
    assert (value(given, "status"), is_level(given, "P", "status")) == ("pending", False)


def test_f21_a_return_lifts_the_conflict_that_the_end_had_opened():
    under = rules(delete="close")
    given = level("L", "P", status="new", subject="a", under=under)
    record_missing(given, "P", at(10), 2, under)
    look(given, "L", 11, under=under, subject="b")
    record_missing(given, "P", at(12), 2, under)
    assert given.state["status"].candidates is not None
    assert kinds(look(given, "P", 20, under=under, status="new")) == ["returned", "settled"]
    assert given.state["status"].candidates is None


def ended_but_edited(*connections, **policy):
    """Give a link whose last was deleted while L edited the subject: the status is in conflict."""
    under, gone = rules(delete="close"), connections[-1]
    if policy:
        declared = {**under.sync.policies, "status": FieldPolicy(**policy)}
        under = Rules(replace(under.sync, policies=declared), under.maps, under.writable)
    given = level(*connections, status="new", subject="a", under=under)
    record_missing(given, gone, at(10), 2, under)
    look(given, "L", 11, under=under, subject="b")
    record_missing(given, gone, at(12), 2, under)
    assert gone in given.state["status"].candidates
    return given, under


def test_f21_an_edit_made_while_that_conflict_waited_stands_when_the_record_returns():
    given, under = ended_but_edited("L", "P")
    look(given, "L", 14, under=under, status="pending")
    assert kinds(look(given, "P", 20, under=under, status="new")) == ["returned", "settled"]
    assert (value(given, "status"), given.state["status"].set_by) == ("pending", "L")
    assert given.state["status"].candidates is None
    assert (is_level(given, "L", "status"), is_level(given, "P", "status")) == (True, False)


def test_f21_and_an_edit_of_the_record_that_returns_meets_it_on_record():
    given, under = ended_but_edited("L", "P")
    look(given, "L", 14, under=under, status="pending")
    notes = look(given, "P", 20, under=under, status="open")
    assert kinds(notes)[:3] == ["returned", "settled", "uncertain"]
    assert {notes[2].detail[whose]["value"] for whose in ("mine", "theirs")} == {"open", "pending"}


def test_f21_two_edits_made_while_that_conflict_waited_go_on_waiting_without_it():
    given, under = ended_but_edited("L", "H", "P")
    look(given, "L", 14, under=under, status="pending")
    look(given, "H", 15, under=under, status="resolved")
    assert kinds(look(given, "P", 20, under=under, status="new")) == ["returned", "waiting"]
    assert given.state["status"].candidates == {"L": "pending", "H": "resolved"}
    assert given.state["status"].ended is None


def edited_while_it_went():
    """L was edited between the two absences of P, and H has not been brought up yet."""
    under = rules(delete="close")
    given = level("L", "H", "P", status="new", under=under)
    record_missing(given, "P", at(10), 2, under)
    look(given, "L", 11, under=under, status="pending")
    record_missing(given, "P", at(12), 2, under)
    return given, under


def test_f21_an_edit_of_a_side_that_was_behind_goes_on_waiting_beside_the_state():
    given, under = edited_while_it_went()
    assert given.state["status"].candidates == {"L": "pending", "P": "closed"}
    look(given, "H", 14, under=under, status="resolved")
    assert kinds(look(given, "P", 20, under=under, status="new")) == ["returned", "waiting"]
    assert given.state["status"].candidates == {"L": "pending", "H": "resolved"}


def test_f21_a_side_that_was_merely_behind_is_brought_up_when_the_record_returns():
    given, under = edited_while_it_went()
    assert kinds(look(given, "P", 20, under=under, status="new")) == ["returned", "settled"]
    assert (value(given, "status"), given.state["status"].set_by) == ("pending", "L")
    assert not any(is_level(given, name, "status") for name in "HP")


def test_f21_what_nobody_shows_yet_waits_as_the_state():
    under = rules(delete="close")
    given = level("L", "P", status="new", subject="a", under=under)
    resolve(given, "status", "pending", at(9))
    record_missing(given, "P", at(10), 2, under)
    look(given, "L", 11, under=under, subject="b", status="new")
    record_missing(given, "P", at(12), 2, under)
    look(given, "L", 13, under=under, subject="b", status="new")
    assert given.state["status"].candidates == {"state": "pending", "P": "closed"}


@pytest.mark.parametrize(("revert", "kind"), [(True, "reverted"), (False, "ignored")])
def test_f21_who_does_not_own_the_status_has_no_say_in_it_when_the_owner_returns(revert, kind):
    given, under = ended_but_edited("L", "P", policy="owner", owner="P", revert=revert)
    look(given, "L", 14, under=under, status="pending")
    notes = look(given, "P", 20, under=under, status="new")
    assert sorted(kinds(notes)) == sorted(["returned", "settled", kind])
    assert (value(given, "status"), given.state["status"].candidates) == ("new", None)
    assert is_level(given, "L", "status") is not revert


def test_f21_who_agrees_with_an_end_is_not_undone_by_a_return():
    given, under = ended_but_edited("L", "H")
    assert kinds(look(given, "L", 14, under=under, status="closed")) == ["waiting", "settled"]
    look(given, "H", 20, under=under, status="new")
    assert (value(given, "status"), given.state["status"].set_by) == ("closed", "L")
    assert not is_level(given, "H", "status")  # it never showed that, so it is brought up
