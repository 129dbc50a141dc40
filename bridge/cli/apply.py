"""`bridge apply`: plan again, show it, ask, and do exactly that."""

from __future__ import annotations

from typing import Final

import click

from bridge.cli.plan_lines import print_plan
from bridge.cli.planning import opened
from bridge.cli.process import lend_redis
from bridge.cli.screen import say
from bridge.core.model.counting import counted
from bridge.core.model.outcome_meanings import in_words
from bridge.home import find_home
from bridge.operations import plans
from bridge.operations.desk import Desk
from bridge.preview.apply import Applied
from bridge.preview.dry_run import Preview
from bridge.wiring import Bridge

SAMPLE: Final = 5
"""Writes of each kind that are shown."""
MAX_SHOWN: Final = 20


@click.command("apply")
@click.argument("sync", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--override-unsafe", is_flag=True, help="Also when it would delete, close or empty too much."
)
@click.option(
    "--held",
    metavar="CONNECTION",
    help="Only let the writes through that are held as unsafe there.",
)
@click.option("--sandbox", is_flag=True, help="In the running sandbox, or not at all.")
def command(
    sync: str | None, yes: bool, override_unsafe: bool, held: str | None, sandbox: bool
) -> None:
    """Write what `bridge plan --live` shows for SYNC (default: all), and nothing else.

    It plans again first and says what has moved since the last plan. What changes meanwhile is left
    to the workers.
    """
    with opened(sandbox=sandbox, writes="apply") as (bridge, desk):
        if held is not None:
            _release(desk, held, yes=yes)
            return
        plan = _plan_again(bridge, desk, sync)
        _refuse(plan, override_unsafe=override_unsafe)
        if not plan.writes:
            return
        if not yes:
            click.confirm(f"Make {counted(len(plan.writes), 'write')}?", abort=True)
        applied = plans.carry_out(bridge, desk, sync, plan, override_unsafe=override_unsafe)
    _print(applied, len(plan.writes))
    if applied.left or applied.errors or applied.parked:
        raise SystemExit(1)


def _plan_again(bridge: Bridge, desk: Desk, sync: str | None) -> Preview:
    """Plan, and show the plan and how it differs from the last one."""
    lend_redis(bridge.config.settings.redis)
    plan = plans.make_plan(bridge, desk, sync, live=True)
    print_plan(plan, [], SAMPLE)
    home = find_home()
    changes = plans.changes_since_last(home, sync, plan)
    if changes is not None:
        differ = f"{counted(len(changes), 'write differs', 'writes differ')} from the last plan"
        say(differ if changes else "as in the last plan")
        for change in changes[:MAX_SHOWN]:
            say(f"  {change}")
    plans.remember(home, sync, plan)
    return plan


def _refuse(plan: Preview, *, override_unsafe: bool) -> None:
    """Raise ClickException when the plan must not be carried out."""
    if plan.stopped:
        raise click.ClickException(
            "a listing was not believed; mend that first (see above), then plan again"
        )
    if plan.unsafe and not override_unsafe:
        raise click.ClickException(
            "the plan is unsafe and nothing was written; --override-unsafe does it anyway"
        )


def _print(applied: Applied, planned: int) -> None:
    runs = ", ".join(map(str, applied.runs))
    writes, calls = counted(planned, "write"), counted(applied.done, "call")
    say(f"{writes} planned, {calls} made for them by runs {runs}")
    if applied.left:
        say(f"{applied.left} were not needed or not possible any more")
    for write in applied.unplanned[:MAX_SHOWN]:
        say(f"left to the workers: {write}")
    for code, count in applied.parked.items():
        say(f"{count} set aside: {in_words(code)}; see `bridge parked list`")
    for error in applied.errors:
        say(error, err=True)


def _release(desk: Desk, connection: str, *, yes: bool) -> None:
    """Let the writes through that are held as unsafe on a connection, once."""
    held = plans.held_writes(desk, connection)
    if not held:
        say(f"nothing is held on {connection}")
        return
    for write in held[:MAX_SHOWN]:
        say(f"  {write.subject}  {write.why}")
    if not yes:
        click.confirm(f"Let {counted(len(held), 'write')} through?", abort=True)
    say(f"{plans.release_held(desk, connection, held)} freed")
