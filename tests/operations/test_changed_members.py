"""Members that leave, come back and join, and syncs that are gone: said with what follows."""

from dataclasses import replace

import pytest

from bridge.core.model.capabilities import Support
from bridge.runs import adoption
from tests.flow.taken_away import SYNC, LivingWorld
from tests.operations.test_changed_files import said, with_files


@pytest.fixture
def world():
    made = LivingWorld()
    made.everything = replace(made.everything, revision="first")
    made.start()
    return made.mirror(3)


def test_members_that_leave_come_back_and_join_are_said_with_what_follows(world):
    sync = world.everything.syncs[SYNC]
    fewer = {name: each for name, each in sync.members.items() if name != "P"}
    without = with_files(world, syncs={SYNC: replace(sync, members=fewer)})
    assert said(world, without) == [(False, "`P` leaves tickets: 3 sides retire")]
    adoption.adopt(world.ledger, without, "start")
    back = with_files(world, revision="third")
    assert said(world, back) == [(False, "`P` is back in tickets: 3 sides go on")]


@pytest.mark.parametrize(
    ("create", "follows"),
    [(Support.YES, "up to 3 records are made there"), (Support.NO, "nothing is made there")],
)
def test_a_member_that_joins_is_said_with_what_is_made_there(create, follows):
    world = LivingWorld()
    everything = replace(world.everything, revision="first")
    sync = everything.syncs[SYNC]
    members = {name: each for name, each in sync.members.items() if name != "P"}
    world.everything = replace(everything, syncs={SYNC: replace(sync, members=members)})
    world.start()
    world.mirror(3)
    joined = {**members, "P": replace(sync.members["P"], create=create)}
    context = with_files(world, syncs={SYNC: replace(sync, members=joined)})
    assert said(world, context) == [(False, f"`P` joins tickets: {follows}")]


def test_a_sync_that_is_gone_is_said_with_its_tickets(world):
    assert said(world, with_files(world, syncs={})) == [
        (False, "`tickets` is gone: its 3 tickets rest")
    ]
