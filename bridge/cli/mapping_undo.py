"""Taking back what changed mappings wrote: shown, asked for, done, and the older ones published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import Final

import click

from bridge.cli.effect_lines import print_writes
from bridge.cli.kept_lines import kept_line, print_foretold, print_taken_back
from bridge.cli.planning import looking
from bridge.cli.publish_options import How
from bridge.cli.publishing import ask, put_in_force
from bridge.cli.revision_lines import print_draft
from bridge.cli.screen import say, say_json
from bridge.core.model.counting import counted
from bridge.errors import Busy
from bridge.observability.visible_text import visible
from bridge.operations import mapping_rollback, revisions, undos
from bridge.operations.desk import Desk
from bridge.operations.mapping_rollback import TakenBack
from bridge.operations.mapping_runs import EffectPlan
from bridge.operations.revisions import RevisionDraft
from bridge.wiring import Bridge
from bridge.workbench.effect import LinkEffect
from bridge.workbench.effect_summary import EffectSummary

ACT: Final = "mappings rolled back"


def undo_and_publish(
    bridge: Bridge, desk: Desk, number: int, files: Mapping[str, str], how: How
) -> None:
    """Take back what came after a revision and publish its files, once that is confirmed."""
    made = revisions.draft(desk, files, accept=how.accept)
    if how.as_json:
        with looking() as look, revisions.planned(desk, made, look) as plan:
            ask(plan, how)
    else:
        with show(desk, number, made) as (plan, question):
            ask(plan, how, question)
    runs = mapping_rollback.runs_since(desk, number)
    work_off = partial(undos.work_off, bridge)
    try:
        taken = [mapping_rollback.take_back(desk, run.id, work_off) for run in runs]
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


@contextmanager
def show(desk: Desk, number: int, made: RevisionDraft) -> Iterator[tuple[EffectPlan | None, str]]:
    """Show what is taken back, what is left, and what the older mappings write besides.

    It hands out the plan of these mappings by themselves, and the question.
    """
    foretold = mapping_rollback.foretell(desk, number)
    besides = EffectSummary(made.context.fields)

    def take(effect: LinkEffect) -> None:
        left = [write for write in effect.writes if not foretold.covers(effect.link, write)]
        if left:
            besides.add(LinkEffect(effect.link, effect.subject, writes=left), left[0].entity)

    for run in foretold.runs:
        say(f"run {run.id}, for revision {run.figures.get('mapping_revision')}, is taken back:")
    tickets = len(foretold.back)
    kept = foretold.kept
    print_foretold(tickets, len({each.ref for each in kept}), [kept_line(each) for each in kept])
    with looking() as look, revisions.planned(desk, made, look, take=take) as plan:
        print_draft(made, None)
        also = sum(besides.writes.values())
        if also:
            say("besides, the older mappings write:")
            print_writes(besides)
        for why in plan.summary.unsafe if plan is not None and also else ():
            say(f"UNSAFE {why}", err=True)
        further = f" and make {counted(also, 'more write')}" if also else ""
        back = f"Take back {counted(tickets, 'ticket')}, publish" if tickets else "Publish"
        yield plan, f"{back} this{further}?"


def _print(taken: list[TakenBack], *, as_json: bool) -> None:
    kept = [each for one in taken for each in one.kept]
    tickets = len({link_id for one in taken for link_id in one.tickets})
    if as_json:
        say_json({"undone": tickets, "left": [asdict(each) for each in kept]})
        return
    print_taken_back(tickets, len({each.ref for each in kept}), [kept_line(each) for each in kept])
