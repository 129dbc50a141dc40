"""`bridge demo`: the whole bridge on made-up tickets, judged from outside."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from bridge.cli.demo_report import print_report
from bridge.cli.deployment_option import parse_deployment
from bridge.cli.screen import Screen, say_json
from bridge.sandbox.deployments import written
from bridge.sandbox.faults import parse
from bridge.supervisor.demo import EDITS_PER_SECOND, DemoResult, DemoSettings, run_demo
from bridge.supervisor.stack import Stopped


@click.command("demo")
@click.option(
    "--tickets",
    default=50,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Tickets to begin with.",
)
@click.option(
    "--edits",
    default=100,
    show_default=True,
    type=click.IntRange(0, 1_000_000),
    help="Edits by humans.",
)
@click.option("--seed", default=1, show_default=True, help="Decides everything random.")
@click.option(
    "--faults",
    default=None,
    is_flag=False,
    flag_value="",
    metavar="[KIND=SHARE,…]",
    help="Let vendors and webhooks fail.",
)
@click.option(
    "--deployment",
    default="",
    metavar="random|NAME=VALUE,…",
    help="How the vendors' deployments differ from the usual; `random` draws it by the seed.",
)
@click.option(
    "--journals",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to keep what was judged.",
)
@click.option(
    "--without", multiple=True, type=click.Choice(["worker", "web"]), help="Leave a process out."
)
@click.option(
    "--rate",
    default=EDITS_PER_SECOND,
    show_default=True,
    type=click.FloatRange(0.1, 1000),
    help="Edits a second.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    tickets: int,
    edits: int,
    seed: int,
    faults: str | None,
    deployment: str,
    journals: Path | None,
    without: tuple[str, ...],
    rate: float,
    as_json: bool,
) -> None:
    """Load sandboxes with tickets, let humans edit them everywhere at once, and check the outcome.

    Every figure comes from the sandboxes' own journals and records. Exits with 0 only when all
    sides agree and no edit was lost, no ticket doubled and nothing written twice.
    """
    try:
        shares = parse(faults) if faults is not None else {}
    except ValueError as error:
        raise click.UsageError(f"--faults: {error}") from error
    deployed = parse_deployment(deployment, seed)
    settings = DemoSettings(tickets, edits, seed, shares, without, rate, journals, deployed)
    try:
        result = run_demo(settings, _say)
    except Stopped:
        raise click.Abort from None
    if journals is not None:
        again = f"python -m bridge.verify {shlex.quote(str(journals))}"
        _say(f"what was judged is in {journals}; check it again: {again}")
    _print(result, seed, written(deployed), as_json=as_json)
    sys.exit(0 if result.ok else 1)


def _say(text: str) -> None:
    Screen(err=True).print(f"bridge: {text}", style="dim")


def _print(result: DemoResult, seed: int, deployment: str, *, as_json: bool) -> None:
    report = result.report.as_dict() | {"seed": seed, "seconds": round(result.seconds, 2)}
    report["deployment"] = deployment
    if as_json:
        say_json(report)
    else:
        print_report(Screen(), report, ok=result.ok)
