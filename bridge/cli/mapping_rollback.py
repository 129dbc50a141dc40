"""`bridge mappings rollback`: an older revision once more, with what was written taken back."""

from __future__ import annotations

from typing import Any

import click

from bridge.cli.mapping_undo import print_forecast, undo_and_publish
from bridge.cli.operator import at_desk
from bridge.cli.planning import looking
from bridge.cli.process import working
from bridge.cli.publish_options import How, asked_how
from bridge.cli.publishing import go_on
from bridge.cli.screen import say, say_json
from bridge.operations import mapping_folders, mapping_rollback, revisions
from bridge.operations.desk import Desk


@click.command("rollback")
@click.argument("number", metavar="N", type=int)
@click.option(
    "--undo", "undoes", is_flag=True, help="Also take back what was written for later ones."
)
@asked_how
def rollback(number: int, undoes: bool, **options: Any) -> None:
    """Publish the files of revision N once more, as the newest revision.

    --undo first takes back what the runs of all later revisions wrote, but for what anybody has
    changed since, and lists that: which ticket, which field, and where it was set last.
    """
    how = How(**{**options, "note": options["note"] or f"back to revision {number}"})
    with at_desk(files_have_changed=True, revision=number) as desk:
        how.refuse_files(desk)
        found = revisions.get(desk, number)
        if undoes and how.dry_run:
            made = revisions.draft(desk, found.files, accept=how.accept)
            with looking() as look, mapping_rollback.forecast(desk, number, made, look) as told:
                say_json(told.as_data()) if how.as_json else print_forecast(told)
            return
        if not undoes:
            made = revisions.draft(desk, found.files, accept=how.accept)
            go_on(desk, made, how, mapping_rollback.ACT, None)
            _say_if_folder_differs(desk, how)
            return
    with working("undo") as (bridge, desk):
        undo_and_publish(bridge, desk, number, found.files, how)
        _say_if_folder_differs(desk, how)


def _say_if_folder_differs(desk: Desk, how: How) -> None:
    """Say that the home's own folder still has other files than those that are in force now."""
    if how.dry_run or how.as_json:
        return
    if mapping_folders.differs(desk.config.home, revisions.get(desk).files):
        say(
            "mappings/ still has the files of before: `bridge mappings diff` shows how they "
            "differ, `bridge mappings export mappings --overwrite` puts those in force there"
        )
