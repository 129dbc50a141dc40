"""`bridge values`: what vendors show that no mapping can read, and giving it a meaning."""

from __future__ import annotations

import click

from bridge import wiring
from bridge.cli.operator import at_desk
from bridge.cli.screen import say, say_rows
from bridge.core.model.counting import counted
from bridge.home import find_home
from bridge.operations import unknown_values
from bridge.operations.times import when
from bridge.operations.unknown_values import UnknownValue


@click.group("values")
def group() -> None:
    """List vendors' values that no mapping can read, and give one a meaning."""


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs: a line a value.")
def list_values(as_json: bool) -> None:
    """List the values without a reading, the most frequent first, each with what to do."""
    with at_desk() as desk:
        found = unknown_values.unknown(desk)
    if as_json:
        say_rows(found)
        return
    for each in found:
        _print(each)
    if not found:
        say("every value that was seen has a reading")


@group.command()
@click.argument("connection")
@click.argument("field")
@click.argument("value")
@click.argument("ours")
@click.option("--entity", default="ticket", show_default=True)
def accept(connection: str, field: str, value: str, ours: str, entity: str) -> None:
    """Let VALUE of CONNECTION's FIELD read as OURS: the mapping gets the row, and is checked.

    The rest of the file stays as it is. The bridge takes it in when it is started again.
    """
    with at_desk(files_have_changed=True) as desk:
        accounts = wiring.sandbox_accounts(find_home())
        made = unknown_values.accept(desk, accounts, (connection, entity, field), value, ours)
    say(f"{made.at}: {field} reads {made.row} now")
    say(f"restart the bridge: {counted(made.records, entity)} will be read again")


def _print(each: UnknownValue) -> None:
    seen = f", first {when(each.first_seen)}" if each.first_seen else ""
    seen += f", last {when(each.last_seen)}" if each.last_seen else ""
    records = counted(each.records, each.entity)
    say(
        f"{each.connection}: {each.field} {each.value!r} on {records}{seen}",
        f"    {each.at}; for example {', '.join(each.examples)}",
        f"    bridge values accept {each.connection} {each.field} {each.value!r} "
        f"{each.proposed or 'OURS'}    (OURS: {each.allowed})",
    )
