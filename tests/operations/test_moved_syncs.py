"""A sync's name that is given to another one: asked about before tickets go to strangers."""

import re
from dataclasses import replace

import pytest

from bridge.errors import NotAccepted
from bridge.operations import renames
from bridge.runs import adoption
from bridge.runs.configuration_changes import KnownRecords, changes
from tests.flow.taken_away import LivingWorld
from tests.flow.world import tickets
from tests.operations.desks import desk_of

RENAME = re.compile(r"`bridge sync rename (\S+) (\S+)`")
THREE = {"pair0": "ab", "pair1": "cd", "pair2": "ns"}


def described(syncs, entity="ticket"):
    """What is noted of files with these syncs, each by the letters of its members."""
    return {
        "connections": {
            name: {"system": "memory", "place": name, "key": name, "fields": {}}
            for name in "abcdnsxy"
        },
        "syncs": {
            name: {"entity": entity, "members": dict.fromkeys(members, "yes"), "rules": {}}
            for name, members in syncs.items()
        },
    }


def known_of(syncs, count=15):
    return KnownRecords(
        {(sync, member): count for sync, members in syncs.items() for member in members},
        dict.fromkeys(syncs, count),
        dict.fromkeys(syncs, "ticket"),
    )


def doubts(now, were=THREE, known=None, entity="ticket"):
    found = changes(described(were), described(now, entity), known or known_of(were))
    return [change.text for change in found if change.doubtful]


def carried_out(steps, syncs):
    """Whose tickets each name has after the renames; none goes to a name with tickets."""
    left = dict(syncs)
    for old, new in steps:
        assert new not in left
        left[new] = left.pop(old)
    return left


MOVED = {
    "two exchange their names": {"pair0": "ab", "pair1": "ns", "pair2": "cd"},
    "three go round": {"pair0": "ns", "pair1": "ab", "pair2": "cd"},
    "the name of a renamed one is used again": {"pair1": "ab", "emea": "cd", "pair2": "ns"},
    "a name is used again and a member joins": {"pair1": "abx", "emea": "cd", "pair2": "ns"},
    "one is renamed": {"pair0": "ab", "emea": "cd", "pair2": "ns"},
    "the old name goes to a new sync": {"pair0": "ab", "pair1": "xy", "emea": "cd", "pair2": "ns"},
}


@pytest.mark.parametrize("case", MOVED)
def test_names_that_moved_are_asked_about_with_the_renames_that_keep_the_tickets(case):
    now = MOVED[case]
    (text,) = doubts(now)
    after = carried_out(RENAME.findall(text), THREE)
    assert {name: set(members) for name, members in after.items()}.items() <= {
        name: set(members) - {"x"} for name, members in now.items()
    }.items()
    # Renamed so, nothing is asked any more.
    assert doubts(now, after, known_of(after)) == []


def test_a_name_whose_tickets_no_sync_has_a_use_for_is_freed_first():
    now = {"pair1": "ab", "pair2": "ns"}
    (text,) = doubts(now)
    after = carried_out(RENAME.findall(text), THREE)
    assert (after["pair1"], after["pair2"], len(after)) == ("ab", "ns", 3)
    assert doubts(now, after, known_of(after)) == []


NO_RENAME = {
    "a member changes the sync": ({**THREE, "pair1": "dx", "pair2": "nsc"}, "go `c`"),
    "two are made one": ({"pair1": "abcd", "pair2": "ns"}, "from pair0 to pair1 go `a`, `b`"),
    "all members are others": ({**THREE, "pair1": "xy"}, "`pair1` has other members"),
}


@pytest.mark.parametrize("case", NO_RENAME)
def test_what_no_rename_mends_is_asked_about(case):
    now, words = NO_RENAME[case]
    (text,) = doubts(now)
    assert words in text
    assert not RENAME.search(text)


def test_a_name_that_comes_back_with_strangers_is_asked_about():
    were = {"pair0": "ab", "pair2": "ns"}
    (text,) = doubts({**were, "pair1": "xy"}, were, known_of(THREE))
    assert "`pair1` has other members than its 15 tickets" in text


def test_a_sync_of_another_entity_is_asked_about():
    (text,) = doubts({"pair0": "ab"}, {"pair0": "ab"}, entity="message")
    assert "`pair0` has other members" in text


USUAL = {
    "a member joins": {**THREE, "pair0": "abx"},
    "a member leaves": {**THREE, "pair0": "a"},
    "one member is replaced": {**THREE, "pair0": "ax"},
    "a new sync": {**THREE, "pair3": "xy"},
    "a sync is gone": {"pair0": "ab", "pair2": "ns"},
    "a sync is gone and another one new": {"pair0": "ab", "pair2": "ns", "pair3": "xy"},
}


@pytest.mark.parametrize("case", USUAL)
def test_what_admins_usually_do_is_no_alarm(case):
    assert doubts(USUAL[case]) == []


def test_what_was_accepted_is_not_asked_about_again():
    exchanged = MOVED["two exchange their names"]
    assert doubts({**exchanged, "pair3": "xy"}, exchanged, known_of(THREE)) == []


def test_a_sync_that_was_gone_is_back_as_it_was():
    were = {"pair0": "ab", "pair2": "ns"}
    assert doubts(THREE, were, known_of(THREE)) == []


# --- in the ledger --------------------------------------------------------------------------------


def in_pairs(world, **pairs):
    syncs = {name: replace(tickets(members), name=name) for name, members in pairs.items()}
    return replace(world.everything, taken_in={}, _rules={}, syncs=syncs, revision=repr(pairs))


def test_an_exchange_of_names_is_refused_and_made_by_renames_in_steps():
    world = LivingWorld(names="LHPZ")
    world.everything = in_pairs(world, first="LH", second="PZ")
    world.start()
    world.mirror(3)
    for number in range(2):
        world.hint("P", world.systems["P"].add(subject=f"Other {number}", status="new"))
    world.settle()
    before = {name: set(system.ids) for name, system in world.systems.items()}
    assert {name: len(ids) for name, ids in before.items()} == {"L": 3, "H": 3, "P": 2, "Z": 2}
    exchanged = in_pairs(world, first="PZ", second="LH")
    with pytest.raises(NotAccepted) as refused:
        adoption.adopt(world.ledger, exchanged, "start")
    steps = RENAME.findall(refused.value.problems[0])
    assert len(steps) == 3
    for old, new in steps:
        renames.rename_sync(desk_of(world), old, new)
    world.everything = exchanged
    adoption.adopt(world.ledger, exchanged, "start")
    world.start()
    world.reconcile()
    of_l = next(each for each in world.links() if "L" in each.sides)
    world.edit("L", "priority", "low", link=of_l)
    world.settle()
    assert world.reads("H", "priority", of_l) == "low"
    assert {name: set(system.ids) for name, system in world.systems.items()} == before
    assert {each.sync: set(each.sides) for each in world.links()} == {
        "first": set("PZ"),
        "second": set("LH"),
    }
