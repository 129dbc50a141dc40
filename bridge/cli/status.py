"""`bridge status`: how the connections are, what waits, what is stuck, what ran and what runs next."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from bridge import home as homes
from bridge import wiring
from bridge.cli.operator import plain
from bridge.cli.running_sandbox import follow_sandbox
from bridge.clock import SystemClock
from bridge.core.model.syncs import Connection
from bridge.engine.outcomes import remedy
from bridge.ledger import run_records, run_writes
from bridge.ledger import summary as figures
from bridge.ledger.database import Ledger
from bridge.ledger.summary import Status
from bridge.operations.times import clock, when
from bridge.runs.schedule import KINDS, NextRun, next_runs

NEVER = "never called"
RUNS = 6
"""So many runs are listed."""
COLOURS = {"ok": "green", "failing": "yellow", "trying": "yellow", NEVER: "dim"}
PERIODS = {1: "second", 60: "minute", 3600: "hour", 86400: "day"}
_BODY = re.compile(r": [{\[].*(?:[}\]]|…)")
_SAID = re.compile(r'"(?:message|detail|description|error)"\s*:\s*"([^"]+)"')


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Show connections, backlog, what is parked, open conflicts, the latest runs and the next."""
    home = homes.find_home()
    follow_sandbox(home)
    config = wiring.load_config(home)
    ledger = Ledger(config.settings.database)
    ledger.check()
    now = SystemClock().now()
    with ledger.read() as tx:
        found = figures.summary(tx, now)
        schedule = next_runs(tx, config, now)
        called = figures.called(tx, found)
        notable = run_records.notable(tx, RUNS)
        wrote = run_writes.count(tx, [int(run.id) for run in notable])
    ledger.close()
    rows = [
        connection(each, found, now) | upcoming(each.name, schedule)
        for each in config.connections.values()
    ]
    for row in rows:
        if row["connection"] not in called:
            row["health"] = NEVER
    if as_json:
        given = as_values(found, rows) | {"schedule": [scheduled(each) for each in schedule]}
        click.echo(json.dumps(given, default=plain, ensure_ascii=False))
        return
    console = Console()
    shown = table(rows)
    least = Measurement.get(console, console.options.update(max_width=1000), shown).minimum
    console.print(shown, width=max(console.width, least), crop=False)
    for line in troubles(rows):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    console.print(overview(found, now), highlight=False, markup=False)
    for group in found.parked:
        sample = group.samples[0]
        line = f"parked  {group.count} on {group.connection}, {group.cause}: {sample.subject}: {sample.why}"
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    for each in found.figures:
        console.print(
            f"{each.connection}  {each.name} {each.value:g}",
            style="dim",
            markup=False,
            highlight=False,
        )
    for run in notable:
        state = run.error or ("done" if run.finished_at else "under way")
        line = (
            f"{when(run.started_at)}  run {run.id}, {run.kind} {run.connection} {run.entity}: "
            f"{run.seen} seen, {run.hinted} to look at, {wrote.get(int(run.id), 0)} written"
        )
        console.print(f"{line}, {state}", style="dim", markup=False, highlight=False)


def connection(configured: Connection, found: Status, now: datetime) -> dict[str, Any]:
    """Give one connection's line."""
    name = configured.name
    health, since = found.health.get(name), found.waiting.get(name)
    return {
        "connection": name,
        "health": health.state(now) if health else "ok",
        "why": health.words(now) if health else "",
        "since": health.since if health and health.state(now) != "ok" else None,
        "records": found.sides.get(name, 0),
        "lag": round(max(0.0, (now - since).total_seconds()), 1) if since else 0.0,
        "writes_last_minute": found.writes.get(name, 0),
        "rates": [f"{rate.calls}/{PERIODS[int(rate.seconds)]}" for rate in configured.rates],
        "figures": {each.name: each.value for each in found.figures if each.connection == name},
    }


def upcoming(name: str, schedule: Iterable[NextRun]) -> dict[str, datetime | None]:
    """Give when a connection's next poll and its next full run begin; None: never, or one is under way."""
    due: dict[str, datetime | None] = {f"next_{kind}": None for kind in KINDS}
    for each in schedule:
        if each.connection == name and each.due is not None:
            key = f"next_{each.kind}"
            due[key] = min(each.due, due[key] or each.due)
    return due


def scheduled(each: NextRun) -> dict[str, Any]:
    """Give one row of the schedule as plain values."""
    last = each.last
    given = {
        "connection": each.connection,
        "entity": each.entity,
        "kind": each.kind,
        "next": each.due,
    }
    return given | {
        "waits": each.waits,
        "last": None if last is None else {"run": last.id, "at": last.started_at},
    }


def table(rows: list[dict[str, Any]]) -> Table:
    """Give the connections as a table."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    for column in (
        "connection",
        "health",
        "records",
        "lag",
        "writes\n/min",
        "next poll",
        "next full",
    ):
        shown.add_column(column, no_wrap=True)
    shown.add_column("rates")
    for each in rows:
        style = COLOURS.get(each["health"], "red")
        shown.add_row(
            each["connection"],
            f"[{style}]{each['health']}[/{style}]",
            str(each["records"]),
            f"{each['lag']:g} s" if each["lag"] else "",
            str(each["writes_last_minute"]),
            *(clock(due) if (due := each[f"next_{kind}"]) else "" for kind in KINDS),
            " ".join(each["rates"]),
        )
    return shown


def troubles(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Give a line for each connection that is not well: its state, why, and the command that ends it if any."""
    told = []
    for each in rows:
        if each["why"]:
            since = f" (since {when(each['since'])})" if each["since"] else ""
            told.append(f"{each['connection']} is {_BODY.sub(_in_words, each['why'])}{since}")
    return told


def _in_words(body: re.Match[str]) -> str:
    said = _SAID.search(body[0])
    return f": {said[1]}" if said else ""


def overview(found: Status, now: datetime) -> str:
    """Give the figures in a few lines."""
    backlog = found.backlog
    oldest = backlog["oldest_due"]
    waits = f", the oldest for {(now - oldest).total_seconds():.0f} s" if oldest else ""
    lanes = "   ".join(f"{lane} {number}" for lane, number in found.lanes.items() if number)
    entities = {"ticket": 0} | found.entities
    linked = "   ".join(f"{entity}s {number}" for entity, number in entities.items())
    linked += f"   paused {found.paused}" if found.paused else ""
    counts = (
        f"due {backlog['due']}{waits}   under way {backlog['claimed']}   "
        f"later {backlog['later']}   parked {backlog['parked']}   conflicts open {found.conflicts_open}"
    )
    return "\n".join(
        ["", linked, counts, f"webhooks: {found.account}", *([f"lanes: {lanes}"] if lanes else [])]
    )


def as_values(found: Status, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Give everything as plain values, for programs."""
    given = asdict(found) | {"connections": rows}
    given["account"] |= {"balanced": found.account.balanced, "missing": found.account.missing}
    given["parked"] = [
        asdict(group) | {"what_to_do": remedy(group.cause)} for group in found.parked
    ]
    for name in ("health", "waiting", "writes", "figures"):
        given.pop(name)
    return given
