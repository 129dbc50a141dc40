"""`bridge backup` and `bridge restore`: the ledger in one file, and back."""

from __future__ import annotations

from pathlib import Path

import click

from bridge.cli.actor import actor
from bridge.cli.operator import at_desk
from bridge.cli.running_sandbox import follow_sandbox
from bridge.cli.screen import say
from bridge.core.model.counting import counted
from bridge.home import find_home
from bridge.operations import backups, desk

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("backup")
@click.argument("file", type=FILE)
def command(file: Path) -> None:
    """Write the whole ledger into FILE, also while the bridge runs, whichever database it is in.

    FILE must not be there yet, and only you can read it: it holds what customers wrote.
    """
    with at_desk() as opened:
        contents = backups.back_up(opened, file)
    say(f"{file}: {counted(contents.links, 'link')} in {counted(contents.rows, 'row')}")
    say("it holds personal data, also of people whom `bridge forget` erases later")


@click.command("restore")
@click.argument("file", type=FILE)
@click.option("--replace", is_flag=True, help="Although the ledger holds something: that is lost.")
def restore(file: Path, replace: bool) -> None:
    """Put the backup FILE in place of the ledger, while nothing of the bridge runs.

    Then `bridge up` compares every connection with it in full, and creates nothing at a connection
    before that: a record that the ledger does not know may be a copy that it made since.
    """
    home = find_home()
    follow_sandbox(home)
    with desk.opened(home, actor(), check_ledger=False) as opened:
        contents = backups.restore(opened, file, replace=replace)
    when = f", the newest changed at {contents.newest:%Y-%m-%d %H:%MZ}" if contents.newest else ""
    say(f"restored {counted(contents.links, 'link')} in {counted(contents.rows, 'row')}{when}")
    say(
        "start the bridge: creates wait until each connection is compared. "
        "Then look at `bridge doctor` and `bridge parked list`"
    )
