"""The verdict on one seed: everything heals, is reconciled once, and then the judge looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from bridge.core.model.counting import counted
from bridge.ledger import parking, webhook_inbox
from bridge.ledger.connection_health import FIRST_STOP
from bridge.operations.evidence import AMBIGUOUS, facts
from bridge.sandbox.journal import Entry
from bridge.sandbox.rows_for_judge import gather
from bridge.simulate import second_requests
from bridge.simulate.healing import end_storm, finish_work
from bridge.simulate.play import Player
from bridge.simulate.quiet import (
    PromiseBroken,
    drain_until_quiet,
    reconcile_all,
    reconcile_until_known,
)
from bridge.simulate.script import WORKERS
from bridge.simulate.stage import Stage
from bridge.verify.report import Report, VerifyInput, verify

WINDOW_SECONDS: Final = 0.06
"""From a read of ours to the write that follows in the same step: never more without a fault."""
MAX_CALLS_UNDER_WAY: Final = WORKERS + 2
"""With a key that is refused, before everybody knows: each worker's one, if its work was begun
before; and of a drain, with one call at a time, the one that is refused and the one sent before
that is written down."""
LONGEST_REST: Final = timedelta(hours=1)
"""Between two trials of a refused key."""
HUMAN_CAUSES = (AMBIGUOUS, "unsafe", "create refused")
"""Why work may stay parked: only a human can decide."""
PROMISES = (
    "nothing accepted is lost",
    "convergence",
    "a second reconciliation writes nothing",
    "no duplicates",
    "no echo",
    "no edit overwritten in silence",
    "no new request joins one that had ended",
    "courtesy",
    "one verdict a webhook",
    "no forbidden calls",
    "no undocumented calls",
)


@dataclass(slots=True)
class SeedVerdict:
    """The promises that one seed broke."""

    broken: list[str] = field(default_factory=list)
    refs: set[str] = field(default_factory=set)
    """Ids of the records concerned."""
    report: Report = field(default_factory=Report)


def judge(player: Player) -> SeedVerdict:
    """End the storm and judge."""
    stage, verdict = player.stage, SeedVerdict()
    try:
        player.count()
        end_storm(player)
        finish_work(player)
        drain_until_quiet(stage)
        reconcile_until_known(stage)
        _check_evidence(stage, verdict)
        verdict.broken += second_requests.joined_to_an_end(stage, player.second_requests)
        _check_manners(stage, verdict)
        player.count()
        _check_ledger(stage, verdict)
        _reconcile_again(stage, verdict)
    except PromiseBroken as broken:
        verdict.broken.append(str(broken))
    return verdict


def evidence_of(stage: Stage) -> VerifyInput:
    """Return all evidence of a stage."""
    with stage.ledger.read() as tx:
        ledger_facts = facts(stage.context, tx)
    seconds = (stage.clock.now() - stage.began).total_seconds()
    run = {"kind": "run", "seed": stage.script.seed, "seconds": seconds, "window": WINDOW_SECONDS}
    return VerifyInput(
        *gather(stage.apps.values(), [*stage.lost_facts, *ledger_facts, *_shown(stage), run])
    )


def _shown(stage: Stage) -> Iterator[dict[str, Any]]:
    """Yield when a lagging vendor first left a record out of a listing, and when one showed it.

    Then while which time no answer showed a record.
    """
    for name, line in stage.lines.items():
        for each in line.illegible:
            until = (each.until or stage.clock.now()).isoformat()
            fact = {"kind": "illegible", "connection": name, "id": each.id}
            yield fact | {"at": each.since.isoformat(), "until": until}
        if line.left_out:
            for kind, times in (("left_out", line.left_out), ("listed", line.listed)):
                for record_id, at in times.items():
                    fact = {"kind": kind, "connection": name, "id": record_id}
                    yield fact | {"at": at.isoformat()}


def _writes(stage: Stage) -> list[Entry]:
    """Return all that the bridge has changed anywhere, in order."""
    entries = [entry for app in stage.apps.values() for entry in app.journal.since()]
    writes = [
        entry
        for entry in entries
        if entry.actor == "bridge" and entry.kind in {"write", "create", "delete"}
    ]
    return sorted(writes, key=lambda entry: entry.seq)


def _check_evidence(stage: Stage, verdict: SeedVerdict) -> None:
    """Have the evidence judged."""
    report = verdict.report = verify(evidence_of(stage))
    for kind in ("drifted", "unlinked", "duplicates", "lost_edits", "echo_writes"):
        for row in report.details.get(kind, []):
            verdict.broken.append(f"{kind}: {row}")
            refs = row.get("refs") or {"": row["ref"][1]}
            verdict.refs |= {str(ref) for ref in refs.values()}
    if report.forbidden_calls:
        verdict.broken.append(
            f"{counted(report.forbidden_calls, 'call')} that a sync must never make"
        )
    for row in report.details.get("undocumented_calls", []):
        verdict.broken.append(f"undocumented call: {row}")


def _check_manners(stage: Stage, verdict: SeedVerdict) -> None:
    """Check that Retry-After was respected, and a connection stopped whose key was refused."""
    for name, line in stage.lines.items():
        verdict.broken += line.early_calls[:3]
        poll = stage.home.config.connections[name].poll
        for heard in line.refusals:
            if calls_beyond_trials(heard, poll) > MAX_CALLS_UNDER_WAY:
                calls = f"{counted(len(heard), 'call')} in {heard[-1] - heard[0]}"
                verdict.broken.append(f"{name}: {calls} with a key that was refused")


def calls_beyond_trials(heard: Sequence[datetime], poll: timedelta | None) -> int:
    """Return how many calls with a refused key were no trials of it; `heard`: when, in order.

    The first trial may come as long after the first refusal as the next poll would have, each later
    one after twice the rest, and at least once an hour.
    """
    calls, last, rest = 1, heard[0], min(poll or FIRST_STOP, LONGEST_REST)
    for at in heard[1:]:
        if at - last >= rest:
            last, rest = at, min(2 * rest, LONGEST_REST)
        else:
            calls += 1
    return calls


def _check_ledger(stage: Stage, verdict: SeedVerdict) -> None:
    """Check that no work is parked without need, and that every webhook got its verdict.

    One row tells of a word that a deployment refuses, for all tickets.
    """
    with stage.ledger.read() as tx:
        verdicts = webhook_inbox.counts(tx)
        parked = [row for row in parking.parked(tx, 10_000) if row.cause not in HUMAN_CAUSES]
    told: set[tuple[str, str]] = set()
    for row in parked:
        finding = (row.connection, row.learned)
        if not row.learned or finding in told:
            verdict.broken.append(f"parked: {row.key}: {row.cause}: {row.why}")
        told.add(finding)
    pending = verdicts.get(webhook_inbox.PENDING)
    if pending:
        never = f"{pending} accepted webhooks never got their verdict"
        verdict.broken.append(f"{never}: {verdicts}")
    stage.counts["verdicts"] += sum(verdicts.values())


def _reconcile_again(stage: Stage, verdict: SeedVerdict) -> None:
    """Check that one more reconciliation writes nothing."""
    before = len(_writes(stage))
    reconcile_all(stage)
    late = _writes(stage)[before:]
    if late:
        written = [(entry.connection, entry.id, dict(entry.sent)) for entry in late]
        verdict.broken.append(f"a second reconciliation wrote: {written}")
        verdict.refs |= {entry.id for entry in late}
