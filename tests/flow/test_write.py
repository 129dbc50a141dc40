"""The write protocol, where a transaction is rolled back and run again."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from bridge.core.planning.calls import PlannedCall
from bridge.engine.context import Task
from bridge.flow.commit import changes, store_now
from bridge.flow.write import REFUSED, voided, written_down
from bridge.ledger import attempts, links, work
from tests.flow.world import born


class RolledBack(Exception):
    """The database gave up."""


def test_f03_an_attempt_is_void_also_when_its_transaction_is_run_again(world):
    born(world)
    now, context = world.clock.now(), world.context
    (link,) = world.links()
    with world.ledger.transaction() as tx:
        work.enqueue(
            tx,
            kind="deliver",
            key="deliver:H",
            connection="H",
            entity="ticket",
            link_id=link.id,
            due_at=now,
            now=now,
        )
        (row,) = work.claim(tx, "worker", now, now + timedelta(minutes=1), 1)
        task = Task(row, "worker", "worker/1")
        assert task.take(tx, context, link.id)
        side = task.link.sides["H"]
        call = PlannedCall(
            verb="patch",
            body={"status": "pending"},
            sent={"status": "pending"},
            before={"status": "new"},
            state_values={"status": "pending"},
            revs={"status": 1},
        )
        to = changes(context, task)
        write = written_down(context, task, to, side, call, overtakes="overtaken")
        store_now(tx, task, to)
    with suppress(RolledBack), world.ledger.transaction() as tx:
        store_now(tx, task, voided(context, task, write))
        raise RolledBack
    with world.ledger.transaction() as tx:
        store_now(tx, task, voided(context, task, write))
    with world.ledger.read() as tx:
        assert attempts.history(tx, link.id)[-1]["outcome"] == REFUSED
        assert links.load(tx, [link.id])[link.id].sides["H"].attempt is None
