"""A run can be watched, paused and resumed: nothing is written meanwhile, lost or doubled."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select

from bridge.errors import NotPossible, UnknownName
from bridge.ledger import audit, paused_runs, run_writes, set_back, tables, work
from bridge.operations import (
    doctor,
    imports,
    run_acts,
    run_states,
    status,
    undos,
)
from bridge.runs import reconcile
from tests.flow.taken_away import LivingWorld
from tests.operations.desks import desk_of
from tests.operations.test_mapping_effect import swapped, written_by_field
from tests.operations.test_mapping_runs import (
    by_bridge,
    confirm,
    link_of,
    make_world,
    marks,
    planned_at,
    run,
)


@pytest.fixture
def world():
    return make_world()


@pytest.fixture
def begun(world):
    """A change of the mappings that is confirmed, and of which nothing is done yet."""
    run_id, confirmed = confirm(world, swapped(world.everything, "L"))
    assert confirmed
    return run_id, confirmed


def state(world, run_id):
    return run_states.get(desk_of(world), run_id)


def keys(world):
    with world.ledger.read() as tx:
        return list(tx.execute(select(tables.work.c.key)).scalars())


def resume_whole(world, run_id, since, confirmed):
    """Let a run go on, and see it write all that was confirmed, and nothing else."""
    run_acts.resume(desk_of(world), run_id)
    world.settle()
    assert by_bridge(world, since) == written_by_field(confirmed)


def once_raised(world):
    """Go through the tickets, and stop before the first write of the run."""
    drain = world.drain()
    for _ in range(100):
        parts = [key for key in keys(world) if key.startswith("remap:")]
        if not parts:
            return
        drain.run(keys=parts)
        world.clock.advance(1.001)
    raise AssertionError("the parts do not end")


def test_it_is_told_how_far_a_run_is(world, begun):
    run_id, confirmed = begun
    before = state(world, run_id)
    assert (before.state, before.phase, before.done, before.total) == (
        "under way",
        "going through all that is mirrored",
        0,
        len(world.links()),
    )
    once_raised(world)
    raised = state(world, run_id)
    assert (raised.state, raised.phase, raised.done) == ("under way", "writing", 0)
    assert raised.total == raised.waiting > 0
    world.settle()
    after = state(world, run_id)
    assert (after.state, after.phase, after.done, after.written) == (
        "done",
        "writing",
        raised.total,
        len(confirmed),
    )
    assert [phase.ended for phase in after.phases] == [True, True]
    assert not after.can_be_paused
    assert after.why_not == "it is over"


@pytest.mark.parametrize("raised", [False, True], ids=["at once", "with its writes waiting"])
def test_a_paused_run_writes_nothing_until_it_is_resumed_and_then_all(world, begun, raised):
    run_id, confirmed = begun
    if raised:
        once_raised(world)
    since = marks(world)
    paused = run_acts.pause(desk_of(world), run_id)
    assert (paused.state, paused.can_be_paused) == ("paused", True)
    world.settle()
    world.clock.advance(3600)
    world.settle()
    assert by_bridge(world, since) == Counter()
    assert state(world, run_id).state == "paused"
    resume_whole(world, run_id, since, confirmed)
    ended = state(world, run_id)
    assert (ended.state, ended.figures.get("left alone", 0)) == ("done", 0)
    assert world.unsettled() == []


@pytest.mark.parametrize("raised", [False, True], ids=["at once", "with its writes waiting"])
def test_a_comparison_does_not_write_what_a_paused_run_holds(world, begun, raised):
    """It looks at each ticket, and asks for whatever is due there; nobody has edited anything."""
    run_id, confirmed = begun
    if raised:
        once_raised(world)
    since = marks(world)
    run_acts.pause(desk_of(world), run_id)
    world.settle()
    world.reconcile()
    for link in world.links():
        world.hint("H", link.sides["H"].remote_id)
    world.settle()
    assert by_bridge(world, since) == Counter()
    assert state(world, run_id).state == "paused"
    resume_whole(world, run_id, since, confirmed)
    assert state(world, run_id).figures.get("left alone", 0) == 0


def test_a_comparison_that_frees_a_write_that_was_set_aside_does_not_make_it(world, begun):
    """It stays the paused run's, and is made once that is resumed."""
    run_id, confirmed = begun
    once_raised(world)
    since = marks(world)
    with world.ledger.transaction() as tx:
        now = world.clock.now()
        (row,) = work.claim(tx, "w1", now, now + timedelta(seconds=30), 1)
        work.park(tx, row, "w1", "the system refused it", "refused", now)
    run_acts.pause(desk_of(world), run_id)
    world.reconcile()
    assert by_bridge(world, since) == Counter()
    resume_whole(world, run_id, since, confirmed)
    with world.ledger.read() as tx:
        (made,) = run_writes.count(tx, [run_id]).values()
    assert made == len(confirmed)


def test_what_a_worker_has_claimed_of_it_is_held_as_well(world, begun):
    """A worker that learned of the pause only after it had claimed."""
    run_id, confirmed = begun
    once_raised(world)
    since = marks(world)
    with world.ledger.transaction() as tx:
        now = world.clock.now()
        rows = work.claim(tx, "w1", now, now + timedelta(seconds=30), 100)
    assert rows
    run_acts.pause(desk_of(world), run_id)
    world.clock.advance(31)  # it died
    world.settle()
    assert by_bridge(world, since) == Counter()
    resume_whole(world, run_id, since, confirmed)


def test_a_worker_that_meets_it_as_it_is_resumed_leaves_nothing_held(world, begun):
    run_id, _confirmed = begun
    once_raised(world)
    now = world.clock.now()
    with world.ledger.transaction() as tx:
        (row, *_others) = work.claim(tx, "w1", now, now + timedelta(seconds=30), 100)
    run_acts.pause(desk_of(world), run_id)
    run_acts.resume(desk_of(world), run_id)
    with world.ledger.transaction() as tx:
        assert not paused_runs.hold(tx, row, "w1", now)  # it had looked before
    world.settle()
    assert state(world, run_id).state == "done"


def test_a_run_goes_through_the_tickets_while_it_is_paused_and_writes_nothing(world, begun):
    run_id, confirmed = begun
    since = marks(world)
    run_acts.pause(desk_of(world), run_id)
    world.settle()
    held = state(world, run_id)
    assert (held.state, held.done, held.phases[0].ended) == ("paused", 0, True)
    assert held.phases[0].done == len(world.links())
    assert held.waiting == held.total > 0
    assert by_bridge(world, since) == Counter()
    resume_whole(world, run_id, since, confirmed)


def test_an_edit_goes_on_while_the_run_of_its_ticket_is_paused(world, begun):
    run_id, confirmed = begun
    once_raised(world)
    run_acts.pause(desk_of(world), run_id)
    theirs = planned_at(confirmed, "P")[0]
    link = link_of(world, theirs)
    edited = "urgent"
    world.edit("H", "priority", edited, link=link)
    world.settle()
    assert world.reads("P", "priority", link) == edited
    with world.ledger.read() as tx:
        rows = tx.execute(tables.attempt.select().where(tables.attempt.c.run_id == run_id)).all()
    assert rows == []
    run_acts.resume(desk_of(world), run_id)
    world.settle()
    assert world.unsettled() == []
    assert world.reads("P", "priority", link) == edited


def test_a_paused_run_can_be_taken_back_and_does_not_come_again(world, begun):
    run_id, _confirmed = begun
    once_raised(world)
    drain = world.drain()
    with world.ledger.read() as tx:
        row = tx.execute(tables.work.select().where(tables.work.c.kind == "deliver")).first()
    drain.run(keys=[row.key])
    desk = desk_of(world)
    assert state(world, run_id).written == 1
    run_acts.pause(desk, run_id)
    plan = undos.plan_undo(desk, run_id)
    assert plan.standing.refused == ""
    assert "given up" in plan.standing.later
    since = marks(world)
    undos.start_undo(desk, run_id, delete_created=False)
    world.settle()
    assert sum(by_bridge(world, since).values()) == 1
    ended = state(world, run_id)
    assert (ended.state, ended.waiting) == ("stopped", 0)
    with world.ledger.read() as tx:
        said = [row["action"] for row in audit.recent(tx, 10)]
    assert {"run paused", "run stopped", "undo"} <= set(said)


def test_stopping_a_run_leaves_what_an_edit_has_asked_for(world, begun):
    run_id, confirmed = begun
    once_raised(world)
    theirs = planned_at(confirmed, "P")[0]
    link = link_of(world, theirs)
    with world.ledger.transaction() as tx:
        key = f"deliver:{link.id}:P"
        raised = {"kind": "deliver", "key": key, "connection": "P", "entity": "ticket"}
        now = world.clock.now()
        work.enqueue(tx, **raised, link_id=link.id, lane="live", due_at=now, now=now)
        paused_runs.drop(tx, run_id)
    assert keys(world) == [key]


def test_an_import_can_be_paused_and_a_webhook_comes_through_meanwhile():
    world = LivingWorld("LHP")
    made = [
        world.systems["L"].add(subject=f"Number {number}", status="open", priority="low", tags=[])
        for number in range(4)
    ]
    desk = desk_of(world)
    runs = imports.start_import(desk, "tickets")
    for run_id in runs:
        run_acts.pause(desk, run_id)
    world.settle()
    assert world.links() == []
    assert imports.progress(desk, runs).is_over
    assert imports.progress(desk, runs).paused == runs
    world.hint("L", made[0])
    world.settle()
    assert len(world.links()) == 1
    for run_id in runs:
        run_acts.resume(desk, run_id)
    world.settle()
    assert len(world.links()) == 4
    assert {name: len(system.ids) for name, system in world.systems.items()} == {
        "L": 4,
        "H": 4,
        "P": 4,
    }


def test_a_comparison_does_not_make_what_a_paused_import_has_still_to_make():
    world = LivingWorld("LHP")
    made = [
        world.systems["L"].add(subject=f"Number {number}", status="open", priority="low", tags=[])
        for number in range(4)
    ]
    desk, drain = desk_of(world), world.drain()
    (run_id, *_others) = imports.start_import(desk, "tickets")
    while len(world.links()) < 4:
        drain.run(keys=[key for key in keys(world) if not key.startswith("create")])
        world.clock.advance(1)
    run_acts.pause(desk, run_id)
    world.reconcile()
    assert [world.systems[name].ids for name in "HP"] == [[], []]
    world.hint("L", made[0])
    world.settle()
    assert [len(world.systems[name].ids) for name in "HP"] == [1, 1]
    run_acts.resume(desk, run_id)
    world.settle()
    assert [len(world.systems[name].ids) for name in "LHP"] == [4, 4, 4]


def test_a_comparison_that_frees_a_create_of_a_paused_import_does_not_make_it():
    """It was set aside before the import was paused; it stays the import's."""
    world = LivingWorld("LH")
    for number in range(2):
        subject = f"Number {number}"
        world.systems["L"].add(subject=subject, status="open", priority="low", tags=[])
    desk, drain = desk_of(world), world.drain()
    (run_id, *_others) = imports.start_import(desk, "tickets")
    while len(world.links()) < 2:
        drain.run(keys=[key for key in keys(world) if not key.startswith("create")])
        world.clock.advance(1)
    with world.ledger.transaction() as tx:
        now = world.clock.now()
        (row,) = work.claim(tx, "w1", now, now + timedelta(seconds=30), 1)
        assert row.kind == "create"
        work.park(tx, row, "w1", "the system refused it", "refused", now)
    run_acts.pause(desk, run_id)
    world.reconcile()
    assert world.systems["H"].ids == []
    run_acts.resume(desk, run_id)
    world.settle()
    assert len(world.systems["H"].ids) == 2


def test_what_cannot_be_paused_says_why(world):
    with world.ledger.transaction() as tx:
        run_id = reconcile.start(tx, "L", "ticket", "full", world.clock.now())
    desk = desk_of(world)
    with pytest.raises(NotPossible, match=r"it only reads.*`bridge connection pause L`"):
        run_acts.preview_pause(desk, run_id)
    with pytest.raises(NotPossible, match="is not paused: it is under way"):
        run_acts.resume(desk, run_id)
    with pytest.raises(UnknownName, match="there is no run 999"):
        run_acts.pause(desk, 999)
    assert run(world, run_id).paused_at is None


def test_a_run_that_is_paused_for_long_is_told_of(world, begun):
    run_id, _confirmed = begun
    desk = desk_of(world)
    run_acts.pause(desk, run_id)
    with pytest.raises(NotPossible, match="paused already"):
        run_acts.pause(desk, run_id)
    assert "BRG-RUN-PAUSED" not in [each.code for each in doctor.examine(desk)]
    world.clock.advance(3601)
    (told,) = [each for each in doctor.examine(desk) if each.code == "BRG-RUN-PAUSED"]
    assert f"`bridge runs resume {run_id}`" in told.do
    shown = status.overview(desk).runs
    assert [each.state for each in shown if each.run.id == run_id] == ["paused"]


def test_a_run_that_is_paused_waits_also_where_the_clock_is_set_back(world, begun):
    run_id, confirmed = begun
    since = marks(world)
    run_acts.pause(desk_of(world), run_id)
    with world.ledger.transaction() as tx:
        set_back.follow(tx, world.clock.now(), timedelta(hours=2))
    resume_whole(world, run_id, since, confirmed)
