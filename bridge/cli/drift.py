"""`bridge drift`: what reconciliation found lately, and how much of it the sources' webhooks had missed."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import click

from bridge.cli.operator import looking
from bridge.cli.reconcile import finding, plain
from bridge.ledger import drift_findings as findings
from bridge.operations.times import when


@click.command()
@click.argument("connection", required=False)
@click.option(
    "--days",
    default=7,
    show_default=True,
    type=click.IntRange(1, 30),
    help="How far back the rates go.",
)
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Findings to list."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def drift(connection: str | None, days: int, limit: int, as_json: bool) -> None:
    """Show the latest drift of CONNECTION (default: all), why it was missed, and the miss rate of each day."""
    with looking() as (tx, config, now):
        if connection and connection not in config.connections:
            raise click.UsageError(
                f"no connection {connection}; allowed: {', '.join(config.connections)}"
            )
        rates = findings.rates(tx, now - timedelta(days=days), connection)
        found = findings.recent(tx, connection=connection, limit=limit)
    if as_json:
        given = {
            "rates": [asdict(each) for each in rates],
            "found": [asdict(each) for each in found],
        }
        click.echo(json.dumps(given, default=_plain))
        return
    if not rates and not found:
        click.echo("nothing has drifted")
        return
    for rate in rates:
        missed = f"{rate.missed} no webhook told of ({share(rate)})"
        click.echo(
            f"{rate.day}  {rate.connection}: {rate.found} found, {missed}, {rate.healed} healed"
        )
    for each in found:
        click.echo(f"{when(each.found_at)}  {each.connection} {each.entity} {finding(plain(each))}")


def share(rate: findings.MissRate) -> str:
    """Give the part of a day's findings that no webhook told of."""
    return f"{rate.missed / rate.found:.0%}" if rate.found else "0%"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
