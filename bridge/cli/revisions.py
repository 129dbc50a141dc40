"""`bridge mappings publish` and `import`: putting mappings in force while all runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from bridge.cli.operator import at_desk
from bridge.cli.planning import opened
from bridge.cli.process import lend_redis
from bridge.cli.publish_options import How, asked_how
from bridge.cli.publishing import go_on
from bridge.config.mapping_texts import FOLDER, read_folder
from bridge.operations import mapping_folders, mapping_trials, revisions
from bridge.operations.desk import Desk
from bridge.operations.fresh_readings import FreshReadings

FOLDER_PATH: Final = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command("publish")
@click.option("--from", "folder", type=FOLDER_PATH, help="[default: mappings/ of the home]")
@click.option("--parent", type=int, metavar="N", help="The revision that the files were made from.")
@click.option("--read", "reads", is_flag=True, help="Read what the ledger does not know.")
@asked_how
def publish(folder: Path | None, parent: int | None, reads: bool, **options: Any) -> None:
    """Check the files of a folder, show what differs, and put them in force without a restart.

    What others published since is merged in; where they changed the same, nothing is published.
    """
    how = How(**options)
    if reads and not how.effect:
        raise click.UsageError("--read is for the effect, and --no-effect wants none")
    with _opened(reads=reads) as (desk, read):
        how.refuse_files(desk)
        where = folder or desk.config.home / FOLDER
        files = read_folder(where)
        parent = mapping_folders.parent_of(desk, where) if parent is None else parent
        made = revisions.draft(desk, files, parent=parent, accept=how.accept)
        go_on(desk, made, replace(how, read=read), "mappings published", where)


@contextmanager
def _opened(*, reads: bool) -> Iterator[tuple[Desk, FreshReadings | None]]:
    """Open the desk for a publish, with what reads records at the pace of an import if it is to."""
    if not reads:
        with at_desk(files_have_changed=True) as desk:
            yield desk, None
        return
    with opened(sandbox=False, files_have_changed=True) as (bridge, desk):
        lend_redis(bridge.config.settings.redis)
        yield desk, mapping_trials.reader(bridge, desk)


@click.command("import")
@click.argument("folder", metavar="DIR", type=FOLDER_PATH)
@asked_how
def import_folder(folder: Path, **options: Any) -> None:
    """Put the files of DIR in force, and no others, whatever was published before.

    Unlike `publish` it merges nothing in: for files that are kept elsewhere, as in git.
    """
    how = How(**options)
    with at_desk(files_have_changed=True) as desk:
        how.refuse_files(desk)
        made = revisions.draft(desk, read_folder(folder), accept=how.accept)
        go_on(desk, made, how, "mappings imported", folder)
