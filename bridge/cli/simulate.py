"""`bridge simulate`: what would happen to this home's mappings and syncs if everything went wrong at once."""

from __future__ import annotations

import json
import logging
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any, Final

import click

from bridge.simulate.seeds import SeedResult, SimulationTotals, run, shrink
from bridge.simulate.stage import load_home

SHOWN: Final = 5
"""Failing seeds that are told in full."""
SAYS_EVERY: Final = 50
"""Seeds between two lines that say how far it is: thousands take an hour."""


@click.command()
@click.option(
    "--seeds",
    default=200,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="How many to play.",
)
@click.option("--seed", type=int, help="The first of them, or the only one. [default: any]")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Whose configuration and mappings. [default: as shipped]",
)
@click.option(
    "--shrink",
    "smaller",
    is_flag=True,
    help="Leave steps out of a failing seed until all that is left matters.",
)
@click.option("--processes", default=0, type=click.IntRange(0, 256), help="[default: one a core]")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def simulate(
    seeds: int, seed: int | None, home: Path | None, smaller: bool, processes: int, as_json: bool
) -> None:
    """Play whole small worlds in virtual time, with people, failing vendors and dying workers, and judge each.

    Each seed is one world: people edit tickets on all systems, webhooks are lost, doubled and late,
    vendors fail before and after they did what they were asked, workers die between any two steps.
    Then all heals, one reconciliation runs, and the vendors' own records must show that every
    promise was kept. The same seed always plays the same.
    """
    # What goes wrong here goes wrong on purpose.
    logging.disable(logging.CRITICAL)
    given = str(home.resolve()) if home is not None else ""
    load_home(given)  # a wrong configuration is said once, and before anything else
    if seed is not None and "seeds" not in _given():
        seeds = 1
    first = secrets.randbelow(10**9) if seed is None else seed
    total, began = SimulationTotals(), time.monotonic()
    for result in run(range(first, first + seeds), given, processes or None):
        total.add(result)
        if not result.ok and len(total.failed) <= SHOWN and not as_json:
            tell(shrink(result.seed, given) if smaller else result)
        if total.seeds % SAYS_EVERY == 0 and not as_json:
            click.echo(f"{total.seeds} of {seeds} seeds, {len(total.failed)} failed", err=True)
    shown = total.as_dict() | {"first": first, "seconds": round(time.monotonic() - began, 1)}
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False))
    else:
        summary(shown)
    sys.exit(1 if total.failed else 0)


def _given() -> set[str]:
    context = click.get_current_context()
    usual = click.core.ParameterSource.DEFAULT
    return {name for name in context.params if context.get_parameter_source(name) is not usual}


def tell(result: SeedResult) -> None:
    """Tell the story of a failing seed."""
    click.secho(f"seed {result.seed}:", fg="red", bold=True)
    for line in result.broken[:10]:
        click.echo(f"  {line}")
    click.echo(f"  steps ({len(result.steps)}):")
    for line in result.steps:
        click.echo(f"    {line}")
    click.echo("  what happened (seconds, who, what):")
    for line in result.story:
        click.echo(f"    {line}")


def summary(shown: dict[str, Any]) -> None:
    """Say what was done."""
    faults = "  ".join(f"{kind} {count}" for kind, count in shown["faults"].items())
    missed = shown["crash_points_missed"]
    click.echo(
        f"seeds            {shown['first']} to {shown['first'] + shown['seeds'] - 1}, {len(shown['failed'])} failed"
    )
    click.echo(f"steps            {shown['steps']}, of which {shown['fault_share']:.0%} are faults")
    click.echo(
        f"human edits      {shown['edits']}, {shown['conflicting_edits']} of them against each other"
    )
    click.echo(
        f"in the window    {shown['window_edits']} edits between our read and our write (docs/reliability.md)"
    )
    click.echo(
        f"webhooks         {shown['webhooks']} brought, {shown['verdicts']} accepted, each with one verdict"
    )
    click.echo(f"writes           {shown['writes']}")
    click.echo(f"faults           {faults}")
    click.echo(
        f"crashes          {shown['crashes']}, at {shown['crash_points_hit']} of {shown['crash_points']} crash points"
    )
    for number in range(0, min(len(missed), 40), 4):
        click.echo(f"  not hit        {', '.join(missed[number : number + 4])}")
    click.echo(f"not played       {', '.join(shown['not_played']) or '-'}: what an operator starts")
    click.echo(
        f"virtual time     {shown['virtual_days']} days, in {shown['seconds']} s on {os.cpu_count()} cores"
    )
    click.echo(f"checked          {', '.join(shown['promises'])}")
    click.secho("every promise held" if not shown["failed"] else "a promise was broken", bold=True)
