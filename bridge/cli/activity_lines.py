"""The lines that `bridge up` prints while it mirrors: coloured on a terminal, or JSON."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.text import Text

from bridge.cli.screen import say_json
from bridge.cli.value_text import short_id, short_value
from bridge.operations.times import clock
from bridge.supervisor.activity import ActivityRow

STYLES: Final = {
    "wrote": "green",
    "created": "bold green",
    "matched": "cyan",
    "linked": "cyan",
    "deleted": "magenta",
    "unsafe": "bold red",
    "refused": "red",
    "fused": "bold red",
}
"""Kind of entry -> colour; all others are warnings."""
WARNING: Final = "yellow"


def print_row(console: Console, row: ActivityRow, *, as_json: bool) -> None:
    """Print one row."""
    if as_json:
        say_json(row)
    else:
        console.print(row_text(row), soft_wrap=True)


def row_text(row: ActivityRow) -> Text:
    """Return a row as a line for people."""
    line = Text(f"{clock(row['at'])}  ", style="dim")
    line.append(f"{row['kind']:<12}", STYLES.get(row["kind"], WARNING))
    others = [name for name in row.get("by", ()) if name != row["connection"]]
    if others:
        line.append(f"{', '.join(others)} → ", "dim")
    line.append(f"{row['connection']}:{short_id(row['id'])}", "bold")
    for name, value in row["fields"].items():
        line.append(f"  {name} ", "dim")
        line.append(short_value(value))
    if "field" in row:
        line.append(f"  {row['field']}", "dim")
    if "mine" in row and "theirs" in row:
        _append_conflict(line, row)
    elif row.get("why"):
        line.append(f"  {row['why']}", "dim")
    return line


def _append_conflict(line: Text, row: ActivityRow) -> None:
    values = [
        f"{side.get('by')} {short_value(side.get('value'))}"
        for side in (row["mine"], row["theirs"])
    ]
    line.append(f"  {' / '.join(values)}")
    line.append(f"  {row.get('winner') or 'nobody'} wins", WARNING)
