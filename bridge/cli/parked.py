"""`bridge parked`: work that was set aside, grouped by cause; freed or thrown away, and written down in the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from bridge.cli.operator import changing, looking, show
from bridge.engine.outcomes import remedy
from bridge.ledger import parking
from bridge.ledger.database import Tx
from bridge.operations.times import when


@click.group()
def parked() -> None:
    """List work that was set aside, and free it or throw it away."""


@parked.command("list")
@click.option(
    "--rows", "as_rows", is_flag=True, help="Every row, the newest first, instead of groups."
)
@click.option("--cause", help="Rows of this cause.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(as_rows: bool, cause: str | None, as_json: bool) -> None:
    """List what is set aside, by cause: how much, since when, examples, and what to do about it."""
    with looking() as (tx, _config, _now):
        groups = [] if as_rows or cause else parking.groups(tx)
        rows = parking.parked(tx, cause=cause) if as_rows or cause else []
    if as_json:
        show([asdict(group) | {"what_to_do": remedy(group.cause)} for group in groups] or rows)
        return
    for group in groups:
        click.echo(
            f"{group.count}  {group.cause}  on {group.connection}, since {when(group.oldest)}"
        )
        for sample in group.samples:
            click.echo(f"      {sample.id}  {sample.subject}  {sample.why}")
        click.echo(f"   -> {remedy(group.cause)}")
    for row in rows:
        click.echo(f"{row.id}  {when(row.at)}  {row.subject}  {row.kind}  [{row.cause}]  {row.why}")
    if not groups and not rows:
        click.echo("nothing is parked")


@parked.command()
@click.argument("names", nargs=-1, metavar="[ID|KEY|CAUSE]...")
@click.option("--cause", help="All that were set aside for this reason.")
@click.option("--all", "everything", is_flag=True, help="All there is.")
@click.option("--approve", is_flag=True, help="Let held destructive changes through, this once.")
def retry(names: tuple[str, ...], cause: str | None, everything: bool, approve: bool) -> None:
    """Free parked work: what is right is looked at anew, nothing old is sent again."""
    with changing("parked retry", _subject(names, cause, everything), {"approve": approve}) as (
        tx,
        now,
    ):
        ids = _meant(tx, names, cause, everything)
        freed = parking.unpark(tx, now, ids=ids, payload={"approved": True} if approve else None)
    click.echo(f"{freed} freed")


@parked.command()
@click.argument("names", nargs=-1, metavar="[ID|KEY|CAUSE]...")
@click.option("--cause", help="All that were set aside for this reason.")
@click.option("--all", "everything", is_flag=True, help="All there is.")
def discard(names: tuple[str, ...], cause: str | None, everything: bool) -> None:
    """Throw parked work away; a reconciliation finds again what is still to be done."""
    with changing("parked discard", _subject(names, cause, everything)) as (tx, _now):
        gone = parking.discard(tx, _meant(tx, names, cause, everything))
    click.echo(f"{gone} thrown away")


def _subject(names: Sequence[str], cause: str | None, everything: bool) -> str:
    if not names and cause is None and not everything:
        raise click.UsageError("name rows, keys or causes (see `bridge parked list`), or say --all")
    return (
        "all"
        if everything
        else ", ".join([*names, *([f"cause {cause}"] if cause is not None else [])])
    )


def _meant(tx: Tx, names: Sequence[str], cause: str | None, everything: bool) -> list[int]:
    """Give the rows that are meant; raises when a name means none, so that nothing is changed by half."""
    if everything:
        return parking.all_ids(tx)
    ids, unknown = parking.find_ids(tx, [*names, *([cause] if cause is not None else [])])
    if unknown:
        raise click.ClickException(
            f"not parked (any more): {', '.join(unknown)}; nothing was changed"
        )
    return ids
