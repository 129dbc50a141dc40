"""After the storm: heal everything, reconcile once, and see from the vendors' own records whether the promises held."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from bridge.flow import reconcile
from bridge.ledger import health, inbox, parking, work
from bridge.sandbox.server import evidence
from bridge.sandbox.verify import Report, VerifyInput, verify
from bridge.simulate.facts import AMBIGUOUS, facts
from bridge.simulate.play import Broken, Player
from bridge.simulate.stage import Stage

ROUNDS: Final = 300
DERIVING: Final = 3600.0
HURRY: Final = 0.08
"""Seconds that any wait takes while all comes to rest: nothing happens then in between."""
WINDOW: Final = 0.06
"""Seconds from a read of ours to the write that follows in the same step: never more without a fault."""
CALLS_WHILE_REFUSED: Final = 24
"""Of what was under way already: a drain has sixteen pieces of work in hand, each worker one."""
HUMANS = (AMBIGUOUS, "unsafe", "create refused")
"""Why work may be set aside for good: only a human can decide."""
PROMISES = (
    "nothing accepted is lost",
    "convergence",
    "a second reconciliation writes nothing",
    "no duplicates",
    "no echo",
    "no edit overwritten in silence",
    "courtesy",
    "one verdict a webhook",
    "no forbidden calls",
)


@dataclass(slots=True)
class Verdict:
    """What became of one seed."""

    broken: list[str] = field(default_factory=list)
    refs: set[str] = field(default_factory=set)
    """Ids of the records concerned."""
    report: Report = field(default_factory=Report)


def judge(player: Player) -> Verdict:
    """Quiet the storm and judge."""
    stage, verdict = player.stage, Verdict()
    try:
        player.count()
        quiesce(player)
        player.calm()
        settle(stage)
        if len(stage.ground.drawn()) < len(stage.apps):
            # A system on which nobody works derives values of its own from what it got: that comes back later.
            run_all(stage)
            stage.clock.sleep(DERIVING)
        run_all(stage)
        _check(player, verdict)
        before = writes(stage)
        run_all(stage)
        if writes(stage) != before:
            rows = [entry for app in stage.apps.values() for entry in app.journal.since() if _wrote(entry.row())]
            late = sorted(rows, key=lambda row: row.seq)[before:]
            verdict.broken.append(
                f"a second reconciliation wrote: {[(row.connection, row.id, dict(row.sent)) for row in late]}"
            )
            verdict.refs |= {row.id for row in late}
    except Broken as broken:
        verdict.broken.append(str(broken))
    return verdict


def quiesce(player: Player) -> None:
    """Heal the vendors, let all workers die, bring or drop the webhooks that are still on their way."""
    stage = player.stage
    stage.tell("-- the storm is over")
    for worker in stage.workers:
        worker.drop()
    for name, line in stage.lines.items():
        line.heal()
        if "tags_licensed" in stage.apps[name].options:
            stage.apps[name].options["tags_licensed"] = True
        mail = stage.mails[name]
        while mail.waiting:
            if stage.rng.random() < 0.5:
                mail.deliver(0)
            else:
                mail.lose(0)
    with stage.ledger.transaction() as tx:
        for name in stage.lines:
            health.resume(tx, name)
    stage.clock.sleep(400)


def settle(stage: Stage) -> None:
    """Let time pass and work be done until nothing is left that time alone would bring."""
    drain, stage.clock.shortest = stage.drain(), HURRY
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
        raise Broken(f"never comes to rest: {work.backlog(tx, stage.clock.now())}")


def run_all(stage: Stage) -> None:
    """Reconcile everything once, as the nightly run does."""
    stage.tell("-- one full reconciliation")
    for sync in stage.context.syncs.values():
        for name in sync.members:
            with stage.ledger.transaction() as tx:
                reconcile.start(tx, name, sync.entity, "full", stage.clock.now())
    settle(stage)
    stage.clock.sleep(timedelta(minutes=2).total_seconds())


def evidence_of(stage: Stage) -> VerifyInput:
    """Gather what the verdict rests on."""
    with stage.ledger.read() as tx:
        told = facts(stage.context, tx)
    seconds = (stage.clock.now() - stage.began).total_seconds()
    run = {"kind": "run", "seed": stage.script.seed, "seconds": seconds, "window": WINDOW}
    return evidence(stage.apps.values(), [*told, run])


def writes(stage: Stage) -> int:
    """Count what the bridge has changed anywhere."""
    return sum(_wrote(entry.row()) for app in stage.apps.values() for entry in app.journal.since())


def _wrote(row: dict[str, Any]) -> bool:
    return row["actor"] == "bridge" and row["kind"] in {"write", "create", "delete"}


def _check(player: Player, verdict: Verdict) -> None:
    stage = player.stage
    report = verdict.report = verify(evidence_of(stage))
    for kind in ("drifted", "unlinked", "duplicates", "lost_edits", "echo_writes"):
        for row in report.details.get(kind, []):
            verdict.broken.append(f"{kind}: {row}")
            refs = row.get("refs") or {"": row["ref"][1]}
            verdict.refs |= {str(ref) for ref in refs.values()}
    if report.forbidden_calls:
        verdict.broken.append(f"{report.forbidden_calls} calls that a sync must never make")
    for line in stage.lines.values():
        verdict.broken += line.rude[:3]
        if line.refused > CALLS_WHILE_REFUSED:
            verdict.broken.append(f"{line.app.name}: {line.refused} calls with a key that was refused")
    player.count()
    with stage.ledger.read() as tx:
        verdicts = inbox.counts(tx)
        aside = [row for row in parking.parked(tx, 10_000) if row.cause not in HUMANS]
    verdict.broken += [f"parked: {row.key}: {row.cause}: {row.why}" for row in aside]
    if verdicts.get(inbox.PENDING):
        verdict.broken.append(f"{verdicts[inbox.PENDING]} accepted webhooks never got their verdict: {verdicts}")
    stage.counts["verdicts"] += sum(verdicts.values())
