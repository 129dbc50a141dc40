"""What the mappings make of a record, as tables: a line a field, with the place that says so."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from bridge.cli.screen import Screen, say
from bridge.cli.value_text import short_value
from bridge.operations.samples import Sample
from bridge.workbench.record_preview import FieldReading, FieldWriting, RecordPreview


def print_preview(sample: Sample, made: RecordPreview) -> None:
    """Print what a record reads as, then what each other member would be sent."""
    screen = Screen()
    where = f"in {made.sync}" if made.sync else "in no sync"
    scope = "" if made.in_scope or not made.sync else ", but out of its scope: nothing is sent"
    say(f"{sample.name}  ({made.entity} of {made.connection}, {where}{scope})", bold=True)
    screen.print(_table(("field", "reads as", "shown as", "line"), map(_read, made.readings)))
    for name, writings in made.writings.items():
        say("", f"{name} would be sent", bold=True)
        screen.print(
            _table(("field", "as", "on create", "on update", "line"), map(_written, writings))
        )
    say("")


def _table(columns: tuple[str, ...], rows: Iterable[tuple[Text | str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    return table


def _read(each: FieldReading) -> tuple[Text, ...]:
    reads = Text(short_value(each.reads))
    if each.why and each.reads:
        reads = Text(f"{short_value(each.reads)}, left out: {each.why}", "yellow")
    elif each.why:
        reads = Text(f"no reading: {each.why}  {each.code}".rstrip(), "yellow")
    return Text(each.field), reads, Text(short_value(each.shows)), Text(each.at, "dim")


def _written(each: FieldWriting) -> tuple[Text, ...]:
    return (
        Text(each.field),
        Text(each.key or "—"),
        _value(each.on_create, each.create_why),
        _value(each.on_update, each.update_why),
        Text(each.at, "dim"),
    )


def _value(value: object, why: str) -> Text:
    return Text(f"not: {why}", "yellow") if why else Text(short_value(value))
