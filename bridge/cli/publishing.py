"""Shared by the commands that put mappings in force: options, a look at it, the question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from bridge.cli.planning import looking
from bridge.cli.revision_lines import draft_as_json, print_draft
from bridge.cli.screen import say, say_json
from bridge.operations import mapping_folders, revisions
from bridge.operations.desk import Desk
from bridge.operations.revisions import RevisionDraft


@dataclass(frozen=True, slots=True)
class How:
    """How a revision is to be published: the options that all these commands have."""

    note: str
    yes: bool
    dry_run: bool
    accept: bool
    as_json: bool
    effect: bool

    def __post_init__(self) -> None:
        """Refuse what would wait for an answer that no program gives."""
        if self.as_json and not (self.yes or self.dry_run):
            raise click.UsageError("with --json, say --yes or --dry-run: a program cannot be asked")


def asked_how(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `How`."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="For programs; they need not ask."),
        click.option(
            "--effect/--no-effect",
            default=True,
            show_default=True,
            help="Look through all tickets for what would be written to the systems.",
        ),
        click.option("--accept", is_flag=True, help="What is doubtful is meant so."),
        click.option("--dry-run", is_flag=True, help="Only say what would be published."),
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--note", default="", help="Why, for the history."),
    ):
        command = option(command)
    return command


def go_on(desk: Desk, made: RevisionDraft, how: How, act: str, folder: Path | None) -> None:
    """Show a draft, ask, and publish it; nothing is done where nothing differs."""
    found = None
    if how.effect and made.differences:
        with looking() as look:
            found = revisions.effect(desk, made, look)
    if not how.as_json:
        print_draft(made, found)
    if how.dry_run or not made.differences:
        if how.as_json:
            say_json(draft_as_json(made, None, found))
        return
    revisions.refuse_files(desk)
    if not how.yes:
        click.confirm("Publish this?", abort=True)
    revision, made = revisions.publish(
        desk, made, note=how.note, accept=how.accept, effect=found, act=act
    )
    if folder is not None and not made.merged:
        mapping_folders.mark(folder, revision.head)
    if how.as_json:
        say_json(draft_as_json(made, revision.number, found))
        return
    say(f"revision {revision.number} is in force; what runs takes it up within seconds")
    if made.merged and folder is not None:
        take = f"bridge mappings export {folder} --overwrite"
        say(f"{folder} is still as you wrote it: `{take}` gives you what is in force")
