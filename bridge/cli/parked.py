"""`bridge parked`: work that was set aside, by cause; freed or thrown away."""

from __future__ import annotations

import click

from bridge.cli.operator import at_desk
from bridge.cli.screen import say, say_rows
from bridge.operations import parked
from bridge.operations.parked import CauseGroup, Choice
from bridge.operations.times import when


@click.group("parked")
def group() -> None:
    """List work that was set aside, and free it or throw it away."""


@group.command("list")
@click.option(
    "--rows", "as_rows", is_flag=True, help="Every row, the newest first, instead of groups."
)
@click.option("--cause", metavar="CODE", help="Rows with this outcome code.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_parked(as_rows: bool, cause: str | None, as_json: bool) -> None:
    """List what is set aside, by cause: how much, since when, examples, and what to do about it."""
    with at_desk() as desk:
        if as_rows or cause:
            groups, rows = [], parked.rows(desk, cause)
        else:
            groups, rows = parked.groups(desk), []
    if as_json:
        as_groups = [parked.group_as_json(entry.parked) for entry in groups]
        say_rows(as_groups or [parked.as_json(row) for row in rows])
        return
    for entry in groups:
        _print_group(entry)
    for row in rows:
        say(f"{row.id}  {when(row.since)}  {row.subject}  {row.kind}  [{row.code}]  {row.why}")
    if not groups and not rows:
        say("nothing is parked")


@group.command()
@click.argument("names", nargs=-1, metavar="[ID|KEY|CODE]...")
@click.option("--cause", metavar="CODE", help="All that have this outcome code.")
@click.option("--all", "everything", is_flag=True, help="All there is.")
@click.option(
    "--approve",
    is_flag=True,
    help="Let held destructive changes through, or let a doubtful match be a ticket of its own.",
)
def retry(names: tuple[str, ...], cause: str | None, everything: bool, approve: bool) -> None:
    """Free parked work: what is right is looked at anew, nothing old is sent again."""
    choice = _choice(names, cause, everything)
    with at_desk() as desk:
        freed = parked.retry(desk, choice, approve=approve)
    say(f"{freed} freed")


@group.command()
@click.argument("names", nargs=-1, metavar="[ID|KEY|CODE]...")
@click.option("--cause", metavar="CODE", help="All that have this outcome code.")
@click.option("--all", "everything", is_flag=True, help="All there is.")
def discard(names: tuple[str, ...], cause: str | None, everything: bool) -> None:
    """Throw parked work away; a reconciliation finds again what is still to be done.

    What its refusal has taught (a word that the system does not take) is forgotten with it: the
    next write tries it again, and it is parked again if it is refused again.
    """
    choice = _choice(names, cause, everything)
    with at_desk() as desk:
        gone = parked.discard(desk, choice)
    say(f"{gone} thrown away")


def _choice(names: tuple[str, ...], cause: str | None, everything: bool) -> Choice:
    choice = Choice(names, cause, everything)
    if choice.empty:
        raise click.UsageError("name rows, keys or codes (see `bridge parked list`), or say --all")
    return choice


def _print_group(group: CauseGroup) -> None:
    found = group.parked
    say(
        f"{found.count}  {group.cause}  on {found.connection}, since {when(found.oldest)}  "
        f"[{found.code}]"
    )
    for sample in found.samples:
        say(f"      {sample.id}  {sample.subject}  {sample.why}")
    say(f"   -> {group.what_to_do}")
