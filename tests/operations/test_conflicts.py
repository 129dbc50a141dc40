"""Open conflicts as values, and their decision."""

from dataclasses import asdict
from datetime import timedelta

import pytest

from bridge.core.model.entities import BUILT_IN
from bridge.core.model.outcome_codes import Code
from bridge.core.model.syncs import FieldPolicy
from bridge.errors import Busy, NotPossible, UnknownName
from bridge.ledger import audit, links
from bridge.operations import conflicts, doctor, status
from bridge.web.health import trouble_metrics
from tests.flow.world import World, born
from tests.operations.desks import desk_of


@pytest.fixture
def world():
    """Two systems that show different subjects, with nobody but a human to decide."""
    made = World(names="LH", subject=FieldPolicy(policy="manual"))
    ids = born(made)
    made.clock.advance(60)
    for name, subject in (("L", "Left"), ("H", "Right")):
        made.systems[name].edit(ids[name], subject=subject)
    for name in "LH":
        made.hint(name, ids[name])
    made.settle()
    made.ids_by_name = ids
    return made


@pytest.fixture
def desk(world):
    return desk_of(world)


def subjects(world):
    return {name: world.systems[name].peek(world.ids_by_name[name])["subject"] for name in "LH"}


def test_a_conflict_is_a_value_with_what_each_side_says(world, desk):
    (conflict,) = conflicts.list_open(desk)
    assert list(asdict(conflict)) == [
        "id", "ref", "link", "field", "opened_at", "why", "candidates", "subject", "gone",
    ]  # fmt: skip
    assert (conflict.field, conflict.ref) == ("subject", f"L:{world.ids_by_name['L']}")
    assert set(conflict.candidates.values()) == {"Left", "Right"}


def test_open_conflicts_are_in_the_status_the_doctor_and_the_metrics_until_they_are_decided(
    world, desk
):
    def seen():
        shown = status.overview(desk)
        told = [
            each.what for each in shown.troubles if each.code is Code.CONFLICT and not each.note
        ]
        assert told == [each.what for each in doctor.examine(desk) if each.code is Code.CONFLICT]
        metrics = trouble_metrics(shown.troubles)
        counted = sum('code="BRG-CONFLICT"' in line for line in metrics)
        return shown.summary.conflicts_open, told, counted

    assert seen() == (1, ["1 field is in conflict and waits for a human"], 1)
    (conflict,) = conflicts.list_open(desk)
    conflicts.resolve(desk, conflict.ref, "subject", take="H")
    world.settle()
    assert seen() == (0, [], 0)


@pytest.mark.parametrize(
    ("decision", "subject"), [({"take": "H"}, "Right"), ({"value": "Both"}, "Both")]
)
def test_a_decision_is_written_wherever_something_else_is_shown(world, desk, decision, subject):
    (conflict,) = conflicts.list_open(desk)
    decided = conflicts.resolve(desk, conflict.ref, "subject", **decision)
    assert decided == conflicts.Decision(conflict.link, "subject", subject)
    world.settle()
    assert set(subjects(world).values()) == {subject}
    assert conflicts.list_open(desk) == []
    with desk.ledger.read() as tx:
        (entry,) = audit.recent(tx)
    assert (entry["actor"], entry["action"]) == ("local:me", "conflict resolved")


@pytest.mark.parametrize(
    ("ref", "field", "decision", "error", "words"),
    [
        ("nobody", "subject", {"value": "x"}, UnknownName, "no ticket is called nobody"),
        ("", "priority", {"value": "low"}, NotPossible, "not in conflict; allowed: subject"),
        ("", "subject", {"take": "P"}, NotPossible, "P has no say in this conflict; allowed: H, L"),
        ("", "subject", {"take": ""}, NotPossible, "'' has no say in this conflict; allowed: H, L"),
    ],
)
def test_a_decision_that_does_not_fit_changes_nothing(desk, ref, field, decision, error, words):
    (conflict,) = conflicts.list_open(desk)
    with pytest.raises(error, match=words):
        conflicts.resolve(desk, ref or conflict.ref, field, **decision)
    assert conflicts.list_open(desk) == [conflict]


def test_a_ticket_that_a_worker_has_is_busy(desk):
    (conflict,) = conflicts.list_open(desk)
    with desk.ledger.transaction() as tx:
        links.lease(tx, conflict.link, "worker", desk.now(), desk.now().replace(year=2030))
    with pytest.raises(Busy, match="ask again in a moment"):
        conflicts.resolve(desk, conflict.ref, "subject", value="x")


def test_a_ticket_that_a_worker_has_for_a_moment_is_waited_for(desk):
    (conflict,) = conflicts.list_open(desk)
    with desk.ledger.transaction() as tx:
        links.lease(tx, conflict.link, "worker", desk.now(), desk.now() + timedelta(seconds=2))
    conflicts.resolve(desk, conflict.ref, "subject", value="x")
    assert conflicts.list_open(desk) == []


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("subject", "null", None),
        ("status", "pending", "pending"),
        ("tags", " Late, #vip ,late", ("late", "vip")),
        ("tags", "", ()),
    ],
)
def test_a_value_is_read_as_it_is_written(field, text, value):
    assert conflicts.parse_value("ticket", BUILT_IN["ticket"], field, text) == value


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("status", "on fire", "status cannot be 'on fire'; allowed: new, open"),
        ("colour", "red", "a ticket has no colour; allowed: "),
    ],
)
def test_a_value_that_no_field_can_have_is_refused(field, text, words):
    with pytest.raises(NotPossible, match=words):
        conflicts.parse_value("ticket", BUILT_IN["ticket"], field, text)
