"""How all comes to rest: vendors are well, nobody dies, and the work is done until nothing is due any more."""

from __future__ import annotations

from typing import Final

from bridge.engine.worker import Drain
from bridge.ledger import connection_health, parking, work
from bridge.runs import reconcile
from bridge.simulate.stage import Stage

ROUNDS: Final = 300
DERIVING: Final = 3600.0
"""Seconds until a system on which nobody works has derived all from what it got."""
HURRY: Final = 0.08
"""Seconds that any wait takes while all comes to rest: nothing happens then in between."""
REJECTED: Final = ("Refused", "create refused")
"""Why work was set aside that a vendor refused in the storm, though nothing was wrong with it."""


class PromiseBroken(Exception):
    """A promise was seen to be broken before the judge has asked."""


def fair_weather(stage: Stage) -> None:
    """Heal everything and see all through, the webhooks on their way too, until every side is known and level."""
    heal(stage)
    drain_until_quiet(stage)
    reconcile_until_known(stage)


def heal(stage: Stage) -> None:
    """Let all workers die and every vendor be well again; an operator resumes what was stopped and retries."""
    for worker in stage.workers:
        worker.drop()
    rejected = any(line.struck["rejected"] for line in stage.lines.values())
    with stage.ledger.transaction() as tx:
        for name, line in stage.lines.items():
            line.heal()
            connection_health.resume(tx, name)
        for cause in REJECTED if rejected else ():
            parking.unpark(tx, stage.clock.now(), cause=cause)


def drain_until_quiet(stage: Stage) -> None:
    """Let time pass and work be done until nothing is left that time alone would bring."""
    drain, stage.clock.shortest = stage.drain(), HURRY
    try:
        _until_idle(stage, drain)
    finally:
        stage.clock.shortest = 0.0


def _until_idle(stage: Stage, drain: Drain) -> None:
    for _ in range(ROUNDS):
        drain.run()
        for mail in stage.mails.values():
            while mail.waiting:
                mail.deliver(0)
        now = stage.clock.now()
        with stage.ledger.read() as tx:
            due = work.next_due(tx, now)
        if due is None:
            return
        stage.clock.sleep(max(0.0, (due - now).total_seconds()) + 0.5)
    with stage.ledger.read() as tx:
        raise PromiseBroken(f"never comes to rest: {work.backlog(tx, stage.clock.now())}")


def reconcile_until_known(stage: Stage) -> None:
    """Reconcile everything; what systems derive from what they got comes back later, and is known then, too."""
    if len(stage.home.drawn_connections()) < len(stage.apps):
        reconcile_all(stage)
        stage.clock.sleep(DERIVING)
    reconcile_all(stage)


def reconcile_all(stage: Stage) -> None:
    """Reconcile everything once, as the nightly run does."""
    stage.tell("-- one full reconciliation")
    for sync in stage.context.syncs.values():
        for name in sync.members:
            with stage.ledger.transaction() as tx:
                reconcile.start(tx, name, sync.entity, "full", stage.clock.now())
    drain_until_quiet(stage)
    stage.clock.sleep(120)
