"""`bridge reconcile`: the scheduled comparison, now."""

from __future__ import annotations

import json
import sys
import threading
import time
from datetime import datetime
from typing import Any, Final, Self

import click

from bridge import home as homes
from bridge import wiring
from bridge.cli.operator import write_down
from bridge.cli.process import begin
from bridge.cli.running_sandbox import follow_sandbox
from bridge.errors import BridgeError
from bridge.ledger import drift_findings, run_records, work
from bridge.ledger.drift_findings import Drifted
from bridge.ledger.run_records import RunRow
from bridge.operations.times import when

LONGEST: Final = 3600.0
LOOK: Final = 0.5
SHOWN: Final = 20
FOUND: Final = ("changed", "new", "absent", "owed")


@click.command()
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
def reconcile(
    connection: str | None, full: bool, report: bool, accept: bool, as_json: bool
) -> None:
    """Compare CONNECTION (default: all) with the ledger, and heal what differs; prints what was found.

    The work is done here, beside the workers if there are any; 1 when some of it could not be
    finished.
    """
    follow_sandbox(homes.find_home())
    if accept and not (full and connection):
        raise click.UsageError(
            "--accept-absences wants a CONNECTION and --full: absence shows in full listings only"
        )
    engine = begin("reconcile")
    names = [connection] if connection else list(engine.config.connections)
    if connection and connection not in engine.config.connections:
        raise click.UsageError(
            f"no connection {connection}; allowed: {', '.join(engine.config.connections)}"
        )
    if accept:
        with engine.ledger.transaction() as tx:
            write_down(
                tx, "accept absences", str(connection), engine.clock.now(), {"report_only": report}
            )
    kind = "full" if full else "poll"
    started = [
        each
        for name in names
        for each in engine.start_run(name, kind, report=report, accept=accept)
    ]
    if not started:
        raise click.ClickException("a run of this kind is under way already: see `bridge status`")
    with Watch(engine, started, quiet=as_json):
        carry_out(engine, started)
    with engine.ledger.transaction() as tx:
        drift_findings.mark_healed(tx)
        finished = [run for each in started if (run := run_records.get(tx, each)) is not None]
        rows = [
            describe(
                run,
                drift_findings.counts(tx, run.id),
                drift_findings.recent(tx, runs=[run.id], limit=1000),
            )
            for run in finished
        ]
    engine.close()
    for row in rows:
        show(row, as_json=as_json)
    if not all(row["finished"] and not row["error"] for row in rows):
        raise SystemExit(1)


class Watch:
    """Tells how far the runs are while they go on: in one line on a terminal, else in a line for each look."""

    def __init__(self, engine: wiring.Engine, ids: list[str], *, quiet: bool) -> None:
        self.engine, self.ids, self.quiet = engine, ids, quiet
        self.over = threading.Event()
        self.seen: dict[str, int] = {}
        self.wide = 0
        self.thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> Self:
        if not self.quiet:
            self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        if not self.quiet:
            self.thread.join()
            if self.wide:
                click.echo(f"\r{' ' * self.wide}\r", nl=False, err=True)

    def _watch(self) -> None:
        began = time.monotonic()
        while not self.over.wait(LOOK):
            try:
                with self.engine.ledger.read() as tx:
                    found = [
                        run for each in self.ids if (run := run_records.get(tx, each)) is not None
                    ]
            except BridgeError:
                continue  # the work itself says what is wrong
            for run in found:
                if run.seen != self.seen.get(run.id, 0):
                    self.seen[run.id] = run.seen
                    self._tell(run, time.monotonic() - began)

    def _tell(self, run: RunRow, seconds: float) -> None:
        pages = run.figures.get("pages", 0)
        line = (
            f"{run.connection} {run.entity}: {run.seen} seen on {pages} pages, "
            f"{differed(run)} differ, {seconds:.0f} s"
        )
        if not sys.stderr.isatty():
            click.echo(line, err=True)
            return
        click.echo("\r" + line.ljust(self.wide), nl=False, err=True)
        self.wide = len(line)


def carry_out(engine: wiring.Engine, ids: list[str]) -> None:
    """Drain until the runs have ended and nothing that they found can be healed any more for now."""
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        engine.drain()
        with engine.ledger.transaction() as tx:
            drift_findings.mark_healed(tx)
            ended = all(
                run.finished_at for each in ids if (run := run_records.get(tx, each)) is not None
            )
            backlog = work.backlog(tx, engine.clock.now())
            if (
                ended
                and not drift_findings.count_healing(tx, ids)
                and not (backlog["due"] or backlog["claimed"])
            ):
                return
        engine.clock.sleep(0.1)


def differed(run: RunRow) -> int:
    """Count what a run found so far."""
    return sum(run.figures.get(name, 0) for name in FOUND)


def describe(run: RunRow, counted: dict[str, int], found: list[Drifted]) -> dict[str, Any]:
    """Give a run and its findings as plain values."""
    report = run.kind == "report"
    rows = run.figures.get("found", []) if report else [plain(each) for each in reversed(found)]
    return {
        "connection": run.connection,
        "entity": run.entity,
        "kind": run.kind,
        "run": run.id,
        "seen": run.seen,
        "pages": run.figures.get("pages", 0),
        "unchanged": run.figures.get("unchanged", 0),
        "differed": differed(run),
        "missed": counted["missed"],
        "healed": counted["healed"],
        "absences": run.figures.get("absences", ""),
        "finished": run.finished_at is not None,
        "error": run.error,
        "found": [
            {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in each.items()
            }
            for each in rows
        ],
    }


def plain(each: Drifted) -> dict[str, Any]:
    """Give a finding as plain values."""
    return {
        "remote_id": each.remote_id,
        "kind": each.kind,
        "fields": each.fields,
        "since": each.since,
        "why": each.why,
        "healed_at": each.healed_at,
    }


def show(row: dict[str, Any], *, as_json: bool) -> None:
    """Print a run."""
    if as_json:
        click.echo(json.dumps(row))
        return
    done = row["error"] or (
        "done" if row["finished"] else "not finished; the workers go on with it"
    )
    healed = "" if row["kind"] == "report" else f", {row['healed']} healed"
    click.echo(
        f"{row['connection']} {row['entity']}: {row['seen']} seen, {row['differed']} differed{healed}: {done}"
    )
    if row["absences"]:
        click.echo(f"  absences {row['absences']}")
    for each in row["found"][:SHOWN]:
        click.echo("  " + finding(each))
    if row["differed"] > SHOWN:
        click.echo(f"  … and {row['differed'] - SHOWN} more: `bridge drift {row['connection']}`")


def finding(each: dict[str, Any]) -> str:
    """Give one finding as a line."""
    what = {"new": "not known", "absent": "not listed", "owed": "left undone"}.get(each["kind"], "")
    what = what or f"differs in {', '.join(each['fields']) or 'its existence'}"
    since = when(each["since"]) if each["since"] else "never read"
    healed = "" if "healed_at" not in each else ", healed" if each["healed_at"] else ", not healed"
    return f"{each['remote_id']}: {what} (last right {since}; {each['why']}{healed})"
