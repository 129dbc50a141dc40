"""`bridge simulate`: whole bridges in virtual time, where everything goes wrong at once."""

from __future__ import annotations

import logging
import secrets
import sys
import time
from pathlib import Path
from typing import Final

import click

from bridge.cli.screen import say, say_json
from bridge.cli.simulation_report import print_failure, print_summary
from bridge.simulate.seeds import SimulationTotals, run, shrink
from bridge.simulate.stage import load_home

MAX_FAILURES_SHOWN: Final = 5
"""Failing seeds that are told in full."""
SEEDS_PER_LINE: Final = 50
"""Seeds between two lines that say how far it is: thousands take an hour."""


@click.command("simulate")
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
def command(
    seeds: int, seed: int | None, home: Path | None, smaller: bool, processes: int, as_json: bool
) -> None:
    """Play small worlds with people, failing vendors and dying workers, and judge each.

    Each seed is one world: people edit tickets on all systems, webhooks are lost, doubled and late,
    vendors fail before and after they did what they were asked, workers die between any two steps.
    Then all heals, one reconciliation runs, and the vendors' own records must show that every
    promise was kept. Time is virtual. The same seed always plays the same.
    """
    logging.disable(logging.CRITICAL)  # what goes wrong here goes wrong on purpose
    home_name = str(home.resolve()) if home is not None else ""
    load_home(home_name)  # a wrong configuration is said once, and before anything else
    if seed is not None and not _was_given("seeds"):
        seeds = 1
    first = secrets.randbelow(10**9) if seed is None else seed
    totals, began = SimulationTotals(), time.monotonic()
    for result in run(range(first, first + seeds), home_name, processes or None):
        totals.add(result)
        if as_json:
            continue
        if not result.ok and len(totals.failed) <= MAX_FAILURES_SHOWN:
            print_failure(shrink(result.seed, home_name) if smaller else result)
        if totals.seeds % SEEDS_PER_LINE == 0:
            say(f"{totals.seeds} of {seeds} seeds, {len(totals.failed)} failed", err=True)
    seconds = round(time.monotonic() - began, 1)
    figures = totals.as_dict() | {"first": first, "seconds": seconds}
    if as_json:
        say_json(figures)
    else:
        print_summary(figures)
    sys.exit(1 if totals.failed else 0)


def _was_given(option: str) -> bool:
    source = click.get_current_context().get_parameter_source(option)
    return source is not click.core.ParameterSource.DEFAULT
