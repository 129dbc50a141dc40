"""The disk is full in the midst of a round: nothing that the round has lost is taken for stored."""

from dataclasses import replace

import pytest

from bridge.engine.effects import StoreChanges, Transact, transact
from bridge.engine.ledger_steps import carry_out
from bridge.ledger import tables, work
from bridge.ledger.changes import Changes
from bridge.ledger.database import TransactionLost
from bridge.ledger.work import NewWork
from tests.flow.world import World
from tests.ledger.helpers import fill_the_disk

ROUNDS = 200


def new(key, kind="observe"):
    return {"kind": kind, "key": key, "connection": "L", "entity": "ticket", "remote_id": key}


def raising(key, now, **more):
    raised = [NewWork(**new(key), due_at=now, now=now)]
    return StoreChanges(Changes(now, "drain", raised=raised, **more))


def add_work(tx, key, now, kind="observe"):
    work.enqueue(tx, **new(key, kind), due_at=now, now=now)


def keys(ledger):
    with ledger.read() as tx:
        return [row.key for row in tx.execute(tables.work.select())]


@pytest.mark.parametrize("alone", [True, False])
def test_no_step_of_a_round_is_answered_or_stored_once_one_has_lost_it(sqlite_ledger, now, alone):
    after = Transact(lambda tx: add_work(tx, "after", now))
    fills = Transact(fill_the_disk) if alone else raising("fills", now, also=[fill_the_disk])

    def carry():
        with (
            sqlite_ledger.transaction() as tx,
            pytest.raises(TransactionLost, match="is full"),
        ):
            carry_out(tx, [raising("before", now), fills, after], now)

    with pytest.raises(TransactionLost):
        carry()
    assert keys(sqlite_ledger) == []


class FullAtTheSecondIntent:
    """Procedures of which the second that writes a create down meets a full disk, once."""

    def __init__(self, by_kind):
        self.by_kind = {kind: self.watched(begin) for kind, begin in by_kind.items()}
        self.intended = 0

    def watched(self, begin):
        def procedure(context, task):
            inner = begin(context, task)
            step, given = inner.send, None
            while True:
                try:
                    effect = step(given)
                except StopIteration:
                    return
                if isinstance(effect, StoreChanges) and effect.changes.intended:
                    self.intended += 1
                    if self.intended == 2:
                        effect = Transact(fill_the_disk)
                try:
                    step, given = inner.send, (yield effect)
                except Exception as error:
                    step, given = inner.throw, error

        return procedure


def test_a_create_whose_intent_is_lost_with_another_tickets_is_sent_once(sqlite_ledger):
    world = World(ledger=sqlite_ledger, names="LH")
    tickets = world.context.syncs["tickets"]
    world.context.syncs["tickets"] = replace(tickets, match=())  # no copy of it is looked for
    drain = world.drain()
    full = FullAtTheSecondIntent(drain.procedures.by_kind)
    drain.procedures = replace(drain.procedures, by_kind=full.by_kind)
    for subject in ("Export stops", "Import stops"):
        world.hint("L", world.systems["L"].add(subject=subject, status="open"))
    with pytest.raises(TransactionLost, match="is full"):
        drain.run()
    with world.ledger.read() as tx:
        assert tx.execute(tables.create_intent.select()).all() == []
    assert world.systems["H"].ids == []
    for _ in range(ROUNDS):
        drain.run()
        world.clock.advance(1.0)
    assert len(world.systems["H"].ids) == 2
    assert [link.sides.keys() for link in world.links()] == [{"L", "H"}] * 2
    assert world.outstanding() == []


def test_an_outcome_that_loses_the_round_breaks_the_drain_off(sqlite_ledger):
    world, failures = World(ledger=sqlite_ledger, names="LH"), []

    def fails(_context, _task):
        yield from transact(lambda _tx: None)
        raise KeyError("subject")

    def run_failure(tx, _context, task, _why, **_again):
        failures.append(True)
        if len(failures) == 1:
            fill_the_disk(tx)
        work.finish(tx, task.row, task.owner, world.clock.now())
        return False

    drain = world.drain()
    drain.procedures = replace(
        drain.procedures, by_kind={"observe": fails}, run_failures={"observe": run_failure}
    )
    world.hint("L", "1")
    with pytest.raises(TransactionLost, match="is full"):
        drain.run()
    assert len(world.outstanding()) == 1
    drain.run()
    assert len(failures) == 2
    assert world.outstanding() == []
