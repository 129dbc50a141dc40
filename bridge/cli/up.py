"""`bridge up`: the whole bridge in one terminal."""

from __future__ import annotations

import random
from typing import Final

import click
from rich.console import Console
from rich.text import Text

from bridge.cli.activity_lines import print_row
from bridge.cli.process import ACCEPT
from bridge.cli.screen import Screen, say_json
from bridge.home import find_home
from bridge.supervisor.activity import ActivityStream
from bridge.supervisor.seed import populate, ticket_origins
from bridge.supervisor.stack import Stack, StackSettings, Stopped

LOOK_SECONDS: Final = 0.25
FIRST_TICKETS: Final = 3
"""Tickets where tickets begin, so that there is something to look at and to edit."""


@click.command("up")
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
    "--workers", default=0, type=click.IntRange(0, 64), help="[default: 1 on SQLite, else 2]"
)
@click.option(
    "--json", "as_json", is_flag=True, help="For programs: a line of JSON for each thing mirrored."
)
@ACCEPT
def command(
    sandboxed: bool, host: str, port: int, workers: int, as_json: bool, accept: bool
) -> None:
    """Run everything in this terminal: receiver, workers, clock, and a Valkey if no Redis is set.

    Ctrl-C ends it.
    """
    console = Screen()
    errors = Screen(err=True)
    settings = StackSettings(
        find_home(),
        lambda text: errors.print(f"bridge: {text}", style="yellow"),
        sandbox=sandboxed,
        accept=accept,
        host=host,
        port=port,
        workers=workers,
        seed=random.SystemRandom().randrange(2**32) if sandboxed else 0,
    )
    try:
        with Stack(settings) as stack:
            activity = ActivityStream(stack.bridge.ledger)
            activity.start_now()
            _welcome(console, stack, as_json=as_json)
            counts = dict.fromkeys(ticket_origins(stack.sandboxes), FIRST_TICKETS)
            populate(stack.sandboxes, counts, seed=1)
            while True:
                stack.look_after()
                with stack.tolerating_ledger_outage():
                    for row in activity.fresh():
                        print_row(console, row, as_json=as_json)
                stack.stop.wait(LOOK_SECONDS)
    except Stopped:
        if not as_json:
            console.print("stopped", style="dim")


def _welcome(console: Console, stack: Stack, *, as_json: bool) -> None:
    """Say where everything is, and what to try."""
    connections = stack.bridge.config.connections
    webhooks = {
        name: f"{stack.url}/webhooks/{name}"
        for name, connection in connections.items()
        if connection.webhook is not None
    }
    if as_json:
        addresses = {
            "listening": stack.url,
            "webhooks": webhooks,
            "sandboxes": {name: sandbox.url for name, sandbox in stack.sandboxes.items()},
            "home": str(stack.settings.home),
        }
        say_json(addresses)
        return
    where = Text.assemble(("Bridge", "bold"), " is running on ", (stack.url, "bold"))
    console.print(where.append("   (Ctrl-C ends it)"))
    for name, connection in connections.items():
        console.print(f"  {name:<10} {connection.system:<9} {connection.base_url}")
        if name in webhooks:
            console.print(f"  {'':<10} webhooks  {webhooks[name]}", style="dim")
    for name, sandbox in list(stack.sandboxes.items())[:1]:
        _suggest_edit(console, name, sandbox.url)
    console.print()


def _suggest_edit(console: Console, name: str, url: str) -> None:
    console.print()
    console.print(
        f"Play a user of {name}: list the tickets, then change one, and watch it arrive below."
    )
    console.print(f"  curl -s {url}/_control/tickets", soft_wrap=True)
    body = '{"id": "ID", "fields": {"priority": "high"}}'
    console.print(f"  curl -s {url}/_control/edit -d '{body}'", soft_wrap=True)
