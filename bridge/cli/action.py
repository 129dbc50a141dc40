"""`bridge action CONNECTION ACTION key=value…`: what an operator may do by hand at a system, and no sync ever does."""

from __future__ import annotations

import getpass

import click

from bridge import home as homes
from bridge import wiring
from bridge.cli.running_sandbox import follow_sandbox
from bridge.clock import SystemClock
from bridge.connectors import build, connector_class
from bridge.http.client import Http
from bridge.ledger import audit
from bridge.ledger.database import Ledger


@click.command()
@click.argument("connection")
@click.argument("action")
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
def action(connection: str, action: str, arguments: tuple[str, ...]) -> None:
    """Do something by hand at a system, such as opening a screen share; the answer is shown once and kept nowhere.

    That it was asked for is written down in the audit, before it is done. It is never repeated by
    itself.
    """
    home = homes.find_home()
    follow_sandbox(home)
    config = wiring.load_config(home)
    if connection not in config.connections:
        raise click.UsageError(
            f"no connection {connection}; allowed: {', '.join(config.connections)}"
        )
    known = config.connections[connection]
    can = connector_class(known.system).ACTIONS
    if action not in can:
        allowed = (
            "; ".join(f"{name}: {meaning}" for name, meaning in can.items())
            or f"none ({known.system} has none)"
        )
        raise click.UsageError(f"no action {action}; allowed: {allowed}")
    given = _pairs(arguments)
    ledger = Ledger(config.settings.database)
    ledger.check()
    http = Http(known, clock=SystemClock())
    try:
        now = SystemClock().now()
        with ledger.transaction() as tx:
            # The names of what was given, and which record it is about; no other value: they may be
            # about a person.
            about = {key: value for key, value in given.items() if "." not in key}
            detail = {"action": action, "given": sorted(given), **about}
            actor = f"local:{getpass.getuser()}"
            audit.add(
                tx,
                actor=actor,
                action="action",
                subject=f"{connection} {action}",
                at=now,
                detail=detail,
            )
        answer = build(known, http).perform_action(action, given)
    finally:
        http.close()
        ledger.close()
    click.echo(answer)


def _pairs(arguments: tuple[str, ...]) -> dict[str, str]:
    given: dict[str, str] = {}
    for each in arguments:
        key, equals, value = each.partition("=")
        if not equals or not key or key in given:
            raise click.UsageError(f"{each.partition('=')[0]!r} must be given once, as key=value")
        given[key] = value
    return given
