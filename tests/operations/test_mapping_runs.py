"""A change of the mappings is carried out as it was confirmed: those writes, and no others."""

from collections import Counter
from dataclasses import replace

import pytest

from bridge.errors import Busy, NotPossible
from bridge.ledger import connection_health, run_records, tables, timeline
from bridge.operations import link as link_acts
from bridge.operations import mapping_runs, run_states
from bridge.operations.fresh_readings import FreshReadings
from bridge.runs import remapping, undo
from bridge.simulate.virtual_worker import StepWorker
from tests.flow.taken_away import LivingWorld
from tests.operations.desks import desk_of
from tests.operations.test_mapping_effect import CHANGES, WORDS, changed, swapped, written_by_field


def make_world(count=6, names="LHP"):
    world = LivingWorld(names)
    for number in range(count):
        made = world.systems["L"].add(
            subject=f"Number {number}",
            status=WORDS[number % 4],
            priority=("low", "high")[number % 2],
            tags=["vip"],
        )
        world.hint("L", made)
    world.settle()
    return world


@pytest.fixture
def world():
    return make_world()


def take_up(world, new):
    """What a restart with these files does, but for the run."""
    world.start(maps=new.maps, syncs=new.syncs)


def confirm(world, new, read=None):
    """Confirm a change; gives the id of its run and the planned writes, before any is made."""
    effects = []
    plan = mapping_runs.planned(world.ledger, world.context, new, take=effects.append, read=read)
    with plan as plan:
        take_up(world, new)
        with world.ledger.transaction() as tx:
            run_id = mapping_runs.start(tx, world.context, plan, override_unsafe=True)
    return run_id, [write for effect in effects for write in effect.writes]


def marks(world):
    return {name: len(system.journal) for name, system in world.systems.items()}


def by_bridge(world, since):
    """Each field that the bridge set at a system since then."""
    found = Counter()
    for name, system in world.systems.items():
        for event in system.journal[since[name] :]:
            if event.by == "bridge":
                for field, raw in event.sent.items():
                    found[event.kind, name, event.id, field, repr(raw)] += 1
    return found


def run(world, run_id):
    with world.ledger.read() as tx:
        return run_records.get(tx, run_id)


def notes(world, kind):
    with world.ledger.read() as tx:
        rows = tx.execute(tables.journal.select().where(tables.journal.c.kind == kind))
        return [(row.connection, row.field, row.detail["why"]) for row in rows]


BOTH = {
    **CHANGES,
    "both swapped": lambda context: swapped(swapped(context, "L"), "H"),
    "all swapped": lambda context: swapped(swapped(swapped(context, "L"), "H"), "P"),
}


@pytest.mark.parametrize("name", sorted(BOTH.keys() - {"Z swapped"}))
def test_what_was_confirmed_is_written_and_nothing_else(world, name):
    since, new = marks(world), BOTH[name](world.everything)
    run_id, confirmed = confirm(world, new)
    world.settle()
    assert by_bridge(world, since) == written_by_field(confirmed)
    if run_id:
        ended = run(world, run_id)
        assert ended.finished_at is not None
        assert (ended.error, ended.figures.get("left alone", 0)) == ("", 0)
        assert ended.figures["planned"] == len(confirmed)
    quiet = marks(world)
    world.reconcile()
    assert by_bridge(world, quiet) == Counter()
    assert world.unsettled() == []


def sides_of(world, name):
    return [link.sides[name].remote_id for link in world.links()]


def shown(world, name):
    return {each: world.systems[name].peek(each)["status"] for each in sides_of(world, name)}


def link_of(world, write):
    """The link of the record that a planned write goes to."""
    (found,) = (
        each
        for each in world.links()
        if write.connection in each.sides and each.sides[write.connection].remote_id == write.id
    )
    return found


def planned_at(writes, name):
    return [write for write in writes if write.connection == name and "status" in write.sent]


def test_what_a_human_has_edited_meanwhile_is_left_alone_and_listed(world):
    since = marks(world)
    run_id, confirmed = confirm(world, swapped(world.everything, "L"))
    theirs, *others = planned_at(confirmed, "P")
    world.systems["P"].edit(theirs.id, status="on_hold")  # nobody has told the bridge
    world.settle()
    assert world.systems["P"].peek(theirs.id)["status"] == "on_hold"
    assert [(name, field) for name, field, _why in notes(world, "left alone")] == [("P", "status")]
    written = by_bridge(world, since)
    for write in others:
        assert written["update", "P", write.id, "status", repr(write.sent["status"])] == 1
    with world.ledger.read() as tx:
        of_run = {
            (row.connection, row.link_id)
            for row in tx.execute(tables.attempt.select())
            if row.run_id == run_id and row.outcome == "done"
        }
    assert ("P", link_of(world, theirs).id) not in of_run
    assert link_of(world, theirs).state["status"].value == "on_hold"
    assert world.unsettled() == []


def test_another_field_that_a_human_has_edited_is_none_of_the_runs(world):
    run_id, confirmed = confirm(world, swapped(world.everything, "L"))
    theirs = planned_at(confirmed, "H")[0]
    link = link_of(world, theirs)
    with world.ledger.transaction() as tx:
        connection_health.hold(tx, "H", "an admin", world.clock.now())
    world.drain().run()
    world.systems["L"].edit(link.sides["L"].remote_id, subject="Another")
    world.hint("L", link.sides["L"].remote_id)
    world.drain().run()
    with world.ledger.transaction() as tx:
        connection_health.resume(tx, "H")
    world.settle()
    assert world.systems["H"].peek(theirs.id)["subject"] == "Another"
    with world.ledger.read() as tx:
        sent = [
            (set(row.detail["sent"]), row.run_id)
            for row in tx.execute(tables.attempt.select())
            if row.link_id == link.id and row.connection == "H"
        ]
    assert ({"status"}, run_id) in sent
    assert ({"subject"}, None) in sent


def test_a_part_goes_on_where_a_worker_was_killed(monkeypatch):
    monkeypatch.setattr(remapping, "BATCH", 2)
    for steps in range(1, 14, 2):
        world = make_world(6, "LP")
        since = marks(world)
        run_id, confirmed = confirm(world, swapped(world.everything, "L"))
        worker = StepWorker(world, "to be killed")
        for _ in range(steps):
            worker.step()
        worker.die(after=bool(steps % 4 == 1))
        world.clock.advance(600)
        world.settle()
        assert by_bridge(world, since) == written_by_field(confirmed), steps
        assert run(world, run_id).finished_at is not None


def test_what_a_paused_connection_is_owed_waits_and_comes(world):
    since = marks(world)
    with world.ledger.transaction() as tx:
        connection_health.hold(tx, "P", "an admin", world.clock.now())
    run_id, confirmed = confirm(world, swapped(world.everything, "L"))
    world.drain().run()
    assert planned_at(confirmed, "P")
    assert not [each for each in by_bridge(world, since) if each[1] == "P"]
    assert run(world, run_id).finished_at is not None
    with world.ledger.transaction() as tx:
        connection_health.resume(tx, "P")
    world.settle()
    assert by_bridge(world, since) == written_by_field(confirmed)


def test_what_a_vendor_refuses_is_parked_and_the_rest_is_written(world):
    since = marks(world)
    run_id, confirmed = confirm(world, swapped(world.everything, "L"))
    world.systems["P"].fail("refused", on="update")
    world.settle()
    lacking = written_by_field(confirmed) - by_bridge(world, since)
    assert len(lacking) == 1
    (each,) = world.parked()
    assert (each.connection, run(world, run_id).error) == ("P", "")


def test_more_than_the_guard_lets_through_needs_a_word_of_its_own():
    world = make_world(30, "LP")
    new = swapped(world.everything, "L")
    with mapping_runs.planned(world.ledger, world.context, new) as plan:
        assert len(plan.summary.unsafe) == 1
        take_up(world, new)
        with world.ledger.transaction() as tx, pytest.raises(NotPossible, match="would be changed"):
            mapping_runs.start(tx, world.context, plan)


def test_one_change_after_the_other(world):
    run_id, _ = confirm(world, swapped(world.everything, "L"))
    with mapping_runs.planned(world.ledger, world.context, world.everything) as plan:
        take_up(world, world.everything)
        with world.ledger.transaction() as tx, pytest.raises(Busy, match="earlier change"):
            mapping_runs.start(tx, world.context, plan, override_unsafe=True)
    assert run_id


def undo_there(world, run_id):
    with world.ledger.transaction() as tx:
        mine, _count = undo.start(tx, run_id, world.clock.now())
    world.settle()
    with world.ledger.transaction() as tx:
        run_records.finish(tx, mine, world.clock.now())
        entries = timeline.after(tx, 0, limit=10_000)
    return [each for each in entries if each.kind == undo.LEFT and each.detail["run"] == run_id]


@pytest.mark.parametrize("edited", [0, 1, 3])
def test_taken_back_all_is_as_before_but_for_what_humans_have_edited(edited):
    world = make_world(8, "LHP")
    before = {name: shown(world, name) for name in "LHP"}
    run_id, confirmed = confirm(world, swapped(world.everything, "L"))
    world.settle()
    theirs = planned_at(confirmed, "P")[:edited]
    for write in theirs:
        world.systems["P"].edit(write.id, status="resolved")
        world.hint("P", write.id)
    world.settle()
    left = undo_there(world, run_id)
    assert {each.detail["ref"] for each in left} >= {f"P:{write.id}" for write in theirs}
    confirm(world, world.everything)
    world.settle()
    for link in world.links():
        if link.paused:
            desk = desk_of(world)
            link_acts.resume(desk, link.id)
    world.settle()
    world.reconcile()
    touched = {link_of(world, write).id for write in theirs}
    for link in world.links():
        for name in "LHP":
            remote_id = link.sides[name].remote_id
            now = world.systems[name].peek(remote_id)["status"]
            if link.id in touched:
                assert now == "resolved"
            else:
                assert now == before[name][remote_id], (name, remote_id)
    assert world.unsettled() == []


def unmapped(context, name, field):
    """The context by which a system's field is not mapped."""
    entity_map = context.maps[name]["ticket"]
    fields = {each: made for each, made in entity_map.fields.items() if each != field}
    maps = {**context.maps, name: {"ticket": replace(entity_map, fields=fields)}}
    return replace(context, maps=maps, taken_in={}, _rules={})


@pytest.fixture
def narrow():
    """Tickets that were mirrored while P's priority was not mapped."""
    world = LivingWorld("LHP")
    take_up(world, unmapped(world.everything, "P", "priority"))
    for number in range(4):
        made = world.systems["L"].add(
            subject=f"Number {number}", status="open", priority="high", tags=[]
        )
        world.hint("L", made)
    world.settle()
    return world


def reading(world):
    return FreshReadings(world.everything, world.connectors, world.limits)


def test_a_field_that_nobody_has_read_is_not_guessed(narrow):
    since = marks(narrow)
    run_id, confirmed = confirm(narrow, narrow.everything)
    narrow.settle()
    assert (confirmed, by_bridge(narrow, since)) == ([], Counter())
    assert run(narrow, run_id).finished_at is not None


def test_a_field_that_was_read_for_the_plan_is_written_as_planned(narrow):
    since = marks(narrow)
    _run, confirmed = confirm(narrow, narrow.everything, reading(narrow))
    assert Counter((write.connection, *write.sent.items()) for write in confirmed) == {
        ("P", ("priority", "high")): 4
    }
    narrow.settle()
    assert by_bridge(narrow, since) == written_by_field(confirmed)
    quiet = marks(narrow)
    narrow.reconcile()
    assert by_bridge(narrow, quiet) == Counter()


def test_what_a_human_has_said_there_since_it_was_read_is_left_alone(narrow):
    _run, confirmed = confirm(narrow, narrow.everything, reading(narrow))
    theirs = confirmed[0]
    narrow.systems["P"].edit(theirs.id, priority="low")
    narrow.settle()
    assert narrow.systems["P"].peek(theirs.id)["priority"] == "low"
    assert [(name, field) for name, field, _why in notes(narrow, "left alone")] == [
        ("P", "priority")
    ]


def test_a_system_that_does_not_answer_leaves_its_fields_unknown(narrow):
    narrow.systems["P"].fail("before", on="read", times=50)
    read = reading(narrow)
    with mapping_runs.planned(narrow.ledger, narrow.context, narrow.everything, read=read) as plan:
        assert plan.summary.unread == {("P", "priority"): 4}
        assert plan.writes == 0
    assert "no answer" in read.failed["P"]


def test_the_second_run_writes_what_is_its_own_after_the_first_has_written(world):
    """The writes of the first wait for their system while the second goes through the tickets."""
    since = marks(world)
    first, confirmed = confirm(world, swapped(world.everything, "L"))
    with world.ledger.transaction() as tx:
        connection_health.hold(tx, "H", "an admin", world.clock.now())
    for _ in range(5):
        world.drain().run()
        world.clock.advance(2)
    assert run(world, first).finished_at is not None
    was = world.context.maps["L"]["ticket"].fields["priority"]
    other = {"low": "high", "high": "low"}
    second, more = confirm(
        world,
        changed(
            world.context,
            "L",
            "priority",
            revision="another priority",
            read=lambda raw: other[was.read(raw)],
            write=lambda value: was.write(other[value]),
        ),
    )
    assert {each.connection for each in more} == {"H", "P"}
    for _ in range(3):
        world.drain().run()
        world.clock.advance(2)
    waits = run_states.get(desk_of(world), second)
    ahead = f"run {first} writes to the same tickets first, 3 writes left"
    assert waits.state == "waits"
    assert waits.why == f"{ahead}; H is paused until `bridge connection resume H`, because an admin"
    with world.ledger.transaction() as tx:
        connection_health.resume(tx, "H")
    goes_on = run_states.get(desk_of(world), second)
    assert (goes_on.state, goes_on.why) == ("under way", ahead)
    world.settle()
    assert by_bridge(world, since) == written_by_field(confirmed) | written_by_field(more)
    with world.ledger.read() as tx:
        sent = {
            (row.run_id, *row.detail["sent"])
            for row in tx.execute(tables.attempt.select())
            if row.run_id
        }
    assert sent == {(first, "status"), (second, "priority")}
    assert run(world, second).finished_at is not None
    assert run_states.get(desk_of(world), second).why == ""
