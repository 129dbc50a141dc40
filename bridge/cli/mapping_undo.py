"""Taking back what changed mappings wrote: shown, asked for, done, and the older ones published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial

import click

from bridge.cli.effect_lines import print_writes
from bridge.cli.kept_lines import kept_line, print_foretold, print_taken_back
from bridge.cli.planning import looking
from bridge.cli.publish_options import How
from bridge.cli.publishing import ask, put_in_force
from bridge.cli.revision_lines import print_draft
from bridge.cli.screen import say, say_json
from bridge.core.model.counting import counted, counted_each
from bridge.errors import Busy
from bridge.observability.visible_text import visible
from bridge.operations import mapping_rollback, revisions, undos
from bridge.operations.desk import Desk
from bridge.operations.mapping_rollback import RollbackForecast, TakenBack
from bridge.wiring import Bridge


def undo_and_publish(
    bridge: Bridge, desk: Desk, number: int, files: Mapping[str, str], how: How
) -> None:
    """Take back what came after a revision and publish its files, once that is confirmed."""
    made = revisions.draft(desk, files, accept=how.accept)
    with looking() as look, mapping_rollback.forecast(desk, number, made, look) as foretold:
        if not how.as_json:
            print_forecast(foretold)
        ask(foretold.plan, how, question(foretold))
    try:
        work_off = partial(undos.work_off, bridge)
        taken = list(mapping_rollback.take_back_since(desk, number, work_off))
    except Busy as error:
        raise click.ClickException(visible(str(error))) from error
    _print(desk, taken, as_json=how.as_json)
    # Made anew, for most of what it would have written stands there again. The guard was asked.
    made = revisions.draft(desk, files, accept=how.accept)
    if made.differences:
        act = mapping_rollback.ACT
        with looking() as look, revisions.planned(desk, made, look) as plan:
            put_in_force(desk, made, replace(how, override_unsafe=True), act, None, plan)
    if paused := mapping_rollback.let_go_on(desk, taken):
        say(f"{counted(paused, 'ticket')} still paused: `bridge link resume`", err=True)


def print_forecast(foretold: RollbackForecast) -> None:
    """Say what is taken back, what is left, and what the older mappings write besides."""
    for run in foretold.undo.runs:
        say(f"{mapping_rollback.named(run)}, is taken back:")
    kept = foretold.undo.kept
    if foretold.undo.runs:
        records, lines = len({each.ref for each in kept}), [kept_line(each) for each in kept]
        print_foretold(foretold.undo.entities, records, lines)
    for run in foretold.undo.stopped:
        say(f"{mapping_rollback.named(run)}, has written nothing yet, and is ended")
    if not foretold.undo.runs:
        say("nothing was written since that could be taken back")
    print_draft(foretold.made, None)
    if foretold.besides.writes:
        say("besides, the older mappings write:")
        print_writes(foretold.besides)
    for why in foretold.besides.unsafe:
        say(f"UNSAFE {why}", err=True)


def question(foretold: RollbackForecast) -> str:
    """Return what is asked before it is done."""
    back, also = foretold.undo.entities, sum(foretold.besides.writes.values())
    further = f" and make {counted(also, 'more write')}" if also else ""
    first = f"Take back {counted_each(back, none='')}, publish" if back else "Publish"
    return f"{first} this{further}?"


def _print(desk: Desk, taken: Sequence[TakenBack], *, as_json: bool) -> None:
    kept = [each for one in taken for each in one.kept]
    back = mapping_rollback.by_entity(desk, taken)
    if as_json:
        say_json({"undone": sum(back.values()), "left": [asdict(each) for each in kept]})
    elif back or kept:
        lines = [kept_line(each) for each in kept]
        print_taken_back(back, len({each.ref for each in kept}), lines)
