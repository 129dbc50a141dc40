"""`bridge ticket REF`: one ticket, its sides, and everything that happened to it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bridge import home as homes
from bridge import wiring
from bridge.cli.operator import the_one
from bridge.cli.running_sandbox import follow_sandbox
from bridge.cli.value_text import short_value
from bridge.core.model.state import Link
from bridge.core.model.values import Marker
from bridge.ledger import attempts, conflict_log, links, timeline
from bridge.ledger.database import Ledger
from bridge.operations.times import when


@click.command()
@click.argument("ref")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def ticket(ref: str, as_json: bool) -> None:
    """Show one ticket: its agreed state, what each side shows, and its timeline.

    REF is `connection:remote-id`, a remote id, or the beginning of either or of the bridge's own
    id.
    """
    home = homes.find_home()
    follow_sandbox(home)
    config = wiring.load_config(home)
    ledger = Ledger(config.settings.database)
    ledger.check()
    with ledger.read() as tx:
        link = links.load(tx, [the_one(tx, ref)]).popitem()[1]
        lines = timeline.timeline(tx, link.id)
        writes = attempts.history(tx, link.id)
        disputes = conflict_log.of_link(tx, link.id)
    ledger.close()
    if as_json:
        given = describe(link) | {
            "timeline": [
                {
                    "at": line.at,
                    "kind": line.kind,
                    "connection": line.connection,
                    "field": line.field,
                    **line.detail,
                }
                for line in lines
            ],
            "writes": writes,
            "conflicts": disputes,
        }
        click.echo(json.dumps(given, default=_plain, ensure_ascii=False))
        return
    console = Console()
    console.print(
        f"[bold]{link.id}[/bold]  {link.sync}{'  paused' if link.paused else ''}", highlight=False
    )
    for name, side in link.sides.items():
        gone = " (detached)" if side.detached else " (deleted)" if side.tombstone else ""
        console.print(
            f"  {name}:{side.remote_id}{gone}", markup=False, highlight=False, soft_wrap=True
        )
    console.print()
    console.print(sides(link))
    console.print()
    for line in lines:
        told = "  ".join(
            f"{name} {short_value(value)}"
            for name, value in line.detail.items()
            if value not in (None, "")
        )
        console.print(
            f"{when(line.at)}  {line.kind:<14} {line.connection:<10} {line.field:<12} {told}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def describe(link: Link) -> dict[str, Any]:
    """Give a ticket as plain values."""
    return {
        "id": link.id,
        "sync": link.sync,
        "state": {
            name: {"value": state.value, "rev": state.rev, "by": state.set_by}
            for name, state in link.state.items()
        },
        "open": sorted(name for name, state in link.state.items() if state.candidates is not None),
        "sides": {
            name: {
                "id": side.remote_id,
                "deleted": side.tombstone,
                "detached": side.detached,
                "read_at": side.read_at,
                "fields": {
                    field: None if isinstance(entry.shadow, Marker) else entry.shadow
                    for field, entry in side.fields.items()
                },
                "notes": {
                    field: entry.unreadable or entry.decided_why
                    for field, entry in side.fields.items()
                    if entry.unreadable or entry.decided_why
                },
            }
            for name, side in link.sides.items()
        },
    }


def sides(link: Link) -> Table:
    """Give a table: a row a field, the agreed value, and what each side shows in its own words."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("field")
    table.add_column("agreed")
    for name in link.sides:
        table.add_column(name)
    for field in link.state:
        state = link.state[field]
        by = f"  ({state.set_by})" if state.set_by else ""
        agreed = (
            "in conflict" if state.candidates is not None else f"{short_value(state.value)}{by}"
        )
        shows = []
        for side in link.sides.values():
            entry = side.fields.get(field)
            known = entry is not None and not isinstance(entry.shadow, Marker)
            value = short_value(entry.shadow) if known and entry else ""
            why = (entry.unreadable or entry.decided_why) if entry else ""
            shows.append(f"{value}  ({why})" if why else value)
        table.add_row(field, agreed, *shows)
    return table


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
