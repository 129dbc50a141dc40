"""`bridge reconcile`: the scheduled comparison, now."""

from __future__ import annotations

import json
import time
from typing import Any, Final

import click

from bridge import home as homes
from bridge import wiring
from bridge.cli.accounts import follow_sandbox
from bridge.cli.processes import begin
from bridge.ledger import journal, runs, work
from bridge.ledger.runs import RunRow

LONGEST: Final = 3600.0
HEALING: Final = frozenset({"wrote", "created", "matched", "linked"})


@click.command()
@click.argument("connection", required=False)
@click.option("--full", is_flag=True, help="List everything, not only what changed since the last time.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def reconcile(connection: str | None, full: bool, as_json: bool) -> None:
    """Compare CONNECTION (default: all) with the ledger, and heal what differs; prints what was found.

    The work is done here, beside the workers if there are any; 1 when some of it could not be finished.
    """
    follow_sandbox(homes.find_home())
    engine = begin("reconcile")
    names = [connection] if connection else list(engine.config.connections)
    if connection and connection not in engine.config.connections:
        raise click.UsageError(f"no connection {connection}; allowed: {', '.join(engine.config.connections)}")
    with engine.ledger.read() as tx:
        before = journal.newest(tx)
    kind = "full" if full else "poll"
    started = [run_id for name in names for run_id in engine.start_run(name, kind)]
    if not started:
        raise click.ClickException("a run of this kind is under way already: see `bridge status`")
    finished = carry_out(engine, started)
    with engine.ledger.read() as tx:
        lines = journal.after(tx, before, limit=1_000_000)
    healed = {name: sum(line.connection == name and line.kind in HEALING for line in lines) for name in names}
    rows = [describe(run, healed[run.connection]) for run in finished]
    engine.close()
    for row in rows:
        if as_json:
            click.echo(json.dumps(row))
        else:
            done = row["error"] or ("done" if row["finished"] else "not finished")
            click.echo(
                f"{row['connection']}: {row['seen']} seen, {row['differed']} differed, {row['healed']} healed: {done}"
            )
    if not all(row["finished"] and not row["error"] for row in rows):
        raise SystemExit(1)


def carry_out(engine: wiring.Engine, ids: list[str]) -> list[RunRow]:
    """Drain until the runs have ended and nothing that they found is due."""
    until = time.monotonic() + LONGEST
    while True:
        engine.drain()
        now = engine.clock.now()
        with engine.ledger.read() as tx:
            found = [run for run_id in ids if (run := runs.get(tx, run_id)) is not None]
            backlog = work.backlog(tx, now)
        busy = backlog["due"] or backlog["claimed"]
        if (all(run.finished_at for run in found) and not busy) or time.monotonic() > until:
            return found
        engine.clock.sleep(0.1)


def describe(run: RunRow, healed: int) -> dict[str, Any]:
    """Give a run as plain values."""
    return {
        "connection": run.connection,
        "kind": run.kind,
        "seen": run.seen,
        "differed": run.hinted,
        "healed": healed,
        "finished": run.finished_at is not None,
        "error": run.error,
    }
