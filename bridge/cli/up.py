"""`bridge up`: the whole bridge in one terminal."""

from __future__ import annotations

import json
import random
from typing import Final

import click
from rich.console import Console

from bridge import home as homes
from bridge.cli.activity_lines import print_row
from bridge.supervisor import seed
from bridge.supervisor.activity import ActivityStream
from bridge.supervisor.stack import Stack, StackSettings, Stopped

EVERY: Final = 0.25
FIRST_TICKETS: Final = 3
"""Tickets where tickets begin, so that there is something to look at and to edit."""


@click.command()
@click.option(
    "--sandbox",
    "sandboxed",
    is_flag=True,
    help="Use the vendors' sandboxes on this machine; needs no keys.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Port, or the next free.",
)
@click.option(
    "--workers",
    default=0,
    type=click.IntRange(0, 64),
    help="Workers. [default: 1 on SQLite, else 2]",
)
@click.option(
    "--json", "as_json", is_flag=True, help="For programs: a line of JSON for each thing mirrored."
)
def up(sandboxed: bool, host: str, port: int, workers: int, as_json: bool) -> None:
    """Run everything in this terminal: receiver, workers, clock, and a Valkey when no Redis is set. Ctrl-C ends it."""
    console = Console()
    errors = Console(stderr=True)

    def say(text: str) -> None:
        errors.print(f"bridge: {text}", style="yellow", highlight=False, markup=False)

    settings = StackSettings(
        homes.find_home(),
        say,
        sandbox=sandboxed,
        host=host,
        port=port,
        workers=workers,
        seed=random.SystemRandom().randrange(2**32) if sandboxed else 0,
    )
    try:
        with Stack(settings) as stack:
            stream = ActivityStream(stack.engine.ledger)
            stream.start_now()
            welcome(console, stack, as_json=as_json)
            if sandboxed:
                seed.fill(
                    stack.sandboxes,
                    dict.fromkeys(seed.origins(stack.sandboxes), FIRST_TICKETS),
                    seed=1,
                )
            while True:
                stack.tend()
                with stack.patient():
                    for row in stream.fresh():
                        print_row(console, row, as_json=as_json)
                stack.stop.wait(EVERY)
    except Stopped:
        if not as_json:
            console.print("stopped", style="dim")


def welcome(console: Console, stack: Stack, *, as_json: bool) -> None:
    """Say where everything is, and what to try."""
    where = {
        "listening": stack.url,
        "webhooks": {
            name: f"{stack.url}/webhooks/{name}"
            for name, connection in stack.engine.config.connections.items()
            if connection.webhook is not None
        },
        "sandboxes": {name: sandbox.url for name, sandbox in stack.sandboxes.items()},
        "home": str(stack.settings.home),
    }
    if as_json:
        console.file.write(json.dumps(where) + "\n")
        console.file.flush()
        return
    console.print(
        f"[bold]Bridge[/bold] is running on [bold]{stack.url}[/bold]   (Ctrl-C ends it)",
        highlight=False,
    )
    for name, connection in stack.engine.config.connections.items():
        console.print(
            f"  {name:<10} {connection.system:<9} {connection.base_url}",
            highlight=False,
            markup=False,
        )
        if connection.webhook is not None:
            where_to = f"  {'':<10} webhooks  {stack.url}/webhooks/{name}"
            console.print(where_to, highlight=False, markup=False, style="dim")
    for name, sandbox in list(stack.sandboxes.items())[:1]:
        console.print(
            f"\nPlay a user of {name}: list the tickets, then change one, and watch it arrive below."
        )
        tickets = f"  curl -s {sandbox.url}/_control/tickets"
        edit = f"""  curl -s {sandbox.url}/_control/edit -d '{{"id": "ID", "fields": {{"priority": "high"}}}}'"""
        for command in (tickets, edit):
            console.print(command, highlight=False, markup=False, soft_wrap=True)
    console.print()
