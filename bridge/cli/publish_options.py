"""The options that all commands have that put mappings in force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import click

from bridge.operations import revisions
from bridge.operations.desk import Desk
from bridge.operations.fresh_readings import FreshReadings


@dataclass(frozen=True, slots=True)
class How:
    """How a revision is to be published: the options that all these commands have."""

    note: str
    yes: bool
    dry_run: bool
    accept: bool
    as_json: bool
    effect: bool
    override_unsafe: bool
    read: FreshReadings | None = None
    """Reads what the ledger does not know of the tickets; None: that stays unknown."""
    wait: bool = False

    def __post_init__(self) -> None:
        """Refuse what would wait for an answer that no program gives."""
        if self.as_json and not (self.yes or self.dry_run):
            raise click.UsageError("with --json, say --yes or --dry-run: a program cannot be asked")

    def refuse_files(self, desk: Desk) -> None:
        """Refuse a home in which nothing is published, before anything is looked at for it."""
        if not self.dry_run:
            revisions.refuse_files(desk)


def asked_how(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `How`."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="For programs; they need not ask."),
        click.option(
            "--effect/--no-effect",
            default=True,
            show_default=True,
            help="Look through all tickets for what is to be written, and have it written.",
        ),
        click.option(
            "--override-unsafe", is_flag=True, help="Also when it is more than the guard allows."
        ),
        click.option(
            "--wait",
            is_flag=True,
            help="First let the run of an earlier change end, if one goes on.",
        ),
        click.option("--accept", is_flag=True, help="What is doubtful is meant so."),
        click.option("--dry-run", is_flag=True, help="Only say what would be published."),
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--note", default="", help="Why, for the history."),
    ):
        command = option(command)
    return command
