"""`bridge connection`: pause a connection, or resume one that was paused or refused."""

from __future__ import annotations

import click

from bridge.cli.operator import at_desk
from bridge.cli.screen import say
from bridge.operations import connection


@click.group("connection")
def group() -> None:
    """Pause a connection, or resume one that was paused or refused."""


@group.command()
@click.argument("name")
@click.option("--why", default="", help="What others read in the status.")
def pause(name: str, why: str) -> None:
    """Call NAME no more until it is resumed; its webhooks are still taken."""
    with at_desk() as desk:
        connection.pause(desk, name, why)
    say(f"{name} is paused; `bridge connection resume {name}` ends it")


@group.command()
@click.argument("name")
def resume(name: str) -> None:
    """Call NAME again, after its credentials were mended or it was paused."""
    with at_desk() as desk:
        connection.resume(desk, name)
    say(f"{name} is in use again")
