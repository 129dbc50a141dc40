"""`bridge sync`: give a sync another name."""

from __future__ import annotations

import click

from bridge.cli.operator import at_desk
from bridge.cli.screen import say
from bridge.core.model.counting import counted
from bridge.operations import renames


@click.group("sync")
def group() -> None:
    """Rename a sync."""


@group.command()
@click.argument("old")
@click.argument("new")
def rename(old: str, new: str) -> None:
    """Give all tickets of sync OLD to NEW.

    Stop the bridge first. In mappings/syncs.yaml the sync has the new name already, or gets it now.
    """
    with at_desk(files_have_changed=True) as desk:
        counts = renames.rename_sync(desk, old, new)
    say(
        f"{old} is {new} now ({counted(counts.get('link', 0), 'ticket')}); "
        "see that mappings/syncs.yaml says so too, then start the bridge"
    )
