"""`bridge agents`: who is who, whom nobody knows yet, and making somebody known."""

from __future__ import annotations

import click
from rich.table import Table

from bridge.cli.operator import at_desk
from bridge.cli.screen import Screen, say, say_json
from bridge.core.model.counting import counted
from bridge.operations import agent_rows, agents
from bridge.operations.times import when


@click.group("agents", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the people that the bridge knows, and those who need a row in mappings/agents.yaml."""
    if context.invoked_subcommand is not None:
        return
    with at_desk() as desk:
        people, connections = agents.list_agents(desk), list(desk.config.connections)
        published = desk.config.from_ledger
    if as_json:
        say_json(agents.as_json(people))
        return
    console = Screen()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("e-mail", *connections):
        table.add_column(column, no_wrap=True)
    for agent in sorted(people.known, key=lambda agent: agent.email):
        table.add_row(agent.email, *(str(agent.names.get(name, "")) for name in connections))
    console.print_whole(table)
    console.print()
    if not people.unmapped:
        console.print("everybody is known", style="green")
        return
    then = "`bridge mappings publish`" if published else "restart"
    console.print(
        f"{len(people.unmapped)} unmapped: add a row to mappings/agents.yaml, then {then}",
        style="yellow",
    )
    for stranger in people.unmapped:
        count = counted(stranger.tickets, "ticket")
        line = (
            f"{stranger.connection}: {stranger.who} ({stranger.field}), {count}, "
            f"since {when(stranger.since)}"
        )
        console.print(line)


@command.command()
@click.argument("email")
@click.argument("connection")
@click.argument("name")
def add(email: str, connection: str, name: str) -> None:
    """Let NAME of CONNECTION be the person with this EMAIL: mappings/agents.yaml gets the row.

    Published mappings are published anew; files are taken in when the bridge is started again.
    """
    with at_desk(files_have_changed=True) as desk:
        row = agent_rows.proposal(desk, email, connection, name)
        made = agent_rows.add(desk, row)
    say(f"{row.at}: {row.line}")
    if made.revision is None:
        say("restart the bridge: the tickets that wait are read again")
    else:
        say(f"revision {made.revision} is in force: the tickets that wait are read again")
