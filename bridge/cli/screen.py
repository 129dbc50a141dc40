"""The only way in which commands print: nothing in it is obeyed by a terminal, or read as markup.

What vendors and their customers wrote is text, whatever stands in it.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import Any, Final

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from bridge.observability.visible_text import visible, visible_json
from bridge.operations.programs_json import json_text

GOES_ON: Final = 4
"""A line that goes on is indented by so much more."""
ENDLESS: Final = 10_000
"""Width of what is no terminal."""


def say(*lines: str, err: bool = False, bold: bool = False) -> None:
    """Print each of the lines; a line end within one is shown as a dot.

    On a terminal a line that is too long for it goes on below, indented, and no word is cut.
    Elsewhere each is one line.
    """
    for line in lines:
        shown = _fitted(visible(line), err=err)
        click.echo(click.style(shown, bold=True) if bold else shown, err=err)


def _fitted(line: str, *, err: bool) -> str:
    width = shutil.get_terminal_size().columns
    if len(line) <= width or not (sys.stderr if err else sys.stdout).isatty():
        return line
    indent = " " * (len(line) - len(line.lstrip()) + GOES_ON)
    lines = textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines)


def say_json(value: Any) -> None:
    """Print a value as one line of JSON, for programs; a dataclass as an object of its fields."""
    click.echo(visible_json(json_text(value)))


def say_rows(rows: Iterable[Any]) -> None:
    """Print each row as one line of JSON."""
    for row in rows:
        say_json(row)


def say_over(line: str, *, width: int) -> None:
    """Print a line in the place of the last one, which was `width` wide, on standard error."""
    click.echo(f"\r{visible(line).ljust(width)}\r", nl=False, err=True)


class Screen(Console):
    """A console for tables and colours. It takes text as text: brackets are no markup.

    Where it prints to no terminal, each row is one line, however long.
    """

    def __init__(self, *, err: bool = False) -> None:
        super().__init__(stderr=err, markup=False, emoji=False, highlight=False)
        if not self.is_terminal and "COLUMNS" not in os.environ:
            self.width = ENDLESS

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a text is one line, also where it has line ends in it."""
        super().print(*(visible(x) if isinstance(x, str) else x for x in objects), **options)

    def print_whole(self, table: Table) -> None:
        """Print a table of which nothing is cut, on however narrow a terminal."""
        options = self.options.update(max_width=ENDLESS)
        width, least = self.width, Measurement.get(self, options, table).minimum
        self.width = max(width, least)
        self.print(table)
        self.width = width

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a cell's text visible before its width is measured."""
        return super().render_str(_visible_lines(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, with a dot for whatever a terminal would obey."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            if control or text.isprintable():
                yield segment
            else:
                yield Segment(_visible_lines(text), style)


def _visible_lines(text: str) -> str:
    return "\n".join(visible(line) for line in text.split("\n"))
