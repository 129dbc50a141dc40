"""`bridge ticket REF`: one ticket, its sides, and everything that happened to it."""

from __future__ import annotations

from typing import Final

import click
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from bridge.cli.operator import at_desk, named
from bridge.cli.screen import Screen, say, say_json
from bridge.cli.timeline_lines import detail_text
from bridge.cli.value_text import short_value
from bridge.core.model.values import NO_BASE, Marker
from bridge.operations import ticket
from bridge.operations.ticket import SideView, Ticket
from bridge.operations.times import when

MAX_WIDTH: Final = 1000
READABLE: Final = 100
"""Where this is printed to no terminal, a wider table is folded."""


@click.command("ticket")
@click.argument("ref")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(ref: str, as_json: bool) -> None:
    """Show one ticket: its agreed state, what each side shows, and its timeline.

    REF is `connection:remote-id`, a remote id, or the beginning of either or of the bridge's own
    id.
    """
    with at_desk() as desk:
        the_ticket = ticket.show(desk, named(desk, ref))
    if as_json:
        say_json(ticket.as_json(the_ticket))
    else:
        _print(Screen(), the_ticket)


def _print(console: Console, the_ticket: Ticket) -> None:
    paused = "  paused" if the_ticket.paused else ""
    title = Text(the_ticket.id, style="bold")
    console.print(title.append(f"  {the_ticket.sync}{paused}", "not bold"))
    for name, side in the_ticket.sides.items():
        say(f"  {name}:{side.id}{_condition(side)}")
    console.print()
    _print_fields(console, the_ticket)
    console.print()
    widths = [max(map(len, column), default=0) for column in zip(*_heads(the_ticket), strict=True)]
    for line, head in zip(the_ticket.timeline, _heads(the_ticket), strict=True):
        cells = [f"{cell:<{width}}" for cell, width in zip(head, widths, strict=True)]
        whole = f"{when(line.at)}  {'  '.join(cells)}  {detail_text(line.detail, line.code)}"
        say(whole.rstrip())


def _heads(the_ticket: Ticket) -> list[tuple[str, str, str]]:
    """Return what the lines of the timeline begin with: what happened, where, to which field."""
    return [(line.kind, line.connection, line.field) for line in the_ticket.timeline]


def _print_fields(console: Console, the_ticket: Ticket) -> None:
    """Print the fields as a table, or below one another on a terminal that is too narrow for it."""
    table = _table(the_ticket)
    options = console.options.update(max_width=MAX_WIDTH)
    width = Measurement.get(console, options, table).maximum
    if width <= (console.width if console.is_terminal else min(console.width, READABLE)):
        console.print(table)
        return
    for field in the_ticket.state:
        console.print(Text(field, "bold").append(f"  {_agreed(the_ticket, field)}", "not bold"))
        for name, side in the_ticket.sides.items():
            if text := _cell(side, field):
                console.print(Text(f"  {name}  ", "dim").append(text, "not dim"))


def _condition(side: SideView) -> str:
    if side.retired:
        return " (retired: no member of the sync any more)"
    return " (detached)" if side.detached else " (deleted)" if side.deleted else ""


def _table(the_ticket: Ticket) -> Table:
    """Return a table: a row a field, the agreed value, and what each side shows."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("field", "agreed", *the_ticket.sides):
        table.add_column(column)
    for field in the_ticket.state:
        sides = [_cell(side, field) for side in the_ticket.sides.values()]
        table.add_row(field, _agreed(the_ticket, field), *sides)
    return table


def _agreed(the_ticket: Ticket, field: str) -> str:
    if field in the_ticket.open:
        return "in conflict"
    agreed = the_ticket.state[field]
    return short_value(agreed.value) + (f"  ({agreed.by})" if agreed.by else "")


def _cell(side: SideView, field: str) -> str:
    value = side.fields.get(field, NO_BASE)
    text = "" if isinstance(value, Marker) else short_value(value)
    note = side.notes.get(field, "")
    return f"{text}  ({note})" if note else text
