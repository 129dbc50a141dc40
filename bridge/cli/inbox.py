"""`bridge inbox`: the webhooks that came in, what became of each, and one looked at again."""

from __future__ import annotations

from dataclasses import asdict

import click

from bridge.cli.operator import at_desk
from bridge.cli.screen import say, say_json, say_rows
from bridge.operations import inbox
from bridge.operations.inbox import InboxEntry
from bridge.operations.times import when


@click.group("inbox")
def group() -> None:
    """List webhooks, show one, or have its record looked at again."""


@group.command("list")
@click.option("--verdict", type=click.Choice(inbox.VERDICTS), help="Only those.")
@click.option("--connection", help="Only those of this connection.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--before", type=int, help="Only those with a smaller id: the next page.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_webhooks(
    verdict: str | None, connection: str | None, limit: int, before: int | None, as_json: bool
) -> None:
    """List webhooks, the newest first, with the account of all that ever came."""
    with at_desk() as desk:
        page = inbox.recent(
            desk, verdict=verdict, connection=connection or None, before=before, limit=limit
        )
    if as_json:
        say_rows(page.rows)
        return
    for entry in page.rows:
        say(_line(entry))
    say(str(page.account))


@group.command("show")
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show_webhook(number: int, as_json: bool) -> None:
    """Show webhook NUMBER with all that was kept of it."""
    with at_desk() as desk:
        entry = inbox.show(desk, number)
    if as_json:
        say_json(entry)
        return
    told = asdict(entry) | {"verdict": inbox.in_words(entry.verdict)}
    for name, value in told.items():
        if value not in (None, "", {}):
            say(f"{name:<13} {value}")


@group.command()
@click.argument("numbers", nargs=-1, required=True, type=int)
def reprocess(numbers: tuple[int, ...]) -> None:
    """Have the records that webhooks NUMBERS named read again now.

    What the webhooks claimed plays no part.
    """
    with at_desk() as desk:
        inbox.reprocess(desk, numbers)
    say(f"{len(numbers)} to be looked at again")


def _line(entry: InboxEntry) -> str:
    where = entry.connection
    if entry.remote_id:
        where += f":{entry.remote_id}"
    times = f" ({entry.deliveries} times)" if entry.deliveries > 1 else ""
    return (
        f"{entry.id}  {when(entry.received_at)}  {where}  {entry.event}{times}  "
        f"{inbox.in_words(entry.verdict)}  {entry.why}"
    ).rstrip()
