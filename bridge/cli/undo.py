"""`bridge undo RUN`: take back what a run wrote, where the records still have it."""

from __future__ import annotations

import json
import time

import click

from bridge import home as homes
from bridge import wiring
from bridge.cli.accounts import follow_sandbox
from bridge.cli.operator import actor
from bridge.cli.processes import begin
from bridge.flow import undo as undoing
from bridge.ledger import audit, journal, runs, written

LONGEST = 6 * 3600.0
SHOWN = 50


@click.command()
@click.argument("run", type=int)
@click.option("--dry-run", is_flag=True, help="Only say how much the run wrote.")
@click.option("--delete-created", is_flag=True, help="Also delete what it made where the sync says no `allow_delete`.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def undo(run: int, dry_run: bool, delete_created: bool, yes: bool, as_json: bool) -> None:
    """Take back what RUN (see `bridge status`) wrote. What was changed there since is listed and left alone.

    The tickets concerned are paused, so that the bridge does not do it again; `bridge link resume` lets one go on.
    """
    follow_sandbox(homes.find_home())
    engine = begin("undo")
    with engine.ledger.read() as tx:
        found = runs.get(tx, str(run))
        if found is None:
            raise click.UsageError(f"there is no run {run}; `bridge status` lists the latest ones")
        made, changed = written.made(tx, run), written.changed(tx, run)
        waiting = written.left(tx, [run]).waiting
        position = journal.newest(tx)
    did = f"made {len(made)} records and wrote to others {len(changed)} times"
    told = f"run {run} ({found.kind} of {found.connection}) {did}"
    click.echo(told, err=as_json)
    if found.finished_at is None or waiting:
        raise click.ClickException(f"the run is not over yet ({waiting} pieces of work wait): let it end first")
    if dry_run or not (made or changed):
        engine.close()
        return
    if not yes:
        click.confirm("Take this back?", abort=True)
    now = engine.clock.now()
    with engine.ledger.transaction() as tx:
        mine, count = undoing.start(tx, str(run), now, delete_created=delete_created)
        if mine is None:
            raise click.ClickException("an undo is under way for this connection; wait for it to end")
        detail = {"records": count, "delete_created": delete_created}
        audit.add(tx, actor=actor(), action="undo", subject=f"run {run}", at=now, detail=detail)
    left = carry_out(engine, mine)
    with engine.ledger.transaction() as tx:
        runs.finish(tx, mine, engine.clock.now())
        lines = [line for line in journal.after(tx, position, limit=10_000_000) if line.detail.get("run") == run]
    engine.close()
    done = {line.link_id for line in lines if line.kind == undoing.UNDONE}
    kept = [line for line in lines if line.kind == undoing.LEFT]
    if as_json:
        rows = [{"ref": line.detail["ref"], "why": line.detail["why"]} for line in kept]
        click.echo(json.dumps({"run": run, "undone": len(done), "left": rows, "waiting": left.waiting}))
    else:
        click.echo(f"{len(done)} tickets taken back, {len(kept)} left as they are")
        for line in kept[:SHOWN]:
            click.echo(f"  {line.detail['ref']}  {line.detail['why']}")
        if len(kept) > SHOWN:
            click.echo(f"  and {len(kept) - SHOWN} more: --json lists them all")
    if left.waiting or left.parked:
        raise SystemExit(1)


def carry_out(engine: wiring.Engine, run_id: str) -> written.Left:
    """Drain until nothing of the run waits."""
    until = time.monotonic() + LONGEST
    while True:
        engine.drain()
        with engine.ledger.read() as tx:
            left = written.left(tx, [int(run_id)])
        if not left.waiting or time.monotonic() > until:
            return left
        engine.clock.sleep(0.1)
