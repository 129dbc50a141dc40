"""`bridge undo RUN`: take back what a run wrote, where the records still have it."""

from __future__ import annotations

import json
import time
from datetime import datetime

import click

from bridge import home as homes
from bridge import wiring
from bridge.cli.operator import actor
from bridge.cli.process import begin
from bridge.cli.running_sandbox import follow_sandbox
from bridge.ledger import audit, run_records, run_writes, timeline
from bridge.ledger.database import Tx
from bridge.ledger.run_records import RunRow
from bridge.operations import availability
from bridge.runs import undo as undoing

LONGEST = 6 * 3600.0
SHOWN = 50


@click.command()
@click.argument("run", type=int)
@click.option("--dry-run", is_flag=True, help="Only say how much the run wrote.")
@click.option(
    "--delete-created",
    is_flag=True,
    help="Also delete what it made where the sync says no `allow_delete`.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def undo(run: int, dry_run: bool, delete_created: bool, yes: bool, as_json: bool) -> None:
    """Take back what RUN (see `bridge status`) wrote. What was changed there since is listed and left alone.

    The tickets concerned are paused, so that the bridge does not do it again; `bridge link resume`
    lets one go on.
    """
    follow_sandbox(homes.find_home())
    engine = begin("undo")
    with engine.ledger.read() as tx:
        found = run_records.get(tx, str(run))
        if found is None:
            raise click.UsageError(f"there is no run {run}; `bridge status` lists the latest ones")
        made, changed = run_writes.made(tx, run), run_writes.changed(tx, run)
        refused, later = standing(tx, found, engine.clock.now())
        position = timeline.newest(tx)
    did = f"made {len(made)} records and wrote to others {len(changed)} times"
    told = f"run {run} ({found.kind} of {found.connection}) {did}"
    click.echo(told, err=as_json)
    hear(refused, later, dry_run=dry_run)
    if dry_run or not (made or changed):
        engine.close()
        return
    if not yes:
        click.confirm("Take this back?", abort=True)
    now = engine.clock.now()
    with engine.ledger.transaction() as tx:
        mine, count = undoing.start(tx, str(run), now, delete_created=delete_created)
        if mine is None:
            raise click.ClickException(
                "an undo is under way for this connection; wait for it to end"
            )
        detail = {"records": count, "delete_created": delete_created}
        audit.add(tx, actor=actor(), action="undo", subject=f"run {run}", at=now, detail=detail)
    left = carry_out(engine, mine)
    with engine.ledger.transaction() as tx:
        run_records.finish(tx, mine, engine.clock.now())
        waits = availability.shut(tx, run_writes.waits_for(tx, [int(mine)]), engine.clock.now())
        lines = [
            line
            for line in timeline.after(tx, position, limit=10_000_000)
            if line.detail.get("run") == run
        ]
    engine.close()
    done = {line.link_id for line in lines if line.kind == undoing.UNDONE}
    kept = [line for line in lines if line.kind == undoing.LEFT]
    if as_json:
        rows = [{"ref": line.detail["ref"], "why": line.detail["why"]} for line in kept]
        click.echo(
            json.dumps({"run": run, "undone": len(done), "left": rows, "waiting": left.waiting})
        )
    else:
        say(len(done), kept)
    if left.waiting:
        click.echo(
            f"{left.waiting} wait and are taken back later: {'; '.join(waits.values())}", err=True
        )
    if left.waiting or left.parked:
        raise SystemExit(1)


def hear(refused: str, later: str, *, dry_run: bool) -> None:
    """Tell what stands in the way, or what goes on all the same. Raises ClickException when it is to be done now."""
    if later:
        click.echo(later, err=True)
    if refused and not dry_run:
        raise click.ClickException(refused)
    if refused:
        click.echo(f"it cannot be taken back yet: {refused}", err=True)


def say(done: int, kept: list[timeline.TimelineEntry]) -> None:
    """Say what was taken back, and what was left and why."""
    click.echo(f"{done} tickets taken back, {len(kept)} left as they are")
    for line in kept[:SHOWN]:
        click.echo(f"  {line.detail['ref']}  {line.detail['why']}")
    if len(kept) > SHOWN:
        click.echo(f"  and {len(kept) - SHOWN} more: --json lists them all")


def standing(tx: Tx, run: RunRow, now: datetime) -> tuple[str, str]:
    """Say why a run cannot be taken back now; or, if it can, what of it goes on all the same, later.

    Work that waits for a stopped connection is no obstacle: before it writes to a ticket it looks
    whether that is paused, and what is taken back here is. Where the run has written to that
    connection itself, it is one.
    """
    waits = run_writes.waits_for(tx, [int(run.id)])
    wrote = {connection for _link, connection, _entity in undoing.records(tx, run.id)}
    unlisted = {run.connection} if run.finished_at is None else set()
    names = {*waits, *wrote, *unlisted}
    shut, stopped = availability.shut(tx, names, now), set(availability.halted(tx, names))
    if beyond := sorted(wrote & stopped):
        why = "; ".join(shut[name] for name in beyond)
        return (
            f"{why}. What the run wrote there can be taken back after {availability.resume(beyond)}",
            "",
        )
    if not waits and not unlisted:
        return "", ""
    left = [f"its part on {name} has not ended" for name in sorted(unlisted)]
    left += [f"{number} pieces of work wait for {name}" for name, number in sorted(waits.items())]
    told = "; ".join(
        [", ".join(left), *(shut[name] for name in sorted({*waits, *unlisted} & shut.keys()))]
    )
    if {*waits, *unlisted} <= stopped:
        return (
            "",
            f"the run is not over ({told}): that goes on once resumed, but not for tickets that are taken back",
        )
    return f"the run is not over yet ({told}): let it end first", ""


def carry_out(engine: wiring.Engine, run_id: str) -> run_writes.LeftToDo:
    """Drain until nothing of the run waits, or all that does waits for connections that an operator must resume."""
    until = time.monotonic() + LONGEST
    while True:
        engine.drain()
        with engine.ledger.read() as tx:
            left = run_writes.left(tx, [int(run_id)])
            waits = run_writes.waits_for(tx, [int(run_id)])
            stuck = len(availability.halted(tx, waits)) == len(waits)
        if stuck or time.monotonic() > until:
            return left
        engine.clock.sleep(0.1)
