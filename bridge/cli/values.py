"""`bridge values`: what vendors show that no file knows, and taking it in."""

from __future__ import annotations

from dataclasses import asdict

import click

from bridge import wiring
from bridge.cli.operator import at_desk
from bridge.cli.screen import say, say_rows
from bridge.cli.unknown_lines import print_unknown
from bridge.config.fields_file import KINDS
from bridge.core.model.counting import counted
from bridge.home import find_home
from bridge.operations import accepted_parts, unknown_values, vendor_fields
from bridge.operations.late_fields import reading_command
from bridge.operations.mapping_edits import MadeEdit


@click.group("values")
def group() -> None:
    """List vendors' values that no mapping can read and fields that none knows; take them in."""


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs: a line a value or field.")
def list_values(as_json: bool) -> None:
    """List values without a reading and fields that no file knows, each with what to do."""
    with at_desk() as desk:
        values = unknown_values.unknown(desk)
        ignored, fields = vendor_fields.ignored_values(desk), vendor_fields.unknown_fields(desk)
    if as_json:
        say_rows({"what": "value"} | asdict(row) for row in values)
        say_rows({"what": "ignored"} | asdict(row) for row in ignored)
        say_rows({"what": "field"} | asdict(row) for row in fields)
        return
    print_unknown(values, ignored, fields)
    if not (values or ignored or fields):
        say("every value that was seen has a reading, and every field is known")


@group.command()
@click.argument("connection")
@click.argument("field")
@click.argument("value", required=False)
@click.argument("ours", required=False)
@click.option("--entity", default="ticket", show_default=True)
@click.option("--name", default="", help="What to call an unknown field.")
@click.option("--kind", default="", type=click.Choice(["", *KINDS]), help="What it holds.")
def accept(
    connection: str,
    field: str,
    value: str | None,
    ours: str | None,
    entity: str,
    name: str,
    kind: str,
) -> None:
    """Let VALUE of CONNECTION's FIELD read as OURS; without them, mirror the unknown FIELD.

    The mapping gets the row, and is checked; every other byte of the files stays. Published
    mappings are published anew; files are taken in when the bridge is started again.
    """
    if (value is None) != (ours is None) or (value is not None and (name or kind)):
        raise click.UsageError("give VALUE and OURS, or neither to take in an unknown field")
    place = (connection, entity, field)
    with at_desk(files_have_changed=True) as desk:
        accounts = wiring.sandbox_accounts(find_home())
        if value is not None and ours is not None:
            row = accepted_parts.accept_value(desk, accounts, place, value, ours)
            say(f"{row.at}: {field} reads {row.row} now")
            if row.written:
                say(f"    and its table `write` says which word is sent: {row.written}")
            _say_what_follows(row.made, f"{counted(row.records, entity)} will be read again")
            return
        taken = accepted_parts.accept_field(desk, accounts, place, name, kind)
    for file, line in taken.files.items():
        say(f"{file}: {entity} has {line} now")
    _say_what_follows(taken.made, f"{connection}'s {entity}s show it as they are read")
    for each in taken.others:
        say(f"it does not travel to {each} yet: its mapping has no {taken.name}")
    if taken.since is not None:
        then = "then " if taken.made.revision is None else ""
        say(f"{then}{reading_command(taken.since)} carries what the records show already")


@group.command()
@click.argument("connection")
@click.argument("field")
@click.option("--entity", default="ticket", show_default=True)
def dismiss(connection: str, field: str, entity: str) -> None:
    """Leave FIELD of CONNECTION, which no file knows, out of the list from now on."""
    with at_desk() as desk:
        vendor_fields.dismiss(desk, (connection, entity, field))
    say(f"{field} of {connection} is listed no more")


def _say_what_follows(made: MadeEdit, what: str) -> None:
    if made.revision is None:
        say(f"restart the bridge: {what}")
        return
    say(f"revision {made.revision} is in force, what runs takes it up within seconds: {what}")
    if made.left_behind:
        say("mappings/ is still as you wrote it: `bridge mappings diff` shows how it differs")
