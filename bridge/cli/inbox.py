"""`bridge inbox`: the webhooks that came in, what became of each, and one looked at again."""

from __future__ import annotations

import click

from bridge.cli.operator import changing, looking, show
from bridge.core.model.values import Ref
from bridge.ledger import hints
from bridge.ledger import webhook_inbox as rows
from bridge.operations.times import when


@click.group()
def inbox() -> None:
    """List webhooks, show one, or have its record looked at again."""


@inbox.command("list")
@click.option("--verdict", type=click.Choice(rows.VERDICTS), help="Only those.")
@click.option("--connection", help="Only those of this connection.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--before", type=int, help="Only those with a smaller id: the next page.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(
    verdict: str | None, connection: str | None, limit: int, before: int | None, as_json: bool
) -> None:
    """List webhooks, the newest first, with the account of all that ever came."""
    with looking() as (tx, config, _now):
        if connection and connection not in config.connections:
            raise click.UsageError(
                f"no connection {connection}; allowed: {', '.join(config.connections)}"
            )
        found = rows.recent(tx, verdict=verdict, connection=connection, before=before, limit=limit)
        account = rows.account(tx)
    if as_json:
        show(found)
        return
    for row in found:
        where = f"{row['connection']}:{row['remote_id']}" if row["remote_id"] else row["connection"]
        times = f" ({row['deliveries']} times)" if row["deliveries"] > 1 else ""
        click.echo(
            f"{row['id']}  {when(row['received_at'])}  {where}  {row['event']}{times}  "
            f"{row['verdict']}  {row['why']}".rstrip()
        )
    click.echo(str(account))


@inbox.command("show")
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show_(number: int, as_json: bool) -> None:
    """Show webhook NUMBER with all that was kept of it."""
    with looking() as (tx, _config, _now):
        row = rows.get(tx, number)
    if row is None:
        raise click.UsageError(f"no webhook {number}; settled ones are forgotten after a while")
    if as_json:
        show([row])
        return
    for name, value in row.items():
        if value not in (None, "", {}):
            click.echo(f"{name:<13} {value}")


@inbox.command()
@click.argument("numbers", nargs=-1, required=True, type=int)
def reprocess(numbers: tuple[int, ...]) -> None:
    """Have the records that webhooks NUMBERS named read again now; what the webhooks claimed plays no part."""
    with changing("inbox reprocess", ", ".join(map(str, numbers))) as (tx, now):
        for number in numbers:
            row = rows.get(tx, number)
            if row is None:
                raise click.ClickException(f"no webhook {number}; nothing was changed")
            if not row["entity"] or not row["remote_id"]:
                raise click.ClickException(
                    f"webhook {number} names no record ({row['why']}); nothing was changed"
                )
            hints.give(
                tx, Ref(row["connection"], row["entity"], row["remote_id"]), now, lane="operator"
            )
    click.echo(f"{len(numbers)} to be looked at again")
