"""After the storm: heal everything, reconcile once, and see from the vendors' own records whether the promises held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from bridge.ledger import parking, webhook_inbox
from bridge.operations.evidence import AMBIGUOUS, facts
from bridge.sandbox.rows_for_judge import gather
from bridge.simulate.healing import end_storm, finish_work
from bridge.simulate.play import Player
from bridge.simulate.quiet import (
    PromiseBroken,
    drain_until_quiet,
    reconcile_all,
    reconcile_until_known,
)
from bridge.simulate.stage import Stage
from bridge.verify.report import Report, VerifyInput, verify

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
class SeedVerdict:
    """What became of one seed."""

    broken: list[str] = field(default_factory=list)
    refs: set[str] = field(default_factory=set)
    """Ids of the records concerned."""
    report: Report = field(default_factory=Report)


def judge(player: Player) -> SeedVerdict:
    """Quiet the storm and judge."""
    stage, verdict = player.stage, SeedVerdict()
    try:
        player.count()
        end_storm(player)
        finish_work(player)
        drain_until_quiet(stage)
        reconcile_until_known(stage)
        _check(player, verdict)
        before = writes(stage)
        reconcile_all(stage)
        if writes(stage) != before:
            rows = [
                entry
                for app in stage.apps.values()
                for entry in app.journal.since()
                if _wrote(entry.row())
            ]
            late = sorted(rows, key=lambda row: row.seq)[before:]
            verdict.broken.append(
                f"a second reconciliation wrote: {[(row.connection, row.id, dict(row.sent)) for row in late]}"
            )
            verdict.refs |= {row.id for row in late}
    except PromiseBroken as broken:
        verdict.broken.append(str(broken))
    return verdict


def evidence_of(stage: Stage) -> VerifyInput:
    """Gather what the verdict rests on."""
    with stage.ledger.read() as tx:
        told = facts(stage.context, tx)
    seconds = (stage.clock.now() - stage.began).total_seconds()
    run = {"kind": "run", "seed": stage.script.seed, "seconds": seconds, "window": WINDOW}
    return VerifyInput(*gather(stage.apps.values(), [*told, *_listed(stage), run]))


def _listed(stage: Stage) -> Iterator[dict[str, Any]]:
    """Give when a vendor whose index lagged first left a record out of a listing, and when one first showed it."""
    for name, line in stage.lines.items():
        if line.left_out:
            for kind, found in (("left_out", line.left_out), ("listed", line.listed)):
                yield from (
                    {"kind": kind, "connection": name, "id": key, "at": at.isoformat()}
                    for key, at in found.items()
                )


def writes(stage: Stage) -> int:
    """Count what the bridge has changed anywhere."""
    return sum(_wrote(entry.row()) for app in stage.apps.values() for entry in app.journal.since())


def _wrote(row: dict[str, Any]) -> bool:
    return row["actor"] == "bridge" and row["kind"] in {"write", "create", "delete"}


def _check(player: Player, verdict: SeedVerdict) -> None:
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
            verdict.broken.append(
                f"{line.app.name}: {line.refused} calls with a key that was refused"
            )
    player.count()
    with stage.ledger.read() as tx:
        verdicts = webhook_inbox.counts(tx)
        aside = [row for row in parking.parked(tx, 10_000) if row.cause not in HUMANS]
    verdict.broken += [f"parked: {row.key}: {row.cause}: {row.why}" for row in aside]
    if verdicts.get(webhook_inbox.PENDING):
        verdict.broken.append(
            f"{verdicts[webhook_inbox.PENDING]} accepted webhooks never got their verdict: {verdicts}"
        )
    stage.counts["verdicts"] += sum(verdicts.values())
