"""`bridge agents`: who is who, and whom nobody knows yet."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from bridge import home as homes
from bridge import wiring
from bridge.cli.running_sandbox import follow_sandbox
from bridge.ledger import directory
from bridge.ledger.database import Ledger
from bridge.operations.times import when


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def agents(as_json: bool) -> None:
    """List the people that the bridge knows, and those who need a row in mappings/agents.yaml."""
    home = homes.find_home()
    follow_sandbox(home)
    config = wiring.load_config(home)
    ledger = Ledger(config.settings.database)
    ledger.check()
    with ledger.read() as tx:
        strangers, learned = directory.strangers(tx), directory.people(tx)
    ledger.close()
    rows = {email: dict(names) for email, names in config.agents.people.items()}
    for connection, email, remote_id in learned:
        rows.setdefault(email, {}).setdefault(connection, remote_id)
    declared = config.agents.people
    if as_json:
        known = [
            {"email": email, "declared": email in declared, "names": names}
            for email, names in rows.items()
        ]
        waiting = [asdict(each) | {"since": each.since.isoformat()} for each in strangers]
        click.echo(json.dumps({"agents": known, "unmapped": waiting}, ensure_ascii=False))
        return
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("e-mail", *config.connections):
        table.add_column(column)
    for email, names in sorted(rows.items()):
        table.add_row(email, *(str(names.get(name, "")) for name in config.connections))
    console.print(table)
    if not strangers:
        console.print("\neverybody is known", style="green")
        return
    console.print(
        f"\n{len(strangers)} unmapped: add a row to mappings/agents.yaml, then restart",
        style="yellow",
    )
    for each in strangers:
        count = f"{each.tickets} ticket{'' if each.tickets == 1 else 's'}"
        line = f"{each.connection}: {each.who} ({each.field}), {count}, since {when(each.since)}"
        console.print(line, markup=False, highlight=False)
