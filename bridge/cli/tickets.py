"""`bridge tickets`: the tickets, the newest first, and those that one looks for."""

from __future__ import annotations

import click
from rich.table import Table

from bridge.cli.operator import at_desk
from bridge.cli.screen import Screen, say, say_rows
from bridge.cli.value_text import short_id, short_value
from bridge.operations import tickets
from bridge.operations.ticket_states import TicketState
from bridge.operations.tickets import TicketLine, Wanted


@click.command("tickets")
@click.argument("text", default="")
@click.option("--email", default="", metavar="PART", help="The customer's or assignee's address.")
@click.option("--tag", default="", metavar="TAG", help="A tag that was agreed on.")
@click.option("--state", type=click.Choice([state.value for state in TicketState]))
@click.option("--sync", default="", metavar="NAME", help="Tickets of this sync.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--after", metavar="ID", help="Go on after this ticket.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    text: str,
    email: str,
    tag: str,
    state: str | None,
    sync: str,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """List tickets, the newest first.

    TEXT is a part of the subject or of another agreed text, or how a record's id begins.
    """
    chosen = None if state is None else TicketState(state)
    wanted = Wanted(text=text, email=email, tag=tag, state=chosen, sync=sync)
    with at_desk() as desk:
        page = tickets.listed(desk, wanted, limit=limit, after=after)
    if as_json:
        say_rows(page.rows)
    elif page.rows:
        _print(page.rows)
    else:
        say("no ticket fits")
    if page.after is not None:
        say(f"more: --after {page.after}", err=True)


def _print(rows: list[TicketLine]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("ticket", "subject", "status", "state", "records"):
        table.add_column(column, overflow="fold", no_wrap=column in {"ticket", "status"})
    for row in rows:
        records = ", ".join(f"{name}:{short_id(of)}" for name, of in row.records.items())
        table.add_row(
            short_id(row.id),
            short_value(row.subject),
            row.status or "",
            ", ".join(row.states),
            records,
        )
    Screen().print(table)
