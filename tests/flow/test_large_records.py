"""A record that is far too large holds up nobody: one field is unreadable, all else goes on."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from bridge.connectors.contract import Person
from bridge.core.mapping.agent_table import AgentTable
from bridge.core.model import limits
from bridge.engine.effects import look
from bridge.flow import people
from bridge.ledger import directory, drift_findings, run_records, timeline
from bridge.procedures import PROCEDURES
from bridge.runs import comparison, reconcile
from bridge.runs.comparison import queue_observes
from bridge.runs.fingerprints import row_digest
from tests.flow.test_reconcile import found, run
from tests.flow.test_swept import hidden
from tests.flow.world import StepWorker, World, born


def many(number):
    return [f"t{index}" for index in range(number)]


def notes(world, kind):
    with world.ledger.read() as tx:
        entries = [entry for link in world.links() for entry in timeline.timeline(tx, link.id)]
    return [entry for entry in entries if entry.kind == kind]


def test_a_ticket_with_100_000_tags_goes_on_without_them_and_says_how_many(world):
    ids = born(world, tags=["a"])
    world.systems["L"].edit(ids["L"], tags=many(100_000), priority="low")
    world.hint("L", ids["L"])
    world.settle()
    assert world.systems["H"].peek(ids["H"])["priority"] == "low"
    assert world.systems["H"].peek(ids["H"])["tags"] == ["a"]
    (link,) = world.links()
    assert "100,000 elements, at most 1,000" in link.sides["L"].fields["tags"].unreadable
    (note,) = [
        note
        for note in notes(world, "ambiguous empty") + notes(world, "unreadable")
        if "100,000 elements" in str(note.detail)
    ]
    assert (note.connection, note.field) == ("L", "tags")
    world.systems["L"].edit(ids["L"], tags=["a", "b"])
    world.hint("L", ids["L"])
    world.settle()
    assert sorted(world.systems["H"].peek(ids["H"])["tags"]) == ["a", "b"]
    assert world.unsettled() == []


def test_what_only_a_listing_shows_is_not_sent_along_when_it_is_too_large(ledger):
    world = World(ledger, "LH")
    ids = born(world, tags=["a"])
    hidden(world, "H", "tags")
    world.context.capabilities["H"] = {
        "ticket": replace(
            world.context.capabilities["H"]["ticket"], only_listed=frozenset({"tags"})
        )
    }
    record = world.systems["H"].record("H", ids["H"])
    listed = record._replace(data={**record.data, "tags": many(100_000)}, unreadable={})
    with world.ledger.transaction() as tx:
        queue_observes(
            tx, world.context, "H", "ticket", [ids["H"]], world.clock.now(), {ids["H"]: listed}
        )
    (row,) = [row for row in world.outstanding() if row["kind"] == "observe"]
    assert len(str(row["payload"])) < 500
    world.settle()
    (link,) = world.links()
    assert "100,000 elements" in link.sides["H"].fields["tags"].unreadable


@pytest.mark.parametrize("odd", [{"deep": None}, {"long": 1 << 70}])
def test_a_row_of_which_no_fingerprint_can_be_made_is_compared_each_time(world, odd):
    if "deep" in odd:
        nested = []
        for _ in range(900):
            nested = [nested]
        odd = {"deep": nested}
    ids = born(world)
    system = world.systems["L"]
    shown = system.record
    system.record = lambda *of: shown(*of)._replace(data={**shown(*of).data, **odd})
    assert row_digest(system.record("L", ids["L"])) is None
    assert not run(world, "L").error
    world.clock.advance(60)
    system.edit(ids["L"], priority="low")
    done = run(world, "L")
    assert not done.error
    assert found(world, done)[ids["L"]].fields == ["priority"]
    assert world.unsettled() == []


class Held:
    """Notes in which transactions things are done."""

    def __init__(self, world, monkeypatch):
        self.writing = False
        self.seen = []
        whole = world.ledger.transaction

        @contextmanager
        def transaction():
            with whole() as tx:
                self.writing = True
                try:
                    yield tx
                finally:
                    self.writing = False

        monkeypatch.setattr(world.ledger, "transaction", transaction)


def test_rows_are_compared_while_others_may_write(world, monkeypatch):
    for number in range(20):
        world.systems["L"].add(subject=f"Number {number}", status="open", tags=[])
    world.reconcile()
    world.clock.advance(60)
    held = Held(world, monkeypatch)
    for remote_id in world.systems["L"].ids:
        world.systems["L"].edit(remote_id, priority="low")
    compared = comparison.difference_of

    def difference_of(*given, **more):
        held.seen.append(held.writing)
        return compared(*given, **more)

    monkeypatch.setattr(comparison, "difference_of", difference_of)
    done = run(world, "L")
    assert len(found(world, done)) == 20
    assert held.seen.count(False) >= 20
    assert not any(held.seen)


def test_a_link_that_moved_after_the_look_is_compared_again_before_anything_is_said(world):
    """The row is as the ledger knows it by the time that the walk writes: nothing drifted."""
    ids = born(world)
    world.clock.advance(60)
    world.systems["L"].edit(ids["L"], priority="low")
    with world.ledger.transaction() as tx:
        run_id = reconcile.start(tx, "L", "ticket", "full", world.clock.now())
    walker = StepWorker(world, "walker")
    while not walker.place().endswith("_hand_over.Transact2"):
        assert walker.step()
    world.hint("L", ids["L"])
    world.drain().run()
    while walker.busy:
        walker.step()
    world.settle()
    with world.ledger.read() as tx:
        done = run_records.get(tx, run_id)
        assert drift_findings.recent(tx, runs=[run_id]) == []
    assert not done.error
    assert world.unsettled() == []


def test_what_only_looks_needs_no_transaction_that_writes_and_may_fail(world):
    drain = world.drain()
    heard = []

    def procedure(_context, _task):
        before = drain.counts.transactions
        heard.append((yield from look(lambda tx: tx.in_transaction())))
        try:
            yield from look(lambda tx: tx.no_such_thing)
        except AttributeError:
            heard.append("failed")
        heard.append(drain.counts.transactions - before)

    drain.procedures = replace(PROCEDURES, by_kind={"observe": procedure})
    world.hint("L", "1")
    drain.run()
    assert heard[:2] == [True, "failed"]
    assert heard[2] <= 2  # the drain looks for work meanwhile


def test_a_crowd_of_new_people_is_learned_a_part_at_a_time(world):
    context, table = world.context, AgentTable()
    context.directory["L"] = table
    crowd = [Person(f"u{number}", f"p{number}@example.com") for number in range(2_500)]
    for known in (limits.MAX_LEARNED, 2 * limits.MAX_LEARNED, 2_500, 2_500):
        with world.ledger.transaction() as tx:
            people.learn(tx, context, "L", crowd, context.clock.now())
        with world.ledger.transaction() as tx:
            people.refresh(tx, context, directory.revision(tx))
        assert len(table.learned) == known
