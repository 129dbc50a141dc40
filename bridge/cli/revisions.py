"""`bridge mappings publish` and `import`: putting mappings in force while all runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from bridge.cli.operator import at_desk
from bridge.cli.publish_options import How, asked_how
from bridge.cli.publishing import go_on
from bridge.config.mapping_texts import FOLDER, read_folder
from bridge.operations import mapping_folders, revisions

FOLDER_PATH: Final = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command("publish")
@click.option("--from", "folder", type=FOLDER_PATH, help="[default: mappings/ of the home]")
@click.option("--parent", type=int, metavar="N", help="The revision that the files were made from.")
@asked_how
def publish(folder: Path | None, parent: int | None, **options: Any) -> None:
    """Check the files of a folder, show what differs, and put them in force without a restart.

    What others published since is merged in; where they changed the same, nothing is published.
    """
    how = How(**options)
    with at_desk(files_have_changed=True) as desk:
        where = folder or desk.config.home / FOLDER
        files = read_folder(where)
        parent = mapping_folders.parent_of(desk, where) if parent is None else parent
        made = revisions.draft(desk, files, parent=parent, accept=how.accept)
        go_on(desk, made, how, "mappings published", where)


@click.command("import")
@click.argument("folder", metavar="DIR", type=FOLDER_PATH)
@asked_how
def import_folder(folder: Path, **options: Any) -> None:
    """Put the files of DIR in force, and no others, whatever was published before.

    Unlike `publish` it merges nothing in: for files that are kept elsewhere, as in git.
    """
    how = How(**options)
    with at_desk(files_have_changed=True) as desk:
        made = revisions.draft(desk, read_folder(folder), accept=how.accept)
        go_on(desk, made, how, "mappings imported", folder)
