"""`bridge reconcile`: the scheduled comparison, now."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from typing import Any, Final

import click

from bridge.cli.drift_lines import drift_line
from bridge.cli.process import working
from bridge.cli.run_progress import ProgressDisplay
from bridge.cli.screen import say, say_json
from bridge.core.model.counting import counted
from bridge.operations import reconciliations
from bridge.operations.reconciliations import RunOutcome

MAX_SHOWN: Final = 20


@click.command("reconcile")
@click.argument("connection", required=False)
@click.option(
    "--full", is_flag=True, help="List everything, not only what changed since the last time."
)
@click.option(
    "--report-only", "report", is_flag=True, help="Say what differs; ask for nothing, heal nothing."
)
@click.option(
    "--accept-absences",
    "accept",
    is_flag=True,
    help="With --full: believe a listing that lacks many known records.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(connection: str | None, full: bool, report: bool, accept: bool, as_json: bool) -> None:
    """Compare CONNECTION (default: all) with the ledger, heal what differs, print what was found.

    The work is done here, beside the workers if there are any; 1 when some of it could not be
    finished.
    """
    if accept and not (full and connection):
        raise click.UsageError(
            "--accept-absences wants a CONNECTION and --full: absence shows in full listings only"
        )
    with working("reconcile") as (bridge, desk):
        run_ids = reconciliations.start_reconciliations(
            bridge, desk, connection, full=full, report=report, accept_absences=accept
        )
        look = partial(reconciliations.progress, desk, run_ids)
        with nullcontext() if as_json else ProgressDisplay(look):
            reconciliations.work_off(bridge, run_ids)
        runs = reconciliations.outcomes(desk, run_ids)
    for run in runs:
        if as_json:
            say_json(_as_json(run))
        else:
            _print(run)
    if not all(run.ok for run in runs):
        raise SystemExit(1)


def _as_json(run: RunOutcome) -> dict[str, Any]:
    values = asdict(run)
    if run.only_reported:
        where = {"connection": run.connection, "entity": run.entity}
        for found in values["found"]:
            del found["healed_at"]
        values["found"] = [where | found for found in values["found"]]
    return values


def _print(run: RunOutcome) -> None:
    done = "done" if run.finished else "not finished; the workers go on with it"
    healed = "" if run.only_reported else f", {run.healed} healed"
    counts = f"{run.seen} seen, {run.differed} differed{healed}"
    say(f"{run.connection} {run.entity}: {counts}: {run.error or done}")
    if run.unreadable:
        shown = "; ".join(run.unreadable_rows)
        rows = counted(run.unreadable, "row that shows", "rows that show")
        say(f"  left out {rows} no record: {shown}")
    if run.absences:
        say(f"  absences {run.absences}")
    for found in run.found[:MAX_SHOWN]:
        say("  " + drift_line(found, with_healing=not run.only_reported))
    if run.differed > MAX_SHOWN:
        say(f"  … and {run.differed - MAX_SHOWN} more: `bridge drift {run.connection}`")
