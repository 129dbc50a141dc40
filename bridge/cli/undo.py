"""`bridge undo RUN`: take back what a run wrote, where the records still have it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import click

from bridge.cli.operator import at_desk
from bridge.cli.process import working
from bridge.cli.screen import say, say_json
from bridge.cli.value_text import short_value
from bridge.core.model.counting import counted
from bridge.errors import Busy
from bridge.observability.visible_text import visible
from bridge.operations import undos
from bridge.operations.undos import RunningUndo, Standing, UndoOutcome, UndoPlan

MAX_SHOWN: Final = 50
"""Records that are listed for people; `--json` has all."""


@click.command("undo")
@click.argument("run", type=int)
@click.option(
    "--dry-run", is_flag=True, help="Only say what the run wrote, and what was there before."
)
@click.option(
    "--delete-created",
    is_flag=True,
    help="Also delete what it made where the sync says no `allow_delete`.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(run: int, dry_run: bool, delete_created: bool, yes: bool, as_json: bool) -> None:
    """Take back what RUN (see `bridge runs`) wrote.

    What was changed there since is listed and left alone. Tickets of which something was taken back
    are paused, so that the bridge does not do it again; `bridge link resume` lets one go on. It
    works with the bridge stopped, too, and one that was interrupted goes on when it is given again.
    """
    if dry_run:
        with at_desk() as desk:
            _say_plan(undos.plan_undo(desk, run), dry_run=True, as_json=as_json)
        return
    with working("undo") as (bridge, desk):
        plan = undos.plan_undo(desk, run)
        _say_plan(plan, dry_run=False, as_json=as_json)
        if not (plan.made or plan.changed):
            return
        if not yes:
            click.confirm("Take this back?", abort=True, err=as_json)
        try:
            running = undos.start_undo(desk, run, delete_created=delete_created)
        except Busy as error:
            raise click.ClickException(visible(str(error))) from error
        left = undos.work_off(bridge, running.id)
        outcome = undos.finish_undo(desk, running, left)
    _print(running, outcome, as_json=as_json)
    if outcome.left.waiting or outcome.left.parked:
        raise SystemExit(1)


def _say_plan(plan: UndoPlan, *, dry_run: bool, as_json: bool) -> None:
    """Say what the run wrote; `as_json`: for programs where nothing else comes after it."""
    if dry_run and as_json:
        say_json(plan)
    else:
        made, wrote = counted(plan.made, "record"), counted(plan.changed, "time")
        did = f"made {made} and wrote to others {wrote}"
        say(f"run {plan.run} ({plan.kind} of {plan.connection}) {did}", err=as_json)
    if dry_run and plan.records and not as_json:
        _list_records(plan)
    _say_standing(plan.standing, dry_run=dry_run)


def _list_records(plan: UndoPlan) -> None:
    """Say what would be taken back, record by record."""
    for record in plan.records[:MAX_SHOWN]:
        back = [
            f"{name} {short_value(value)} → {short_value(record.before.get(name))}"
            for name, value in record.written.items()
        ]
        say(f"  {record.ref}  {'made' if record.made else '  '.join(back)}")
    if len(plan.records) > MAX_SHOWN:
        say(f"  and {len(plan.records) - MAX_SHOWN} more")
    if plan.made:
        say("what it made is deleted only with --delete-created, or where the sync allows deletes")
    say("what was changed there since is left alone")


def _say_standing(standing: Standing, *, dry_run: bool) -> None:
    """Say what goes on all the same, and what is in the way: an error unless this is a dry run."""
    if standing.later:
        say(standing.later, err=True)
    if standing.refused and not dry_run:
        raise click.ClickException(visible(standing.refused))
    if standing.refused:
        say(f"it cannot be taken back yet: {standing.refused}", err=True)


def _print(running: RunningUndo, outcome: UndoOutcome, *, as_json: bool) -> None:
    waiting = outcome.left.waiting
    if as_json:
        kept = [asdict(record) for record in outcome.kept]
        ended = {"run": running.run, "undone": outcome.tickets, "left": kept}
        say_json(ended | {"waiting": waiting})
    else:
        undone = counted(outcome.tickets, "ticket")
        say(f"{undone} taken back, {len(outcome.kept)} left as they are")
        for record in outcome.kept[:MAX_SHOWN]:
            say(f"  {record.ref}  {record.why}")
        if len(outcome.kept) > MAX_SHOWN:
            say(f"  and {len(outcome.kept) - MAX_SHOWN} more: --json lists them all")
    if waiting:
        reasons = "; ".join(outcome.waits_for)
        say(f"{waiting} wait and are taken back later: {reasons}", err=True)
