"""Revisions of the mappings in words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bridge.cli.effect_lines import print_effect
from bridge.cli.screen import say
from bridge.operations.file_differences import FileDifference
from bridge.operations.late_fields import reading_command
from bridge.operations.revisions import RevisionDraft, RevisionHead
from bridge.operations.times import when
from bridge.workbench.effect_summary import EffectSummary


def print_draft(made: RevisionDraft, effect: EffectSummary | None) -> None:
    """Say what would be published, and what it means."""
    print_differences(made.differences)
    for each in made.merged:
        about = f": {each.note}" if each.note else ""
        say(f"merged in: revision {each.number} by {each.author}{about}")
    for warning in made.warnings:
        say(f"warning: {warning}", err=True)
    for change in made.changes:
        say(f"{'doubtful' if change.doubtful else 'change'}: {change.text}")
    if effect is not None:
        print_effect(effect)
    if not made.differences:
        say(f"nothing to publish: these are the files of revision {made.follows}")


def print_published(number: int, run: int, effect: EffectSummary | None) -> None:
    """Say that a revision is in force, and what becomes of the tickets."""
    say(f"revision {number} is in force; what runs takes it up within seconds")
    if effect is not None and effect.unread:
        say(f"what was not known until read waits: {reading_command(number - 1)} reads it")
    if run and effect is not None and not effect.written:
        say("nothing is to be written for it")
    elif run:
        say(f"run {run} brings the tickets to it: `bridge runs show {run}` shows how far it is")
        say(f"`bridge mappings rollback {number - 1} --undo` takes both back")


def print_merged(stored: RevisionDraft, folder: Path | None) -> None:
    """Say where a folder differs from what was made of it."""
    if stored.merged and folder is not None:
        take = f"bridge mappings export {folder} --overwrite"
        say(f"{folder} is still as you wrote it: `{take}` gives you what is in force")


def print_differences(found: Iterable[FileDifference]) -> None:
    """Print what differs, file by file."""
    for each in found:
        say(f"mappings/{each.file} ({each.change})", bold=True)
        for line in each.lines:
            say(f"  {line}")


def print_head(head: RevisionHead) -> None:
    """Print a revision in one line."""
    after = f"after {head.parent}" if head.parent else "the first"
    say(
        f"{head.number}  {when(head.at)}  {head.author}  {head.state}, {after}  "
        f"{head.checksum[:8]}  {head.note}".rstrip()
    )
