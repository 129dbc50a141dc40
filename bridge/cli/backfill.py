"""`bridge backfill SYNC`: the first import."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click

from bridge.cli.import_progress import show_progress
from bridge.cli.import_report import outcome_as_json, print_costs, print_outcome
from bridge.cli.process import working
from bridge.cli.screen import say, say_json
from bridge.core.model.counting import counted
from bridge.operations import imports


@click.command("backfill")
@click.argument("sync")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Leave out what is older (UTC).",
)
@click.option(
    "--newest-first/--oldest-first",
    default=False,
    help="What is taken up first of all that was listed.",
)
@click.option(
    "--limit",
    "--max-creates",
    "limit",
    type=click.IntRange(0),
    help="Make at most so many records in this import, over all systems.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs: one object at the end.")
def command(
    sync: str, since: datetime | None, newest_first: bool, limit: int | None, as_json: bool
) -> None:
    """Import everything that SYNC mirrors: match first, then link, then make what is missing.

    It goes in the lowest lane, and may be stopped and started again at any time: nothing is made
    twice.
    """
    with working("backfill") as (bridge, desk):
        costs = imports.estimate_cost(desk, sync)
        if not as_json:
            print_costs(costs)
        run_ids = imports.start_import(
            desk,
            sync,
            since=since.replace(tzinfo=UTC) if since else None,
            newest_first=newest_first,
            max_creates=limit,
        )
        steps = imports.follow_import(bridge, desk, run_ids)
        progress = show_progress(steps, imports.allowed_rates(desk), quiet=as_json)
        outcome = imports.outcome(desk, run_ids)
    if as_json:
        values = {"forecast": [asdict(cost) for cost in costs], "runs": run_ids}
        say_json(values | outcome_as_json(progress, outcome))
    else:
        ids = ", ".join(map(str, run_ids))
        say(f"runs {ids}: {counted(progress.listed, 'record')} listed, {outcome.made} made")
        print_outcome(progress, outcome)
    if outcome.left.waiting or progress.errors or progress.halted or progress.paused:
        raise SystemExit(1)
