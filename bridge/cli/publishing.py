"""Shared by the commands that put mappings in force: a look at it, the question, the outcome."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click

from bridge.cli.earlier_runs import let_runs_end
from bridge.cli.planning import looking
from bridge.cli.publish_options import How
from bridge.cli.revision_lines import print_draft, print_merged, print_published
from bridge.cli.screen import say, say_json
from bridge.core.model.counting import counted
from bridge.errors import Busy
from bridge.observability.visible_text import visible
from bridge.operations import mapping_folders, revisions
from bridge.operations.desk import Desk
from bridge.operations.mapping_runs import CarryingOut, EffectPlan
from bridge.operations.revisions import Overtaken, RevisionDraft

MAX_OVERTAKEN: Final = 20
"""So often others may publish while one is asked."""


def go_on(desk: Desk, made: RevisionDraft, how: How, act: str, folder: Path | None) -> None:
    """Show a draft, ask, and publish it; nothing is done where nothing differs.

    Where others publish meanwhile, what is left of it is shown, and asked about anew.
    """
    for _ in range(MAX_OVERTAKEN):
        try:
            _show_and_publish(desk, made, how, act, folder)
        except Overtaken as error:
            made = error.draft
            say(f"revision {made.follows} was published meanwhile: this is left of yours", err=True)
        else:
            return
    raise click.ClickException("others publish all the time; nothing was published, try again")


def _show_and_publish(
    desk: Desk, made: RevisionDraft, how: How, act: str, folder: Path | None
) -> None:
    with ExitStack() as until_published:
        plan = None
        if how.effect and made.differences:
            if not how.dry_run:
                let_runs_end(desk, how)
            look = until_published.enter_context(looking())
            planned = revisions.planned(desk, made, look, read=how.read)
            plan = until_published.enter_context(planned)
        for name, why in (how.read.failed if how.read is not None else {}).items():
            say(f"{name} could not be read: {why}", err=True)
        _publish(desk, made, how, act, folder, plan)


def _publish(
    desk: Desk,
    made: RevisionDraft,
    how: How,
    act: str,
    folder: Path | None,
    plan: EffectPlan | None,
) -> None:
    effect = plan.summary if plan is not None else None
    if not how.as_json:
        print_draft(made, effect)
    if how.dry_run or not made.differences:
        if how.as_json:
            say_json(revisions.draft_as_json(made, None, effect) | {"run": None})
        return
    revisions.refuse_files(desk)
    ask(plan, how)
    put_in_force(desk, made, how, act, folder, plan)


def put_in_force(
    desk: Desk,
    made: RevisionDraft,
    how: How,
    act: str,
    folder: Path | None,
    plan: EffectPlan | None,
) -> None:
    """Publish a draft with the run of its plan, and say so."""
    effect = plan.summary if plan is not None else None
    carrying_out = CarryingOut(plan, how.override_unsafe) if plan is not None else None
    try:
        revision, stored = revisions.publish(
            desk, made, note=how.note, accept=how.accept, carrying_out=carrying_out, act=act
        )
    except Busy as error:
        raise click.ClickException(visible(f"nothing was published: {error}")) from error
    if folder is not None and not stored.merged:
        mapping_folders.mark(folder, revision.head)
    run = carrying_out.run if carrying_out is not None else 0
    if how.as_json:
        say_json(revisions.draft_as_json(stored, revision.number, effect) | {"run": run or None})
    else:
        print_published(revision.number, run, effect)
        print_merged(stored, folder)


def ask(plan: EffectPlan | None, how: How, question: str = "") -> None:
    """Ask whether to go on. Raises ClickException where the guard holds a plan back."""
    if plan is not None and plan.summary.unsafe and not how.override_unsafe:
        raise click.ClickException(
            "it is unsafe and nothing was published; --override-unsafe publishes and writes it, "
            "--no-effect publishes it and leaves each ticket as it is until somebody touches it"
        )
    if not how.yes:
        writes = plan.writes if plan is not None else 0
        also = f" and make {counted(writes, 'write')}" if writes else ""
        click.confirm(question or f"Publish this{also}?", abort=True)
