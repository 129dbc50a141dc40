"""`bridge plan`: what would be written, before anything is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from bridge.cli.plan_lines import print_plan
from bridge.cli.planning import looking, opened
from bridge.cli.process import lend_redis
from bridge.cli.screen import say_json
from bridge.home import find_home
from bridge.operations import plans
from bridge.operations.plans import HeldWrite
from bridge.preview.dry_run import Preview, summary


@click.command("plan")
@click.argument("sync", required=False)
@click.option(
    "--live",
    is_flag=True,
    help="List the systems (reads only); else from what the ledger knows of them.",
)
@click.option("--sample", default=5, show_default=True, help="Show so many writes of each kind.")
@click.option("--json", "as_json", is_flag=True, help="For programs: everything.")
@click.option("--sandbox", is_flag=True, help="Of the running sandbox, or not at all.")
def command(sync: str | None, live: bool, sample: int, as_json: bool, sandbox: bool) -> None:
    """Say what would be written to each system for SYNC (default: all), and leave no trace.

    It is played through on a copy of what may need something, by the code that would do it. 1 when
    it is not safe.
    """
    with opened(sandbox=sandbox) as (bridge, desk):
        if live:
            lend_redis(bridge.config.settings.redis)
        with looking() as look:
            planned = plans.make_plan(bridge, desk, sync, live=live, look=look)
        held = plans.held_writes(desk)
    plans.remember(find_home(), sync, planned)
    if as_json:
        say_json(_as_json(planned, held))
    else:
        print_plan(planned, held, sample)
    if planned.unsafe or planned.stopped:
        raise SystemExit(1)


def _as_json(planned: Preview, held: Sequence[HeldWrite]) -> dict[str, Any]:
    return {
        "live": planned.live,
        "summary": summary(planned),
        "writes": [asdict(write) for write in planned.writes],
        "told": [[*note, count] for note, count in planned.notes.items()],
        "unmapped": [[*agent, count] for agent, count in planned.unmapped.items()],
        "parked": [[*group, count] for group, count in planned.parked.items()],
        "held": [asdict(write) for write in held],
        "calls": planned.calls,
        "seconds": planned.seconds,
        "unsafe": planned.unsafe,
        "stopped": planned.stopped,
        "silent": planned.silent,
    }
