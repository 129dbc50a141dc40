"""`bridge up`: the whole bridge in one terminal."""

from __future__ import annotations

import random
from typing import Final

import click

from bridge.cli.activity_lines import print_row
from bridge.cli.process import ACCEPT
from bridge.cli.screen import Screen
from bridge.cli.welcome import welcome
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
    "--admin-port",
    default=8090,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of the pages, or the next free; 0: no pages.",
)
@click.option(
    "--workers", default=0, type=click.IntRange(0, 64), help="[default: 1 on SQLite, else 2]"
)
@click.option(
    "--json", "as_json", is_flag=True, help="For programs: a line of JSON for each thing mirrored."
)
@ACCEPT
def command(
    sandboxed: bool,
    host: str,
    port: int,
    admin_port: int,
    workers: int,
    as_json: bool,
    accept: bool,
) -> None:
    """Run everything in this terminal: receiver, pages, workers, clock, and a Valkey if need be.

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
        admin_port=admin_port,
        workers=workers,
        seed=random.SystemRandom().randrange(2**32) if sandboxed else 0,
    )
    try:
        with Stack(settings) as stack:
            activity = ActivityStream(stack.bridge.ledger)
            activity.start_now()
            welcome(console, stack, as_json=as_json)
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
