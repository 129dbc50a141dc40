"""Quiet: vendors are well, nobody dies, and work is done until nothing is due any more."""

from __future__ import annotations

import itertools
from typing import Final

from bridge.engine.worker import Drain
from bridge.ledger import catch_up, connection_health, parking, renaming, work
from bridge.runs import adoption, reconcile, schedule
from bridge.simulate import changed_files
from bridge.simulate.stage import Stage
from bridge.simulate.vendor_line import ANSWERED_ERRORS, WITHOUT_WORDS

MAX_ROUNDS: Final = 300
MAX_ROUNDS_OF_DRAIN: Final = 20_000
"""Five seconds take a few hundred."""
DERIVATION_SECONDS: Final = 3600.0
"""Until a system on which nobody works has derived all from what it got."""
SHORTEST_SLEEP_SECONDS: Final = 0.08
"""No wait is shorter while it becomes quiet, for nothing happens in between."""
REFUSED_CAUSE: Final = "Refused"
"""Why work is parked that a vendor refused in the storm, though nothing was wrong with it."""
CREATE_REFUSED_CAUSE: Final = "create refused"
"""The same for a create, which is given up after two errors as well."""
WITHHELD_CAUSE: Final = "Withheld"
"""Why work is parked about a ticket that an admin had taken out of the bridge's reach."""


class PromiseBroken(Exception):
    """A promise was seen to be broken before the judge looked."""


def fair_weather(stage: Stage) -> None:
    """Heal everything and do all work, until every side is known and level."""
    heal(stage)
    drain_until_quiet(stage)
    reconcile_until_known(stage)


def heal(stage: Stage) -> None:
    """Let all workers die and all vendors be well; an operator resumes what was stopped."""
    put_files_back(stage)
    for worker in stage.workers:
        worker.drop()
    refused: tuple[str, ...] = ()
    if any(line.struck[kind] for line in stage.lines.values() for kind in WITHOUT_WORDS):
        refused += (REFUSED_CAUSE,)
    if any(line.struck[kind] for line in stage.lines.values() for kind in ANSWERED_ERRORS):
        refused += (CREATE_REFUSED_CAUSE,)
    if any(app.restricted for app in stage.apps.values()):
        refused += (WITHHELD_CAUSE,)
    with stage.ledger.transaction() as tx:
        for name, line in stage.lines.items():
            line.heal()
            connection_health.resume(tx, name)
        for app in stage.apps.values():
            app.restricted.clear()
        for cause in refused:
            parking.unpark(tx, stage.clock.now(), cause=cause)


def rename_connection(stage: Stage, account: str, new: str) -> None:
    """Give an account's connection another name, in the ledger and in the files."""
    old = stage.known_as[account]
    with stage.ledger.transaction() as tx:
        if renaming.is_known(tx, old):  # else the command refuses, and the files say it alone
            renaming.rename_connection(tx, old, new)
            adoption.rename(tx, stage.context, "admin", "connections", old, new)
    stage.known_as[account] = new
    stage.lines[account].held_until = None  # the budget knows the connection by its old name
    if account in stage.called:
        context = changed_files.renamed(stage.context, old, new)
        stage.start(context, {**stage.called, account: new})


def put_files_back(stage: Stage) -> None:
    """Put the files back as they were at first: every connection is named, as it was."""
    for account, name in list(stage.known_as.items()):
        if name != account:
            rename_connection(stage, account, account)
    if stage.called != stage.known_as:
        stage.start(stage.first_files, stage.known_as)


def drain_until_quiet(stage: Stage) -> None:
    """Let time pass and work be done until nothing is left that time alone would bring."""
    drain, stage.clock.shortest = stage.drain(), SHORTEST_SLEEP_SECONDS
    try:
        _until_idle(stage, drain)
    finally:
        stage.clock.shortest = 0.0


def run_drain(drain: Drain, seconds: float = 5.0) -> None:
    """Let a drain work; one that never ends breaks a promise, rather than hold up all seeds."""
    rounds = itertools.count(1)

    def beat() -> None:
        if next(rounds) > MAX_ROUNDS_OF_DRAIN:
            raise PromiseBroken("a drain never ends")

    drain.beat = beat
    drain.run(seconds)


def _until_idle(stage: Stage, drain: Drain) -> None:
    for _ in range(MAX_ROUNDS):
        _catch_up(stage)
        run_drain(drain)
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
        raise PromiseBroken(f"never becomes quiet: {work.backlog(tx, stage.clock.now())}")


def _catch_up(stage: Stage) -> None:
    """Let the clock start what a ledger needs that was put back, as long as it needs anything."""
    with stage.ledger.read() as tx:
        behind = catch_up.by_connection(tx)
    if behind:
        schedule.start_due_runs(stage.context, stage.ledger)


def reconcile_until_known(stage: Stage) -> None:
    """Reconcile everything, and again once systems have derived what they derive from it."""
    if len(stage.home.drawn_connections()) < len(stage.apps):
        reconcile_all(stage)
        stage.clock.sleep(DERIVATION_SECONDS)
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
