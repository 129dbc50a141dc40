"""What an admin does to tickets by hand, and that it stays so."""

from datetime import timedelta

import pytest

from bridge.core.model.syncs import FieldPolicy
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import audit, conflict_log, links, timeline
from bridge.operations import conflicts
from bridge.operations import link as operations
from tests.flow.world import World, born


class TestDetach:
    def test_nothing_passes_any_more_and_it_is_not_matched_again(self, world, desk):
        ids = born(world)
        operations.detach(desk, f"H:{ids['H']}")
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

    def test_relinked_it_is_level_again(self, world, desk):
        ids = born(world)
        operations.detach(desk, f"H:{ids['H']}")
        world.clock.advance(60)
        world.systems["L"].edit(ids["L"], subject="It prints now")
        world.hint("L", ids["L"])
        world.settle()
        operations.relink(desk, f"H:{ids['H']}")
        world.settle()
        assert world.systems["H"].peek(ids["H"])["subject"] == "It prints now"
        assert world.unsettled() == []

    def test_twice_is_refused(self, world, desk):
        ids = born(world)
        operations.detach(desk, f"H:{ids['H']}")
        with pytest.raises(NotPossible, match="to detach"):
            operations.detach(desk, f"H:{ids['H']}")

    def test_the_record_must_be_named_whole(self, world, desk):
        born(world)
        (link,) = world.links()
        with pytest.raises(UnknownName, match="name the record as connection:remote-id"):
            operations.detach(desk, link.id)


class TestPause:
    def test_a_paused_ticket_waits_and_catches_up(self, world, desk):
        ids = born(world)
        (link,) = world.links()
        writes = world.bridge_writes()
        operations.pause(desk, link.id)
        world.systems["L"].edit(ids["L"], status="closed")
        world.hint("L", ids["L"])
        world.settle()
        assert world.bridge_writes() == writes
        preview = operations.preview_resume(desk, link.id)
        assert preview.paused
        assert preview.consequences == [
            "its records are read again",
            f"write status of H:{ids['H']}",
        ]
        operations.resume(desk, link.id)
        world.settle()
        assert world.bridge_writes() == writes + 1
        assert world.unsettled() == []

    def test_each_act_stands_in_the_audit_and_in_the_timeline(self, world, desk):
        born(world)
        (link,) = world.links()
        operations.pause(desk, link.id)
        operations.resume(desk, link.id)
        with pytest.raises(NotPossible, match="not paused; nothing was changed"):
            operations.resume(desk, link.id)
        with world.ledger.read() as tx:
            entries = [(entry["action"], entry["actor"]) for entry in audit.recent(tx)]
            kinds = [line.kind for line in timeline.timeline(tx, link.id)]
        assert entries == [("link resume", "local:me"), ("link pause", "local:me")]
        assert kinds[-2:] == ["paused", "resumed"]


def test_a_preview_changes_nothing(world, desk):
    ids = born(world)
    (before,) = world.links()
    preview = operations.preview_detach(desk, f"H:{ids['H']}")
    assert (preview.link_id, preview.sync, preview.paused) == (before.id, "tickets", False)
    assert sorted(map(str, preview.records)) == sorted(f"{name}:{ids[name]}" for name in "LH")
    operations.preview_pause(desk, before.id)
    assert world.links() == [before]


@pytest.mark.parametrize("act", ["detach", "relink", "pause", "resume"])
def test_a_ref_that_names_no_ticket_is_an_error_before_anything_is_changed(world, desk, act):
    born(world)
    for name in (act, f"preview_{act}"):
        with pytest.raises(UnknownName, match="no ticket is called H:none"):
            getattr(operations, name)(desk, "H:none")
    with world.ledger.read() as tx:
        assert audit.recent(tx) == []


def test_a_ticket_that_a_worker_has_for_a_moment_is_waited_for(world, desk):
    born(world)
    (link,) = world.links()
    with desk.ledger.transaction() as tx:
        links.lease(tx, link.id, "worker", desk.now(), desk.now() + timedelta(seconds=2))
    operations.pause(desk, link.id)
    assert [each.paused for each in world.links()] == [True]


def test_a_record_moves_to_another_ticket(world, desk):
    first = born(world)
    other = world.systems["L"].add(subject="Another", status="open", priority="high", tags=[])
    world.hint("L", other)
    world.settle()
    links = {link.sides["L"].remote_id: link for link in world.links()}
    target, source = links[other], links[first["L"]]
    ref = f"H:{source.sides['H'].remote_id}"
    with pytest.raises(NotPossible, match="already"):
        operations.relink(desk, ref, target.id)
    operations.detach(desk, f"H:{target.sides['H'].remote_id}")
    operations.detach(desk, ref)
    links = {link.sides["L"].remote_id: link for link in world.links()}
    assert links[first["L"]].sides["H"].detached


def test_a_record_takes_the_place_of_one_that_was_deleted(world, desk):
    first = born(world)
    other = world.systems["L"].add(subject="Another", status="open", priority="high", tags=[])
    world.hint("L", other)
    world.settle()
    (target,) = (link for link in world.links() if link.sides["L"].remote_id == other)
    gone = target.sides["H"].remote_id
    world.systems["H"].delete(gone)
    world.hint("H", gone)
    world.settle()
    with pytest.raises(NotPossible, match=f"H:{gone} was deleted there already.*relink"):
        operations.detach(desk, f"H:{gone}")
    operations.relink(desk, f"H:{first['H']}", f"L:{other}")
    world.settle()
    links = {link.sides["L"].remote_id: link for link in world.links()}
    assert links[other].live()["H"].remote_id == first["H"]
    assert world.unsettled() == []
    assert world.systems["L"].peek(other)["status"] == "open"
    with pytest.raises(UnknownName, match=f"no ticket is called H:{gone}"):
        operations.preview_detach(desk, f"H:{gone}")


class TestInConflict:
    @pytest.fixture
    def world(self):
        """Three systems with one ticket each, whose status is left to a human."""
        return World(names="LHP", status=FieldPolicy("manual"))

    def test_detached_it_has_no_say_and_the_others_go_on(self, world, desk):
        ids = in_conflict(world)
        operations.detach(desk, f"H:{ids['H']}")
        world.settle()
        assert conflicts.list_open(desk) == []
        assert statuses(world, ids) == {"L": "closed", "H": "pending", "P": "resolved"}
        with world.ledger.read() as tx:
            row = list(conflict_log.export(tx))[-1]
        assert row["kind"] == conflict_log.OPEN
        assert row["resolution"] == "the record on H is detached, and the others agree"

    def test_put_back_it_is_in_conflict_again(self, world, desk):
        ids = in_conflict(world)
        operations.detach(desk, f"H:{ids['H']}")
        world.settle()
        operations.relink(desk, f"H:{ids['H']}")
        world.settle()
        (conflict,) = conflicts.list_open(desk)
        assert conflict.candidates == {"L": "closed", "H": "pending"}
        assert statuses(world, ids)["H"] == "pending"

    def test_moved_it_leaves_its_conflict_behind(self, world, desk):
        ids = in_conflict(world)
        other = world.systems["L"].add(subject="Another", status="open", priority="high", tags=[])
        world.hint("L", other)
        world.settle()
        (target,) = (link for link in world.links() if link.sides["L"].remote_id == other)
        world.systems["H"].delete(target.sides["H"].remote_id)
        world.hint("H", target.sides["H"].remote_id)
        world.settle()
        operations.relink(desk, f"H:{ids['H']}", f"L:{other}")
        world.settle()
        (conflict,) = conflicts.list_open(desk)
        assert (conflict.link, conflict.candidates) == (target.id, {"L": "open", "H": "pending"})
        assert statuses(world, ids) == {"L": "closed", "H": "pending", "P": "resolved"}


def in_conflict(world):
    """A ticket that is pending on H and closed on L; return its records' ids."""
    ids = born(world)
    for name, status in (("H", "pending"), ("L", "closed")):
        world.systems[name].edit(ids[name], status=status)
    for name in "HL":
        world.hint(name, ids[name])
    world.settle()
    return ids


def statuses(world, ids):
    return {name: world.systems[name].peek(ids[name])["status"] for name in "LHP"}


@pytest.mark.parametrize("act", ["preview_relink", "relink"])
def test_what_cannot_be_relinked_is_refused_before_anybody_is_asked(world, desk, act):
    target = f"H:{born(world)['H']}"
    relink = getattr(operations, act)
    for ref in ("bogus:1", "", "bogus"):
        with pytest.raises(UnknownName, match="no connection"):
            relink(desk, ref, target)
    with pytest.raises(NotPossible, match="H:none is in no ticket, and was not set aside"):
        relink(desk, "H:none", target)
    with pytest.raises(NotPossible, match="is not detached"):
        relink(desk, target)
