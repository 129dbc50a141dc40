"""`bridge status`: how the connections are, what waits, what is stuck."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bridge import home as homes
from bridge import wiring
from bridge.cli.accounts import follow_sandbox
from bridge.clock import SystemClock
from bridge.ledger import parking
from bridge.ledger import status as figures
from bridge.ledger.health import Health
from bridge.ledger.session import Ledger


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Show connections, backlog, what is parked, open conflicts and the latest runs."""
    home = homes.find_home()
    follow_sandbox(home)
    config = wiring.load_config(home)
    ledger = Ledger(config.settings.database)
    ledger.check()
    now = SystemClock().now()
    with ledger.read() as tx:
        found = figures.summary(tx, now)
        parked = parking.parked(tx, limit=20)
    ledger.close()
    rows = [connection(name, found.health.get(name), found.sides.get(name, 0), now) for name in config.connections]
    if as_json:
        given = asdict(found) | {"connections": rows, "parked": [asdict(row) for row in parked]}
        given.pop("health")
        click.echo(json.dumps(given, default=_plain, ensure_ascii=False))
        return
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("connection", "health", "tickets", "why"):
        table.add_column(column)
    for each in rows:
        style = "green" if each["health"] == "ok" else "red"
        table.add_row(each["connection"], f"[{style}]{each['health']}[/{style}]", str(each["records"]), each["why"])
    console.print(table)
    backlog = found.backlog
    oldest = backlog["oldest_due"]
    waits = f", the oldest for {(now - oldest).total_seconds():.0f} s" if oldest else ""
    console.print(
        f"\ntickets {found.links}   due {backlog['due']}{waits}   under way {backlog['claimed']}   "
        f"later {backlog['later']}   parked {backlog['parked']}   conflicts open {found.conflicts_open}",
        highlight=False,
    )
    for row in parked:
        console.print(f"parked  {row.key}: {row.why}", style="yellow", markup=False, highlight=False)
    for run in found.runs[:6]:
        state = run.error or ("done" if run.finished_at else "under way")
        line = (
            f"{run.started_at:%Y-%m-%d %H:%M:%S}  {run.kind} {run.connection}: {run.seen} seen, {run.hinted} to look at"
        )
        console.print(f"{line}, {state}", style="dim", markup=False, highlight=False)


def connection(name: str, found: Health | None, records: int, now: datetime) -> dict[str, Any]:
    """Give one connection's line."""
    health, why = "ok", ""
    if found is not None and found.refused_at is not None:
        health, why = "refused", found.why
    elif found is not None and found.paused_until is not None and found.paused_until > now:
        health, why = "resting", f"until {found.paused_until:%H:%M:%S}: {found.why}"
    elif found is not None and found.failures:
        health, why = "failing", found.why or f"{found.failures} failures in a row"
    return {"connection": name, "health": health, "records": records, "why": why}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
