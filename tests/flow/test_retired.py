"""A connection that is not in the files any more: its sides are retired, and stop nobody else."""

from dataclasses import replace
from pathlib import Path

import pytest

import bridge
from bridge.core.model.syncs import FieldPolicy
from bridge.engine.outcomes import DEFECT, RETIRED
from bridge.errors import NotPossible
from bridge.ledger import attempts, conflict_log, intents, run_records, tables, timeline
from bridge.operations import conflicts, evidence, link, ticket, undos, why
from bridge.preview.dry_run import preview
from bridge.runs import backfill, reconcile, undo
from tests.flow.taken_away import SYNC, LivingWorld
from tests.operations.desks import desk_of

either = pytest.mark.parametrize("known", [False, True], ids=["gone", "out of the sync"])


def lines(world):
    with world.ledger.read() as tx:
        return timeline.after(tx, 0, limit=1000)


def of_vendor(world, name):
    """How often the vendor was changed by the bridge."""
    return len(world.systems[name].writes("bridge"))


@either
def test_edits_go_on_between_the_others_and_the_retired_side_is_left_alone(known):
    world = LivingWorld().mirror(12)
    world.take_away("P", known=known)
    before = of_vendor(world, "P")
    for each in world.links():
        world.edit("P", "priority", "low", link=each, seen=known)
        world.edit("L", "status", "pending", link=each)
    world.settle()
    world.reconcile()
    for each in world.links():
        assert world.reads("H", "status", each) == "pending"
        assert world.reads("H", "priority", each) == "high"
    assert of_vendor(world, "P") == before
    assert world.parked() == []


@either
def test_new_tickets_are_mirrored_among_the_others(known):
    world = LivingWorld().mirror()
    world.take_away("P", known=known)
    world.mirror()
    assert len(world.systems["H"].ids) == 2
    assert len(world.systems["P"].ids) == 1


@either
def test_a_connection_that_comes_back_goes_on_where_it_stopped(known):
    world = LivingWorld().mirror()
    world.take_away("P", known=known)
    world.edit("L", "status", "pending")
    world.settle()
    world.edit("P", "priority", "low", seen=False)
    world.mirror()
    world.start()
    world.settle()
    assert [set(each.live()) for each in world.links()] == [{"L", "H", "P"}] * 2
    (old,) = (each for each in world.links() if each.state["status"].value == "pending")
    assert world.reads("P", "status", old) == "pending"
    assert world.reads("H", "priority", old) == "low"
    assert len(world.systems["P"].ids) == 2, "nothing is made a second time"
    assert world.parked() == []


def test_what_was_queued_for_the_connection_waits_and_goes_on():
    world = LivingWorld().mirror()
    world.edit("L", "status", "pending")
    owed = {"kind": "deliver", "key": "deliver:x:P", "connection": "P", "link_id": world.link.id}
    with world.ledger.transaction() as tx:  # as if the write had been planned just before
        tx.execute(tables.work.update().values(owed | {"remote_id": None}))
    world.take_away("P")
    world.settle()
    (row,) = world.parked()
    assert (row.cause, row.kind) == (RETIRED, "deliver")
    assert "no connection of config/bridge.yaml" in row.why
    world.start()
    world.settle()
    assert world.parked() == []


def test_a_run_under_way_ends_and_the_next_begins_when_the_connection_is_back():
    world = LivingWorld().mirror()
    with world.ledger.transaction() as tx:
        run_id = reconcile.start(tx, "P", "ticket", "full", world.clock.now())
    world.take_away("P")
    world.settle()
    assert world.parked() == []
    with world.ledger.read() as tx:
        ended = run_records.get(tx, run_id)
    assert ended.finished_at is not None
    assert "no connection of config/bridge.yaml" in ended.error
    world.edit("P", "priority", "low", seen=False)
    world.start()
    world.settle()
    assert world.reads("H", "priority") == "low"


def test_work_that_an_older_version_parked_as_an_error_goes_on():
    world = LivingWorld().mirror()
    world.edit("L", "status", "pending")
    parked = {"parked_at": world.clock.now(), "parked_why": "'P'", "parked_cause": "KeyError"}
    with world.ledger.transaction() as tx:
        tx.execute(tables.work.update().values(parked))
    world.take_away("P")
    world.settle()
    assert world.reads("H", "status") == "pending"
    assert world.parked() == []


def test_no_python_exception_is_a_cause_of_parked_work():
    world = LivingWorld().mirror()
    world.context = replace(world.context, maps={})
    world.edit("L", "status", "pending")
    world.settle()
    (row,) = world.parked()
    assert row.cause == DEFECT
    assert "KeyError" not in row.why


def test_whoever_acts_on_a_link_loads_it_as_the_files_see_it():
    """Only who tells or erases what is stored, whatever the files say, may load it raw."""
    raw = {
        "engine/context.py",
        "ledger/erasure.py",
        "simulate/second_requests.py",
        "supervisor/activity.py",
    }
    root = Path(bridge.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if "links.load(" in path.read_text()
    }
    assert found == raw


# --- what stands open with the connection in it ---------------------------------------------------


def test_a_conflict_with_the_vanished_connection_does_not_freeze_the_others():
    world = disputed("P")
    world.take_away("P")
    world.settle()
    assert world.state("status").candidates is None
    assert world.state("status").value == world.reads("L", "status") == world.reads("H", "status")
    assert conflicts.list_open(desk_of(world)) == []


def test_a_conflict_stays_open_among_those_that_are_left():
    world = LivingWorld(status=FieldPolicy("manual")).mirror()
    world.edit("P", "status", "pending", seen=False)
    world.edit("L", "status", "closed", seen=False)
    world.edit("H", "status", "resolved", seen=False)
    for name in "PLH":
        world.hint(name, world.link.sides[name].remote_id)
    world.settle()
    assert set(world.state("status").candidates) == {"L", "H", "P"}
    world.take_away("P")
    world.settle()
    assert set(world.state("status").candidates) == {"L", "H"}
    desk = desk_of(world)
    with pytest.raises(NotPossible, match="P has no say"):
        conflicts.resolve(desk, world.ref("L"), "status", take="P")
    conflicts.resolve(desk, world.ref("L"), "status", take="H")
    world.settle()
    assert world.reads("L", "status") == "resolved"


def test_the_record_of_a_conflict_says_that_the_connection_was_taken_out():
    world = disputed("H")
    world.take_away("H")
    world.settle()
    with world.ledger.read() as tx:
        row = list(conflict_log.export(tx))[-1]
    assert row["kind"] == conflict_log.OPEN
    assert row["resolution"] == "H is not mirrored any more, and the others agree"


@either
def test_an_edit_that_nobody_has_decided_about_is_in_conflict_again_when_it_is_back(known):
    world = disputed("H")
    world.take_away("H", known=known)
    world.settle()
    world.reconcile()
    world.start()
    world.settle()
    world.reconcile()
    assert world.state("status").candidates == {"H": "pending", "L": "closed"}
    assert (world.reads("H", "status"), world.reads("L", "status")) == ("pending", "closed")
    desk = desk_of(world)
    conflicts.resolve(desk, world.ref("L"), "status", take="H")
    world.settle()
    assert {world.reads(name, "status") for name in "LHP"} == {"pending"}


def test_it_joins_the_conflict_that_the_others_still_have():
    world = disputed("P")
    world.edit("H", "status", "resolved")
    world.settle()
    world.take_away("P")
    world.settle()
    world.start()
    world.settle()
    world.reconcile()
    assert set(world.state("status").candidates) == {"L", "H", "P"}


def test_what_shows_the_same_as_the_others_by_then_is_in_step():
    world = disputed("H")
    world.take_away("H")
    world.settle()
    world.edit("H", "status", "closed", seen=False)
    world.start()
    world.settle()
    world.reconcile()
    assert conflicts.list_open(desk_of(world)) == []
    assert world.unsettled() == []


def disputed(name):
    """Return a world in which a human has to decide between L's status and another's."""
    world = LivingWorld(status=FieldPolicy("manual")).mirror()
    world.edit(name, "status", "pending", seen=False)
    world.edit("L", "status", "closed", seen=False)
    for each in (name, "L"):
        world.hint(each, world.link.sides[each].remote_id)
    world.settle()
    assert set(world.state("status").candidates) == {"L", name}
    return world


def test_a_paused_ticket_can_be_resumed():
    world = LivingWorld().mirror()
    link.pause(desk_of(world), world.ref("L"))
    world.edit("L", "status", "pending")
    world.settle()
    world.take_away("P")
    shown = link.preview_resume(desk_of(world), world.ref("L"))
    assert f"{world.ref('P')} (retired)" in map(str, shown.records)
    assert not any(" P" in consequence for consequence in shown.consequences)
    link.resume(desk_of(world), world.ref("L"))
    world.settle()
    assert world.reads("H", "status") == "pending"
    assert world.reads("P", "status") == "open"


def test_a_write_under_way_is_settled_when_the_connection_is_back():
    world = LivingWorld().mirror()
    world.systems["P"].fail("after", on="update")
    world.edit("L", "status", "pending")
    world.drain().run(0.1)
    assert world.link.sides["P"].attempt is not None
    world.take_away("P")
    world.edit("L", "priority", "low")
    world.settle()
    assert world.reads("H", "priority") == "low"
    assert world.link.sides["P"].attempt is not None
    world.start()
    world.settle()
    assert world.link.sides["P"].attempt is None
    assert (world.reads("P", "status"), world.reads("P", "priority")) == ("pending", "low")
    link_id = world.link.id
    with world.ledger.read() as tx:
        outcomes = [row["outcome"] for row in attempts.history(tx, link_id)]
    assert None not in outcomes


def test_a_create_of_unknown_outcome_is_looked_up_when_the_connection_is_back():
    world = LivingWorld()
    world.systems["P"].fail("after", on="create")
    made = world.systems["L"].add(subject="One", status="open", priority="high", tags=[])
    world.hint("L", made)
    for _ in range(4):
        world.drain().run(0.1)
    assert "P" in world.link.intents
    world.take_away("P")
    world.settle()
    world.edit("L", "status", "pending")
    world.settle()
    assert world.reads("H", "status") == "pending"
    world.start()
    world.settle()
    assert len(world.systems["P"].ids) == 1
    assert world.link.intents == {}
    assert world.reads("P", "status") == "pending"
    link_id = world.link.id
    with world.ledger.read() as tx:
        assert intents.failures(tx, link_id, "P") == 0


# --- what an admin asks and does ------------------------------------------------------------------


@either
def test_every_question_is_answered(known):
    world = LivingWorld().mirror()
    ref = world.ref("P")
    world.take_away("P", known=known)
    world.edit("L", "status", "pending")
    world.settle()
    desk = desk_of(world)
    sides = ticket.show(desk, ref).sides
    assert {name: side.retired for name, side in sides.items()} == {
        "L": False,
        "H": False,
        "P": True,
    }
    reason = why.explain(desk, ref, "status").sides["P"]
    assert reason.because == "the record is retired: P is no member of tickets (any more)"
    assert reason.shows is not None
    with world.ledger.read() as tx:
        facts = evidence.facts(world.context, tx)
    assert {name for fact in facts if fact["kind"] == "link" for name in fact["refs"]} == {"L", "H"}
    for live in (False, True):
        found = preview(world.context, world.ledger, world.connectors, [SYNC], live=live)
        assert (found.writes, found.stopped) == ([], [])
    for act in (link.preview_detach, link.detach, link.preview_relink, link.relink):
        with pytest.raises(NotPossible, match="is left alone already"):
            act(desk, ref)
    assert world.link.sides["P"].in_scope


@either
def test_an_undo_leaves_what_was_written_there(known):
    world = LivingWorld()
    world.systems["L"].add(subject="One", status="open", priority="high", tags=[])
    with world.ledger.transaction() as tx:
        run = backfill.start(tx, "L", "ticket", world.clock.now())
    world.settle()
    assert {len(system.ids) for system in world.systems.values()} == {1}
    world.take_away("P", known=known)
    assert undos.plan_undo(desk_of(world), run).standing.refused == ""
    with world.ledger.transaction() as tx:
        undo.start(tx, run, world.clock.now(), delete_created=True)
    world.settle()
    assert world.systems["H"].ids == []
    assert len(world.systems["P"].ids) == 1
    assert [row.cause for row in world.parked()] == [RETIRED]
    world.start()
    world.settle()
    (ending,) = (line for line in lines(world) if line.kind == undo.LEFT)
    assert (ending.connection, ending.detail["why"].partition(":")[0]) == (
        "P",
        "the system cannot delete it",
    )
    assert world.parked() == []


# --- syncs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("renamed", [False, True], ids=["removed", "renamed"])
def test_the_tickets_of_a_sync_that_is_gone_rest_and_nothing_is_made_twice(renamed):
    world = LivingWorld().mirror(3)
    sync = world.context.syncs[SYNC]
    world.start(syncs={"cases": replace(sync, name="cases")} if renamed else {})
    for each in world.links():
        world.edit("L", "status", "pending", link=each)
    world.settle()
    world.reconcile()
    desk = desk_of(world)
    for each in world.links():
        assert world.reads("H", "status", each) == "open"
        assert ticket.show(desk, each.id).sides["H"].retired
        assert why.explain(desk, each.id, "status").sides["L"].because.startswith("the record is")
        assert link.preview_pause(desk, each.id).sync == SYNC
    link.pause(desk, each.id)
    assert link.preview_resume(desk, each.id).consequences
    link.resume(desk, each.id)
    world.settle()
    found = preview(
        world.context, world.ledger, world.connectors, list(world.context.syncs), live=True
    )
    assert found.writes == []
    assert {name: len(system.ids) for name, system in world.systems.items()} == dict.fromkeys(
        "LHP", 3
    )
    assert world.parked() == []
    world.start()
    world.settle()
    for each in world.links():
        assert world.reads("P", "status", each) == "pending"
