"""`bridge mappings rollback`: an older revision once more, with what was written taken back."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Final

import click

from bridge.cli.operator import at_desk
from bridge.cli.planning import looking
from bridge.cli.process import working
from bridge.cli.publish_options import How, asked_how
from bridge.cli.publishing import ask, go_on, put_in_force
from bridge.cli.revision_lines import print_draft
from bridge.cli.screen import say, say_json
from bridge.core.model.counting import counted
from bridge.errors import Busy
from bridge.observability.visible_text import visible
from bridge.operations import mapping_rollback, revisions, undos
from bridge.operations.desk import Desk
from bridge.operations.mapping_rollback import KeptField, TakenBack
from bridge.operations.times import when
from bridge.wiring import Bridge

MAX_SHOWN: Final = 50
"""Fields that are listed for people; `--json` has all."""
ACT: Final = "mappings rolled back"


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
    if undoes and not how.dry_run:
        with working("undo") as (bridge, desk):
            _undo_and_publish(bridge, desk, number, how)
        return
    with at_desk(files_have_changed=True, revision=number) as desk:
        found = revisions.get(desk, number)
        if undoes and not how.as_json:
            _say_what_is_taken_back(desk, number)
        made = revisions.draft(desk, found.files, accept=how.accept)
        go_on(desk, made, how, ACT, None)


def _undo_and_publish(bridge: Bridge, desk: Desk, number: int, how: How) -> None:
    revisions.refuse_files(desk)
    files = revisions.get(desk, number).files
    made = revisions.draft(desk, files, accept=how.accept)
    if not how.as_json:
        _say_what_is_taken_back(desk, number)
    with looking() as look, revisions.planned(desk, made, look) as plan:
        if not how.as_json:
            print_draft(made, plan.summary if plan is not None else None)
        ask(plan, how)
    runs = mapping_rollback.runs_since(desk, number)
    try:
        taken = [mapping_rollback.take_back(bridge, desk, run.id) for run in runs]
    except Busy as error:
        raise click.ClickException(visible(str(error))) from error
    _print(taken, as_json=how.as_json)
    # Made anew, for most of what it would have written stands there again. The guard was asked.
    made = revisions.draft(desk, files, accept=how.accept)
    if made.differences:
        with looking() as look, revisions.planned(desk, made, look) as plan:
            put_in_force(desk, made, replace(how, override_unsafe=True), ACT, None, plan)
    tickets = sorted({link_id for each in taken for link_id in each.tickets})
    if paused := mapping_rollback.let_go_on(desk, tickets):
        say(f"{counted(paused, 'ticket')} still paused: `bridge link resume`", err=True)


def _say_what_is_taken_back(desk: Desk, number: int) -> None:
    for run in mapping_rollback.runs_since(desk, number):
        wrote = counted(undos.plan_undo(desk, run.id).changed, "write")
        revision = run.figures.get("mapping_revision")
        say(f"run {run.id} for revision {revision}: {wrote} are taken back, where nobody was since")


def _print(taken: list[TakenBack], *, as_json: bool) -> None:
    kept = [each for one in taken for each in one.kept]
    tickets = len({link_id for one in taken for link_id in one.tickets})
    if as_json:
        say_json({"undone": tickets, "left": [asdict(each) for each in kept]})
        return
    say(f"{counted(tickets, 'ticket')} taken back, {len(kept)} left as they are")
    for each in kept[:MAX_SHOWN]:
        say(f"  {_line(each)}")
    if len(kept) > MAX_SHOWN:
        say(f"  and {len(kept) - MAX_SHOWN} more: --json lists them all")


def _line(kept: KeptField) -> str:
    if not kept.field:
        return f"{kept.ref}  {kept.why}"
    at = f", {when(kept.at)}" if kept.at is not None else ""
    last = f" (set last at {kept.by}{at})" if kept.by else ""
    return f"{kept.ref}  {kept.field}: {kept.why}{last}"
