"""A plan from the ledger alone shows what a changed mapping does, and that then comes true."""

from dataclasses import replace

import pytest

from bridge.core.model.values import Unreadable
from bridge.preview.dry_run import preview
from bridge.preview.rehearsal_connector import REHEARSED, RehearsalConnector
from tests.flow.taken_away import SYNC, LivingWorld

READ = {"open": "pending", "pending": "open"}
"""Two words of L's, the other way round."""


def with_mapping(world, **changed):
    """Start with another mapping of L's status."""
    entity_map = world.everything.maps["L"]["ticket"]
    status = replace(entity_map.fields["status"], **changed)
    fields = {**entity_map.fields, "status": status}
    maps = {**world.everything.maps, "L": {"ticket": replace(entity_map, fields=fields)}}
    world.start(maps=maps)


def otherwise(world):
    """L's `open` means pending from now on, and `pending` open."""
    status = world.everything.maps["L"]["ticket"].fields["status"]
    with_mapping(
        world,
        revision="another",
        read=lambda raw: READ.get(raw, status.read(raw)),
        write=lambda value: READ.get(value, status.write(value)),
    )


def plan(world, *, live=False):
    return preview(world.context, world.ledger, world.connectors, [SYNC], live=live)


@pytest.fixture
def world():
    return LivingWorld().mirror(3)


def test_without_a_change_nothing_is_planned(world):
    assert plan(world).writes == []


def test_the_effect_is_shown_from_what_the_sides_showed_last(world):
    otherwise(world)
    before = {name: len(system.journal) for name, system in world.systems.items()}
    found = plan(world)
    assert {(write.connection, write.op) for write in found.writes} == {
        ("H", "update"),
        ("P", "update"),
    }
    assert len(found.writes) == 6
    for write in found.writes:
        read = world.everything.maps[write.connection]["ticket"].fields["status"].read
        assert (read(write.before["status"]), read(write.sent["status"])) == ("open", "pending")
        assert write.subject.startswith("Number ")
    assert {name: len(system.journal) for name, system in world.systems.items()} == before


def test_it_is_what_then_happens(world):
    otherwise(world)
    planned = [(write.connection, write.id, dict(write.values)) for write in plan(world).writes]
    before = {name: len(system.journal) for name, system in world.systems.items()}
    world.reconcile()
    assert sorted(planned, key=str) == sorted(
        (
            (name, event.id, dict(event.sent))
            for name, system in world.systems.items()
            for event in system.journal[before[name] :]
        ),
        key=str,
    )
    for each in world.links():
        assert each.state["status"].value == "pending"


def test_what_could_not_be_read_then_is_read_from_what_was_shown(world):
    status = world.everything.maps["L"]["ticket"].fields["status"]
    read = {"brand new": Unreadable("nobody knows it")}
    with_mapping(world, revision="one", read=lambda raw: read.get(raw, status.read(raw)))
    link = world.links()[0]
    world.systems["L"].edit(link.sides["L"].remote_id, status="brand new")
    world.hint("L", link.sides["L"].remote_id)
    world.settle()
    seen = world.links()[0].sides["L"].fields["status"]
    assert (seen.unreadable, seen.shown) == ("nobody knows it", "brand new")
    connector = RehearsalConnector(
        world.connectors["L"], world.ledger, world.context, [], live=False
    )
    (record,) = connector.read("ticket", [link.sides["L"].remote_id]).values()
    assert record.data[REHEARSED]["status"] == "brand new"


def test_a_ledger_without_tickets_says_so():
    world = LivingWorld()
    assert (plan(world).known, plan(world).writes) == (0, [])


def test_systems_that_do_not_answer_are_named_once(world):
    for system in world.systems.values():
        system.fail("before", on="list", times=500)
    found = plan(world, live=True)
    assert not found.answered
    assert found.silent == ["H", "L", "P"]
    assert len(found.stopped) == len(set(found.stopped)) == 3
    for system in world.systems.values():
        system._faults.clear()
    world.systems["H"].fail("before", on="list", times=500)
    found = plan(world, live=True)
    assert (found.answered, found.silent) == (True, ["H"])
