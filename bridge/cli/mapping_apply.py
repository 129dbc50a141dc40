"""`bridge mappings apply`: bring the tickets to what changed mappings say, as a run."""

from __future__ import annotations

import click

from bridge.cli.effect_lines import print_effect
from bridge.cli.planning import looking, opened
from bridge.cli.process import lend_redis
from bridge.cli.screen import say, say_json
from bridge.errors import Busy
from bridge.observability.visible_text import visible
from bridge.operations import mapping_runs, mapping_trials


@click.command("apply")
@click.option("--since", type=int, metavar="N", help="[default: the revision before]")
@click.option("--read", "reads", is_flag=True, help="Read what the ledger does not know.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--override-unsafe", is_flag=True, help="Also when it is more than the guard lets through."
)
@click.option("--json", "as_json", is_flag=True, help="For programs, with --yes.")
def apply(since: int | None, reads: bool, yes: bool, override_unsafe: bool, as_json: bool) -> None:
    """Write to the tickets what the mappings in force change against revision N, and no more.

    It shows the effect first, and asks. The workers carry it out as one run, below all else:
    `bridge runs` shows how far it is and pauses it, `bridge undo RUN` takes it back. Tickets that
    humans edit meanwhile are left alone.
    """
    if as_json and not yes:
        raise click.UsageError("with --json, say --yes: a program cannot be asked")
    with opened(sandbox=False) as (bridge, desk):
        mapping_runs.refuse_beside(desk)
        if reads:
            lend_redis(bridge.config.settings.redis)
        change = mapping_trials.since(desk, since)
        read = mapping_trials.reader(bridge, desk) if reads else None
        with looking() as look, mapping_runs.planned_at(desk, change, look, read) as plan:
            for name, why in (read.failed if read is not None else {}).items():
                say(f"{name} could not be read: {why}", err=True)
            if not as_json:
                say(f"the mappings in force, against {change.name}:")
                print_effect(plan.summary)
            if plan.summary.unsafe and not override_unsafe:
                raise click.ClickException(
                    "it is unsafe and nothing was done; --override-unsafe does it anyway"
                )
            if not yes:
                click.confirm("Carry this out?", abort=True)
            try:
                run = mapping_runs.confirm(desk, plan, override_unsafe=override_unsafe)
            except Busy as error:
                raise click.ClickException(visible(str(error))) from error
    if as_json:
        say_json({"run": run or None, "effect": plan.summary.as_data()})
    elif run:
        say(
            f"run {run} carries it out: `bridge runs show {run}` shows how far it is, "
            f"`bridge undo {run}` takes it back"
        )
    else:
        say("there is nothing to do")
