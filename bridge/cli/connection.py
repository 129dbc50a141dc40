"""`bridge connection`: pause a connection, or resume one that was paused or refused."""

from __future__ import annotations

import click

from bridge.cli.operator import actor, changing, known
from bridge.ledger import connection_health


@click.group()
def connection() -> None:
    """Pause a connection, or resume one that was paused or refused."""


@connection.command()
@click.argument("name")
@click.option("--why", default="", help="What others read in the status.")
def pause(name: str, why: str) -> None:
    """Call NAME no more until it is resumed; its webhooks are still taken."""
    known(name)
    with changing("connection pause", name, {"why": why}) as (tx, now):
        connection_health.hold(tx, name, f"{actor()} paused it{f': {why}' if why else ''}", now)
    click.echo(f"{name} is paused; `bridge connection resume {name}` ends it")


@connection.command()
@click.argument("name")
def resume(name: str) -> None:
    """Call NAME again, after its credentials were mended or it was paused."""
    known(name)
    with changing("connection resume", name) as (tx, _now):
        connection_health.resume(tx, name)
    click.echo(f"{name} is in use again")
