"""`bridge connection`: show a connection, pause or resume one, or give it another name."""

from __future__ import annotations

import click

from bridge.cli.connection_lines import connection_lines
from bridge.cli.operator import at_desk
from bridge.cli.screen import say, say_json
from bridge.core.model.counting import counted
from bridge.operations import connection, connection_sheets, renames, status


@click.group("connection")
def group() -> None:
    """Show a connection, pause one, resume one that was paused or refused, or rename one."""


@group.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(name: str, as_json: bool) -> None:
    """Show how NAME is, what it can do and was found to do, its webhooks and its settings."""
    with at_desk() as desk:
        sheet = connection_sheets.sheet(desk, status.overview(desk), name)
    if as_json:
        say_json(sheet)
        return
    for line in connection_lines(sheet):
        say(line)


@group.command()
@click.argument("name")
@click.option("--why", default="", help="What others read in the status.")
def pause(name: str, why: str) -> None:
    """Call NAME no more until it is resumed; its webhooks are still taken."""
    with at_desk() as desk:
        connection.pause(desk, name, why)
    say(f"{name} is paused; `bridge connection resume {name}` ends it")


@group.command()
@click.argument("name")
def resume(name: str) -> None:
    """Call NAME again: its credentials were mended, it was paused, or it can do more by now.

    What it was found not to do (no creates, a field that it ignores) is forgotten, and tried again.
    """
    with at_desk() as desk:
        connection.resume(desk, name)
    say(f"{name} is in use again")


@group.command()
@click.argument("old")
@click.argument("new")
def rename(old: str, new: str) -> None:
    """Give all that is known of connection OLD to NEW: the same account under another name.

    Stop the bridge first. In the files the connection has the new name already, or gets it now.
    """
    with at_desk(files_have_changed=True) as desk:
        counts = renames.rename_connection(desk, old, new)
        connections = desk.config.connections  # where it may still have its old name
        renamed = connections.get(new) or connections.get(old)
    say(
        f"{old} is {new} now ({counted(counts.get('side', 0), 'record')}); "
        "see that the files say so too, then start the bridge"
    )
    if renamed is not None and renamed.webhook is not None:
        say(f"its webhooks come to /webhooks/{new} from now on: say so at the vendor")
