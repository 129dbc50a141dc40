"""`bridge status`: how the connections are, what waits, what is stuck, and the runs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import click
from rich.table import Table
from rich.text import Text

from bridge.cli.operator import at_desk
from bridge.cli.screen import Screen, say_json
from bridge.core.model.outcome_codes import Code
from bridge.operations import status
from bridge.operations.status import NEVER_CALLED, ConnectionStatus, Overview, RecentRun
from bridge.operations.times import since_when, upcoming, when

COLOURS: Final = {"ok": "green", "failing": "yellow", "trying": "yellow", NEVER_CALLED: "dim"}
COLUMNS: Final = (
    "connection",
    "health",
    "records",
    "lag",
    "writes\n/min",
    "next poll",
    "next full",
)


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(as_json: bool) -> None:
    """Show connections, backlog, what is parked, open conflicts, the latest runs and the next."""
    with at_desk() as desk:
        overview = status.overview(desk)
    if as_json:
        say_json(status.as_json(overview))
    else:
        _print(Screen(), overview)


def _print(console: Screen, overview: Overview) -> None:
    console.print_whole(_table(overview.connections, overview.at))
    console.print()
    for line in _counts(overview):
        console.print(line)
    for trouble in overview.troubles:
        if trouble.code is Code.FILES_DIFFER:
            continue  # every command says so by itself
        since = f" (since {since_when(trouble.since)})" if trouble.since else ""
        line = f"{status.in_words(trouble.what)}{since}  [{trouble.code}]"
        console.print(line, style="dim" if trouble.note else "yellow", soft_wrap=True)
    if overview.summary.account_metrics:
        console.print("what the systems tell of themselves:", style="dim")
    for metric in overview.summary.account_metrics:
        told = f"  {metric.connection}: {metric.name.replace('_', ' ')} {metric.value:g}"
        console.print(told, style="dim")
    console.print(_runs(overview.runs), style="dim")


def _table(connections: Iterable[ConnectionStatus], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in COLUMNS:
        table.add_column(column, no_wrap=True)
    table.add_column("rates")
    for row in connections:
        style = COLOURS.get(row.health, "red")
        table.add_row(
            row.connection,
            Text(row.health, style),
            str(row.records),
            f"{row.lag:g} s" if row.lag else "",
            str(row.writes_last_minute),
            upcoming(row.next_poll, now) if row.next_poll else "",
            upcoming(row.next_full, now) if row.next_full else "",
            " ".join(row.rates),
        )
    return table


def _counts(overview: Overview) -> list[str]:
    summary = overview.summary
    backlog, oldest = summary.backlog, summary.backlog["oldest_due"]
    waits = f", the oldest for {(overview.at - oldest).total_seconds():.0f} s" if oldest else ""
    entities = {"ticket": 0} | summary.entities
    linked = "   ".join(f"{entity}s {number}" for entity, number in entities.items())
    lanes = "   ".join(f"{lane} {number}" for lane, number in summary.lanes.items() if number)
    work = (
        f"due {backlog['due']}{waits}   under way {backlog['claimed']}   "
        f"later {backlog['later']}   parked {backlog['parked']}   "
        f"conflicts open {summary.conflicts_open}"
    )
    paused = f"   paused {summary.paused}" if summary.paused else ""
    lines = [linked + paused, work, f"webhooks: {summary.account}"]
    if summary.counted_at:
        lines.append(f"tickets, records and webhooks as of {when(summary.counted_at)}")
    return [*lines, f"lanes: {lanes}"] if lanes else lines


def _runs(runs: Iterable[RecentRun]) -> Table:
    """Return a line for each run; on a narrow screen its figures go on in their own column."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column()
    for recent in runs:
        run = recent.run
        table.add_row(
            when(run.started_at),
            f"run {run.id}",
            f"{run.kind} {run.connection} {run.entity}",
            f"{run.seen} seen, {run.hinted} to look at, {recent.written} written, {recent.state}",
        )
    return table
