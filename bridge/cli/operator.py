"""`bridge parked` and `bridge connection`: an operator's few verbs, each written down in the audit."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta

import click

from bridge import home as homes
from bridge import wiring
from bridge.cli.accounts import follow_sandbox
from bridge.clock import SystemClock
from bridge.ledger import audit, health, parking
from bridge.ledger.session import Ledger, Tx

A_LONG_TIME = timedelta(days=3650)
"""A pause lasts until it is ended."""


@contextmanager
def changing(action: str, subject: str) -> Iterator[tuple[Tx, datetime]]:
    """Open the ledger for one audited action."""
    home = homes.find_home()
    follow_sandbox(home)
    ledger = Ledger(wiring.load_config(home).settings.database)
    ledger.check()
    now = SystemClock().now()
    try:
        with ledger.transaction() as tx:
            yield tx, now
            audit.add(tx, actor=f"local:{getpass.getuser()}", action=action, subject=subject, at=now)
    finally:
        ledger.close()


@click.group()
def parked() -> None:
    """List work that was set aside, and free it or throw it away."""


@parked.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(as_json: bool) -> None:
    """List what is set aside, the newest first."""
    home = homes.find_home()
    follow_sandbox(home)
    ledger = Ledger(wiring.load_config(home).settings.database)
    ledger.check()
    with ledger.read() as tx:
        rows = parking.parked(tx)
    ledger.close()
    for row in rows:
        if as_json:
            click.echo(json.dumps(asdict(row), default=str, ensure_ascii=False))
        else:
            click.echo(f"{row.id}  {row.at:%Y-%m-%d %H:%M}  {row.connection}  {row.kind}  [{row.cause}]  {row.why}")
    if not rows and not as_json:
        click.echo("nothing is parked")


@parked.command()
@click.argument("ids", nargs=-1, type=int)
@click.option("--cause", help="All that were set aside for this reason.")
@click.option("--approve", is_flag=True, help="Let held destructive changes through, this once.")
def retry(ids: tuple[int, ...], cause: str | None, approve: bool) -> None:
    """Free parked work: what is right is looked at anew, nothing old is sent again."""
    if not ids and cause is None:
        raise click.UsageError("name the rows (see `bridge parked list`), or a --cause")
    with changing("parked retry", ", ".join(map(str, ids)) or f"cause {cause}") as (tx, now):
        freed = parking.unpark(tx, now, ids=ids or None, cause=cause, payload={"approved": True} if approve else None)
    click.echo(f"{freed} freed")
    if ids and freed < len(ids):
        raise click.ClickException(f"{len(ids) - freed} of the rows named are not parked (any more)")


@parked.command()
@click.argument("ids", nargs=-1, required=True, type=int)
def discard(ids: tuple[int, ...]) -> None:
    """Throw parked work away; a reconciliation finds again what is still to be done."""
    with changing("parked discard", ", ".join(map(str, ids))) as (tx, _now):
        gone = parking.discard(tx, ids)
    click.echo(f"{gone} thrown away")


@click.group()
def connection() -> None:
    """Pause a connection, or resume one that was paused or refused."""


@connection.command()
@click.argument("name")
def pause(name: str) -> None:
    """Call NAME no more until it is resumed; its webhooks are still taken."""
    _known(name)
    with changing("connection pause", name) as (tx, now):
        health.pause(tx, name, now + A_LONG_TIME, "paused by an operator")
    click.echo(f"{name} is paused; `bridge connection resume {name}` ends it")


@connection.command()
@click.argument("name")
def resume(name: str) -> None:
    """Call NAME again, after its credentials were mended or it was paused."""
    _known(name)
    with changing("connection resume", name) as (tx, _now):
        health.resume(tx, name)
    click.echo(f"{name} is in use again")


def _known(name: str) -> None:
    names = wiring.load_config(homes.find_home()).connections
    if name not in names:
        raise click.UsageError(f"no connection {name}; allowed: {', '.join(names)}")
