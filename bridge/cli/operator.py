"""Shared by an operator's commands: the desk of this home, and printing for programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from bridge.cli.actor import actor
from bridge.cli.running_sandbox import follow_sandbox
from bridge.cli.screen import say
from bridge.errors import UnknownName
from bridge.home import find_home
from bridge.observability.visible_text import visible
from bridge.operations import desk, find
from bridge.operations.desk import Desk


@contextmanager
def at_desk(*, files_have_changed: bool = False, revision: int | None = None) -> Iterator[Desk]:
    """Open the bridge of this home for one command. A name that nothing has is wrong usage.

    It says when the files differ from those in force, unless the command is given because they do.
    Then published mappings that do not fit the settings do not hinder it, either. `revision`: as
    `operations.desk.opened` has it.
    """
    home = find_home()
    follow_sandbox(home)
    try:
        with desk.opened(home, actor(), revision=revision, or_files=files_have_changed) as opened:
            if not files_have_changed:
                say_if_files_differ(opened.files_notice)
            yield opened
    except UnknownName as error:
        raise click.UsageError(visible(str(error))) from error


def say_if_files_differ(notice: str) -> None:
    """Say in one line that the files differ from those that the bridge runs by."""
    if notice:
        say(f"note: {notice}", err=True)


def named(at: Desk, ref: str) -> str:
    """Return the id of the one ticket that REF names; say which record that is if REF was cut."""
    match = find.named(at, ref)
    if match.records:
        say(f"({match.records})", err=True)
    return match.link_id
