"""The decision tables at the head of `scalars` and `sets`, row by row.

The stories behind the rows are told by the tests of each rule; here stands only that the code does
what the tables say, and that every rule which they name has tests.
"""

import re
from pathlib import Path

import pytest

from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.merge import scalars, sets
from bridge.core.merge.lifecycle import resolve
from tests.core.builders import (
    MAPS,
    at,
    attempt,
    field,
    is_level,
    kinds,
    level,
    link,
    look,
    rules,
    value,
)

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("module", [scalars, sets])
def test_every_rule_that_a_table_names_has_tests(module):
    tests = "".join(path.read_text() for path in TESTS.glob("*/test_*.py"))
    named = {int(number) for number in re.findall(r"\bF(\d+)\b", module.__doc__)}
    assert named
    assert [number for number in sorted(named) if f"def test_f{number:02d}_" not in tests] == []


# --- scalars: a value that differs from the shadow ------------------------------------------------


def elsewhere(given, under):
    """P sets the status to open, between 5 and 10 s."""
    look(given, "P", 5, under=under, status="new")
    look(given, "P", 10, under=under, status="open")


def an_admin(given, _under):
    resolve(given, "status", "open", at(10))


def nobody(_given, _under):
    """The side is level."""


SCALAR_CHANGES = {
    "agrees": (rules(), elsewhere, {"status": "open"}, ["agreed"], "open", True),
    "another owner, revert": (
        rules("owner", owner="P"),
        nobody,
        {"status": "pending"},
        ["reverted"],
        "new",
        False,
    ),
    "another owner, left": (
        rules("owner", owner="P", revert=False),
        nobody,
        {"status": "pending"},
        ["ignored"],
        "new",
        True,
    ),
    "first": (rules("first"), nobody, {"status": "pending"}, ["ignored"], "new", True),
    "level": (rules("manual"), nobody, {"status": "pending"}, ["changed"], "pending", True),
    "behind, owner": (
        rules("owner", owner="L"),
        an_admin,
        {"status": "pending"},
        ["conflict", "changed"],
        "pending",
        True,
    ),
    "behind, manual": (
        rules("manual"),
        elsewhere,
        {"status": "pending"},
        ["conflict"],
        "open",
        False,
    ),
    "behind, earlier": (
        rules(),
        elsewhere,
        {"status": "pending", "before": 4},
        ["conflict"],
        "open",
        False,
    ),
    "behind, overlapping": (
        rules(),
        elsewhere,
        {"status": "pending"},
        ["uncertain", "changed"],
        "pending",
        True,
    ),
}


@pytest.mark.parametrize("row", SCALAR_CHANGES)
def test_a_change_of_one_value(row):
    under, meanwhile, shown, expected, state, is_in_step = SCALAR_CHANGES[row]
    given = level("L", "P", under=under, status="new")
    meanwhile(given, under)
    notes = look(given, "L", 20, under=under, **shown)
    assert kinds(notes) == expected
    assert (value(given, "status"), is_level(given, "L", "status")) == (state, is_in_step)


def test_a_change_that_is_certainly_later():
    given = level("L", "P", status="new")
    look(given, "P", 10, status="open")
    look(given, "L", 11, status="new")
    assert kinds(look(given, "L", 20, status="pending")) == ["conflict", "changed"]
    assert value(given, "status") == "pending"


def test_a_change_while_a_conflict_is_open():
    given = level("L", "P", under=rules("manual"), status="new")
    elsewhere(given, rules("manual"))
    look(given, "L", 20, under=rules("manual"), status="pending")
    assert kinds(look(given, "L", 21, under=rules("manual"), status="closed")) == ["waiting"]
    assert given.state["status"].candidates == {"P": "open", "L": "closed"}
    assert kinds(look(given, "L", 22, under=rules("manual"), status="open")) == [
        "waiting",
        "settled",
    ]


# --- scalars: first contact -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "expected", "state", "is_in_step"),
    [
        ("normal", [], "high", False),  # the vendor's default takes the state's
        (None, [], "high", False),
        ("high", [], "high", True),
        ("low", ["first contact"], "high", False),  # L comes first in the precedence
    ],
)
def test_first_contact_with_a_state(shown, expected, state, is_in_step):
    given = link("L", "H")
    look(given, "L", 0, priority="high")
    assert kinds(look(given, "H", 1, priority=shown)) == expected
    assert (value(given, "priority"), is_level(given, "H", "priority")) == (state, is_in_step)


@pytest.mark.parametrize(("shown", "expected"), [("low", ["observed"]), (None, [])])
def test_first_contact_without_a_state(shown, expected):
    given = link("L")
    assert kinds(look(given, "L", 0, priority=shown)) == expected
    assert (value(given, "priority"), is_level(given, "L", "priority")) == (shown, True)


def test_first_contact_that_is_left_to_a_human():
    given = link("L", "P")
    look(given, "L", 0, under=rules("manual"), status="new")
    assert kinds(look(given, "P", 1, under=rules("manual"), status="open")) == ["conflict"]
    assert given.state["status"].candidates == {"L": "new", "P": "open"}


@pytest.mark.parametrize(("setter", "state"), [("H", "low"), ("L", "urgent")])
def test_first_contact_by_another_mapping(setter, state):
    """Only the side that had set the state lets it follow the new reading of the same value."""
    given = level("L", "H", priority="low")
    look(given, setter, 1, priority="urgent")
    if setter == "L":
        given.sides["H"].fields["priority"].level = given.state["priority"].rev
        given.sides["H"].fields["priority"].shadow = "urgent"
    reread = field("priority", table={"urgent": "low"}, revision="2")
    under = rules(maps={**MAPS, "H": EntityMap("ticket", {**MAPS["H"].fields, "priority": reread})})
    notes = look(given, "H", 2, under=under, priority="urgent")
    assert value(given, "priority") == state
    if setter == "H":
        assert (kinds(notes), given.state["priority"].set_by) == (["remapped"], "mapping")


# --- scalars: our own writes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("pending", "written"), ("new", "not taken"), ("open", "normalised")],
)
def test_the_answer_to_our_own_write(answer, expected):
    given = level("L", "P", status="new")
    look(given, "P", 1, status="pending")
    attempt(given, "L", at_seconds=2, status="pending")
    assert kinds(look(given, "L", 3, own=True, status=answer)) == [expected]
    assert is_level(given, "L", "status")


@pytest.mark.parametrize(
    ("shown", "version", "expected"),
    [
        ("pending", "2", ["landed"]),
        ("new", "1", ["did not land"]),
        ("new", "2", ["re-sent"]),
        ("closed", "2", ["uncertain", "changed"]),
    ],
)
def test_a_later_read_after_a_write_of_unknown_outcome(shown, version, expected):
    given = level("L", "P", status="new")
    look(given, "P", 1, status="pending")
    attempt(given, "L", at_seconds=2, version="1", status="pending")
    assert kinds(look(given, "L", 9, version=version, status=shown)) == expected
    assert is_level(given, "L", "status") is (shown in ("pending", "closed"))


# --- sets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meanwhile", "shown", "expected", "state"),
    [
        (["a", "b"], ["a", "b", "c"], ["changed"], ("a", "b", "c")),  # added
        (["a"], ["a", "b", "c"], ["changed"], ("a", "c")),  # removed there, kept here unchanged
        (["a", "b"], ["a"], ["changed"], ("a",)),  # removed
        (["a"], ["a"], [], ("a",)),  # removed on both sides
        (["a", "b", "c"], ["a", "b"], [], ("a", "b", "c")),  # nothing has changed here
    ],
)
def test_a_change_of_a_set(meanwhile, shown, expected, state):
    given = level("L", "P", tags=["a", "b"])
    look(given, "P", 10, tags=meanwhile)
    assert kinds(look(given, "L", 20, tags=shown)) == expected
    assert value(given, "tags") == state


def test_a_removal_that_had_not_seen_an_addition():
    """The other way round: `test_f14_an_addition_wins_over_a_removal_that_it_had_not_seen_…`."""
    given = level("L", "P", tags=["a"])
    look(given, "P", 10, tags=["a", "b"])
    look(given, "L", 11, tags=["a", "b"])  # L adds it too, after P has: that renews it
    assert kinds(look(given, "P", 12, tags=["a"])) == ["conflict"]
    assert (value(given, "tags"), is_level(given, "P", "tags")) == (("a", "b"), False)


def test_a_removal_that_is_not_to_be_believed():
    given = level("L", "Z", tags=["a", "b"])
    assert kinds(look(given, "Z", 1, tags=["a"])) == ["ambiguous removal"]
    assert (value(given, "tags"), is_level(given, "Z", "tags")) == (("a", "b"), False)


@pytest.mark.parametrize(
    ("shown", "expected", "state", "is_in_step"),
    [
        (["a"], [], ("a",), True),
        (["a", "b"], ["first contact", "observed"], ("a", "b"), True),
        (["b"], ["first contact", "observed"], ("a", "b"), False),
        ([], ["first contact"], ("a",), False),
    ],
)
def test_first_contact_of_a_set(shown, expected, state, is_in_step):
    given = link("L", "H")
    look(given, "L", 0, tags=["a"])
    assert kinds(look(given, "H", 1, tags=shown)) == expected
    assert (value(given, "tags"), is_level(given, "H", "tags")) == (state, is_in_step)


@pytest.mark.parametrize(
    ("answer", "expected", "state"),
    [
        (["a", "billing"], ["written"], ("a", "billing")),
        (["a", "bil"], ["written"], ("a", "billing")),  # an alias
        (["a"], ["not carried", "written"], ("a", "billing")),
        (["a", "billing", "x"], ["written", "changed"], ("a", "billing", "x")),
    ],
)
def test_the_answer_to_our_own_write_of_a_set(answer, expected, state):
    given = level("L", "H", tags=["a"])
    look(given, "L", 1, tags=["a", "billing"])
    attempt(given, "H", at_seconds=2, tags=["a", "billing"])
    assert kinds(look(given, "H", 3, own=True, tags=answer)) == expected
    assert value(given, "tags") == state
    assert is_level(given, "H", "tags")


def test_a_tag_that_is_not_given_up():
    given = level("L", "H", tags=["a", "b"])
    look(given, "L", 1, tags=["a"])
    attempt(given, "H", at_seconds=2, tags=["a"])
    assert kinds(look(given, "H", 3, own=True, tags=["a", "b"])) == ["not given up", "written"]
    assert (value(given, "tags"), is_level(given, "H", "tags")) == (("a",), True)


@pytest.mark.parametrize(
    ("version", "shown", "expected", "state"),
    [
        ("1", ["a"], ["did not land"], ("a", "b")),
        ("2", ["a"], ["re-sent"], ("a", "b")),
        ("2", ["a", "x"], ["re-sent", "changed"], ("a", "b", "x")),
    ],
)
def test_a_write_of_a_set_that_did_nothing(version, shown, expected, state):
    given = level("L", "H", tags=["a"])
    look(given, "L", 1, tags=["a", "b"])
    attempt(given, "H", at_seconds=2, version="1", tags=["a", "b"])
    assert kinds(look(given, "H", 9, version=version, tags=shown)) == expected
    assert value(given, "tags") == state
    assert not is_level(given, "H", "tags")
