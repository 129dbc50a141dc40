"""`bridge mappings history`, `diff` and `export`: looking at what was published."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from bridge.cli.operator import at_desk
from bridge.cli.revision_lines import print_differences, print_head
from bridge.cli.screen import say, say_json, say_rows
from bridge.config.mapping_texts import FOLDER, read_folder
from bridge.core.model.counting import counted
from bridge.operations import mapping_folders, revisions
from bridge.operations.file_differences import differences


@click.command("history")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--before", type=int, metavar="N", help="Revisions before this one.")
@click.option("--json", "as_json", is_flag=True, help="For programs: a line a revision.")
def history(limit: int, before: int | None, as_json: bool) -> None:
    """List the mappings that were in force and who put them there, the newest first."""
    with at_desk(files_have_changed=True) as desk:
        heads = revisions.history(desk, limit, before)
    if as_json:
        say_rows(heads)
        return
    for head in heads:
        print_head(head)
    if not heads:
        say("no mappings were ever put in force")
    elif len(heads) == limit and heads[-1].number > 1:
        say(f"earlier ones: --before {heads[-1].number}", err=True)


@click.command("diff")
@click.argument("old", metavar="[A]", type=int, required=False)
@click.argument("new", metavar="[B]", type=int, required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs: a line a file.")
def diff(old: int | None, new: int | None, as_json: bool) -> None:
    """Show how revision B differs from A.

    Without B it is the home's files that are compared, without A with what is in force.
    """
    with at_desk(files_have_changed=True) as desk:
        before = revisions.get(desk, old).files
        own = desk.config.home / FOLDER
        after = read_folder(own) if new is None else revisions.get(desk, new).files
    found = differences(before, after)
    if as_json:
        say_rows(found)
        return
    print_differences(found)
    if not found:
        say("nothing differs")


@click.command("export")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--revision", type=int, metavar="N", help="[default: the one in force]")
@click.option(
    "--overwrite", is_flag=True, help="DIR is to have these .yaml files in place of its own."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def export(folder: Path, revision: int | None, overwrite: bool, as_json: bool) -> None:
    """Write the mappings in force, or those of a revision, into DIR, byte for byte."""
    with at_desk(files_have_changed=True, revision=revision) as desk:
        found = revisions.get(desk, revision)
        names = mapping_folders.put_into(folder, found, overwrite=overwrite)
        subject = f"revision {found.number}"
        with desk.acting("mappings exported", subject, {"folder": str(folder)}):
            pass
    if as_json:
        say_json(asdict(found.head) | {"folder": str(folder), "files": names})
        return
    say(f"{counted(len(names), 'file')} of revision {found.number} in {folder}")
