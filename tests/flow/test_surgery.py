"""What an admin does to links by hand, and that it stays so."""

import pytest

from bridge.errors import NotPossible
from bridge.operations import link as surgery
from tests.flow.world import World, born


def act(world, what, *arguments, **named):
    with world.ledger.transaction() as tx:
        return what(tx, world.context, *arguments, **named)


@pytest.fixture
def world():
    return World(names="LH")


class TestDetach:
    def test_nothing_passes_any_more_and_it_is_not_matched_again(self, world):
        ids = born(world)
        (link,) = world.links()
        act(world, surgery.detach, link.id, "H", "local:me")
        writes = world.bridge_writes()
        world.systems["L"].edit(ids["L"], status="closed")
        world.hint("L", ids["L"])
        world.systems["H"].edit(ids["H"], subject="Something else")
        world.hint("H", ids["H"])
        world.settle()
        world.reconcile()
        assert len(world.links()) == 1
        assert len(world.systems["H"].ids) == 1
        assert world.systems["L"].peek(ids["L"])["subject"] == "It does not print"
        assert world.bridge_writes() == writes

    def test_relinked_it_is_level_again(self, world):
        ids = born(world)
        (link,) = world.links()
        act(world, surgery.detach, link.id, "H", "local:me")
        world.clock.advance(60)
        world.systems["L"].edit(ids["L"], subject="It prints now")
        world.hint("L", ids["L"])
        world.settle()
        act(world, surgery.relink, link.id, "H", "local:me")
        world.settle()
        assert world.systems["H"].peek(ids["H"])["subject"] == "It prints now"
        assert world.unsettled() == []

    def test_twice_is_refused(self, world):
        born(world)
        (link,) = world.links()
        act(world, surgery.detach, link.id, "H", "local:me")
        with pytest.raises(NotPossible, match="to detach"):
            act(world, surgery.detach, link.id, "H", "local:me")


class TestPause:
    def test_a_paused_ticket_waits_and_catches_up(self, world):
        ids = born(world)
        (link,) = world.links()
        writes = world.bridge_writes()
        act(world, surgery.pause, link.id, "local:me")
        world.systems["L"].edit(ids["L"], status="closed")
        world.hint("L", ids["L"])
        world.settle()
        assert world.bridge_writes() == writes
        act(world, surgery.resume, link.id, "local:me")
        world.settle()
        assert world.bridge_writes() == writes + 1
        assert world.unsettled() == []


def test_a_record_moves_to_another_ticket(world):
    first = born(world)
    other = world.systems["L"].add(subject="Another", status="open", priority="high", tags=[])
    world.hint("L", other)
    world.settle()
    links = {link.sides["L"].remote_id: link for link in world.links()}
    target, source = links[other], links[first["L"]]
    with pytest.raises(NotPossible, match="already"):
        act(world, surgery.relink, source.id, "H", "local:me", to=target.id)
    lone = world.systems["L"].add(subject="Lone", status="open", priority="low", tags=[])
    assert lone
    act(world, surgery.detach, source.id, "H", "local:me")
    links = {link.sides["L"].remote_id: link for link in world.links()}
    assert links[first["L"]].sides["H"].detached
