"""`bridge undo RUN`: take back what a run wrote, where the records still have it."""

from __future__ import annotations

from dataclasses import asdict

import click

from bridge.cli.kept_lines import MAX_SHOWN, print_foretold, print_taken_back
from bridge.cli.operator import at_desk
from bridge.cli.process import working
from bridge.cli.screen import say, say_json
from bridge.cli.value_text import short_value
from bridge.core.model.counting import counted
from bridge.errors import Busy
from bridge.observability.visible_text import visible
from bridge.operations import undo_forecasts, undos
from bridge.operations.undo_forecasts import UndoForecast
from bridge.operations.undos import RunningUndo, Standing, UndoOutcome, UndoPlan


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
            foretold = undo_forecasts.forecast(desk, run, delete_created=delete_created)
            _say_plan(undos.plan_undo(desk, run), foretold, dry_run=True, as_json=as_json)
        return
    with working("undo") as (bridge, desk):
        plan = undos.plan_undo(desk, run)
        foretold = undo_forecasts.forecast(desk, run, delete_created=delete_created)
        _say_plan(plan, foretold, dry_run=False, as_json=as_json)
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


def _say_plan(plan: UndoPlan, foretold: UndoForecast, *, dry_run: bool, as_json: bool) -> None:
    """Say what the run wrote, and what of it will be taken back; a dry run's JSON has all."""
    if dry_run and as_json:
        say_json(asdict(plan) | {"will_stay": [asdict(each) for each in foretold.left]})
    elif not as_json:
        made, wrote = counted(plan.made, "record"), counted(plan.changed, "time")
        did = f"made {made} and wrote to others {wrote}"
        say(f"run {plan.run} ({plan.kind} of {plan.connection}) {did}")
        if dry_run:
            _list_records(plan)
        if plan.records:
            left = [f"{each.ref}  {each.why}" for each in foretold.left]
            print_foretold(foretold.entities, len(left), left)
    _say_standing(plan.standing, dry_run=dry_run)


def _list_records(plan: UndoPlan) -> None:
    """Say what the run wrote, record by record."""
    for record in plan.records[:MAX_SHOWN]:
        back = [
            f"{name} {short_value(value)} → {short_value(record.before.get(name))}"
            for name, value in record.written.items()
        ]
        say(f"  {record.ref}  {'made' if record.made else '  '.join(back)}")
    if len(plan.records) > MAX_SHOWN:
        say(f"  and {len(plan.records) - MAX_SHOWN} more")


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
        ended = {"run": running.run, "undone": sum(outcome.back.values()), "left": kept}
        say_json(ended | {"waiting": waiting})
    else:
        left = [f"{record.ref}  {record.why}" for record in outcome.kept]
        print_taken_back(outcome.back, len(left), left)
    if waiting:
        reasons = "; ".join(outcome.waits_for)
        say(f"{waiting} wait and are taken back later: {reasons}", err=True)
