"""`bridge calls`: the last calls to vendors, and one with all that was kept of it."""

from __future__ import annotations

import click

from bridge.cli.operator import at_desk
from bridge.cli.screen import say, say_json, say_rows
from bridge.operations import last_calls
from bridge.operations.last_calls import METHODS, OUTCOMES, CallDetail, CallLine, WantedCalls
from bridge.operations.times import when


@click.command("calls")
@click.argument("number", required=False, type=click.IntRange(1))
@click.option("--connection", default="", metavar="NAME", help="Only those to this connection.")
@click.option("--ticket", default="", metavar="REF", help="Only those for this ticket.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only those that ended so.")
@click.option("--method", type=click.Choice(METHODS), help="Only those.")
@click.option("--slower-than", default=0, type=click.IntRange(0), metavar="MS", help="Only those.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--before", type=click.IntRange(1), help="Those before this number: the next page.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    number: int | None,
    connection: str,
    ticket: str,
    outcome: str | None,
    method: str | None,
    slower_than: int,
    limit: int,
    before: int | None,
    as_json: bool,
) -> None:
    """List the last calls to vendors, the newest first; or show call NUMBER.

    They are kept for a day, 10,000 of a connection at most, a second after they were made.
    """
    if number is not None:
        _show(number, as_json=as_json)
        return
    wanted = WantedCalls(connection, ticket, outcome or "", method or "", slower_than)
    with at_desk() as desk:
        page = last_calls.listed(desk, wanted, before=before, limit=limit)
    if as_json:
        say_rows(page.rows)
    else:
        for call in page.rows:
            say(_line(call))
        if not page.rows:
            say("no call fits")
    if page.before is not None:
        say(f"more: --before {page.before}", err=True)


def _show(number: int, *, as_json: bool) -> None:
    with at_desk() as desk:
        found = last_calls.show(desk, number, personal=True)
    if as_json:
        say_json(found)
        return
    say(_line(found.call))
    _print_parts(found)


def _print_parts(found: CallDetail) -> None:
    for title, shape, body in (
        ("sent", found.sent, found.sent_body),
        ("answered", found.answered, found.answered_body),
    ):
        if shape or body:
            say(title)
        for place, what in shape.items():
            say(f"  {place or 'the whole'}: {what}")
        if body:
            say(f"  {body}")


def _line(call: CallLine) -> str:
    status = "no answer" if call.status is None else str(call.status)
    about = f"  for {call.ticket}" if call.ticket else ""
    outcome = f"  [{call.code}] {call.error}" if call.code else ""
    asked = f"{call.connection}  {call.method} {call.path}"
    return f"{call.id}  {when(call.at)}  {asked}  {status} in {call.ms} ms  {call.why}" + (
        about + outcome
    )
