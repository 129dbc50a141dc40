"""`bridge drift`: what reconciliation found lately, and how much of it webhooks had missed."""

from __future__ import annotations

import click

from bridge.cli.drift_lines import drift_line
from bridge.cli.operator import at_desk
from bridge.cli.screen import say, say_json
from bridge.operations import drift
from bridge.operations.times import when


@click.command("drift")
@click.argument("connection", required=False)
@click.option(
    "--days",
    default=7,
    show_default=True,
    type=click.IntRange(1, 30),
    help="How far back the rates go.",
)
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Findings to list."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(connection: str | None, days: int, limit: int, as_json: bool) -> None:
    """Show what drifted lately at CONNECTION (default: all), why, and each day's miss rate."""
    with at_desk() as desk:
        recent = drift.recent(desk, connection or None, days=days, limit=limit)
    if as_json:
        say_json(recent)
        return
    for rate in recent.rates:
        missed = f"{rate.missed} no webhook told of ({drift.missed_share(rate):.0%})"
        say(f"{rate.day}  {rate.connection}: {rate.found} found, {missed}, {rate.healed} healed")
    for drifted in recent.found:
        place = f"{drifted.connection} {drifted.entity}"
        say(f"{when(drifted.found_at)}  {place} {drift_line(drifted)}")
    if not recent.rates and not recent.found:
        say("nothing has drifted")
