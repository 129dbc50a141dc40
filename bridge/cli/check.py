"""`bridge check`: every problem of the configuration and the mappings at once, before anything runs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import click

from bridge import config as configuration
from bridge import home as homes
from bridge import wiring
from bridge.cli.running_sandbox import follow_sandbox
from bridge.clock import SystemClock
from bridge.config import Config, SandboxAccount
from bridge.connectors import CONNECTORS, build, connector_class
from bridge.errors import BridgeError, Unauthorised
from bridge.http.client import Http
from bridge.supervisor.sandbox_accounts import placeholder_accounts


@click.command()
@click.option(
    "--live", is_flag=True, help="Also call every connection, reading only, and see what it can do."
)
@click.option(
    "--sandbox",
    "sandbox",
    is_flag=True,
    help="As if every connection led to its sandbox; needs no keys.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def check(live: bool, sandbox: bool, as_json: bool) -> None:
    """Check the configuration and the mappings, and run the mappings' own examples; 1 when there are problems."""
    home = homes.find_home()
    if live and not sandbox:
        follow_sandbox(home)
    given = accounts(sandbox=sandbox)
    if not as_json:
        click.echo(f"home: {home}")
    classes = {system: connector_class(system) for system in CONNECTORS}
    problems = configuration.check(home, environ=os.environ, sandbox=given, connectors=classes)
    seen: dict[str, dict[str, object]] = {}
    warnings: tuple[str, ...] = ()
    if not problems:
        config = configuration.load(home, environ=os.environ, sandbox=given, connectors=classes)
        warnings = config.warnings
        if live:
            seen, problems = call(config, home if given is None else None)
        if not as_json:
            summary(
                config, seen, {name for name in config.connections if live and name not in seen}
            )
    if as_json:
        click.echo(
            json.dumps(
                {"ok": not problems, "problems": problems, "warnings": warnings, "live": seen}
            )
        )
    else:
        complain(warnings, problems)
    if problems:
        raise SystemExit(1)


def complain(warnings: Sequence[str], problems: Sequence[str]) -> None:
    """Write to standard error what is doubtful and what is wrong."""
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        click.echo(f"{len(problems)} problem{'s' if len(problems) != 1 else ''}", err=True)


def accounts(*, sandbox: bool) -> dict[str, SandboxAccount] | None:
    """Give what replaces the addresses and secrets, if anything does."""
    return placeholder_accounts() if sandbox else wiring.sandbox_accounts(homes.find_home())


def call(config: Config, home: Path | None) -> tuple[dict[str, dict[str, object]], list[str]]:
    """Ping and probe every connection; gives what was seen, and a problem for each that does not answer.

    `home`: whose files the credentials are from; None: they are a sandbox's.
    """
    clock = SystemClock()
    seen: dict[str, dict[str, object]] = {}
    problems: list[str] = []
    for name, connection in config.connections.items():
        connector = build(connection, Http(connection, clock=clock))
        try:
            seen[name] = {"ping": connector.ping(), "probe": connector.probe()}
        except BridgeError as error:
            problem = f"connections.{name}: {error}"
            if home is not None and isinstance(error, Unauthorised):
                problem += f"; its credentials: {configuration.credentials_at(home, name)}"
            problems.append(problem)
    return seen, problems


def summary(config: Config, seen: dict[str, dict[str, object]], failed: set[str]) -> None:
    """Say what was found to be in order, and which connection did not answer well."""
    for name, connection in config.connections.items():
        mapped = ", ".join(
            f"{entity} ({len(mapping.fields)} fields)"
            for entity, mapping in config.maps.get(name, {}).items()
        )
        click.echo(
            f"{'no' if name in failed else 'ok'}  {name:<12} {connection.system:<10} {mapped}"
        )
        for what, found in seen.get(name, {}).items():
            click.echo(f"    {what}: {found}")
    for sync in config.syncs.values():
        click.echo(f"ok  {sync.name}: {', '.join(sync.members)}")
