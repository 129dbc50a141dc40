"""`bridge runs`: the reconciliations, imports, mapping changes and undos, and how far each is."""

from __future__ import annotations

from collections.abc import Iterable

import click
from rich.table import Table

from bridge.cli.operator import at_desk
from bridge.cli.screen import Screen, say, say_json, say_rows
from bridge.core.model.counting import counted
from bridge.operations import run_acts, run_states
from bridge.operations.run_acts import RunActPreview
from bridge.operations.run_states import RunState
from bridge.operations.times import when

YES = click.option("--yes", is_flag=True, help="Do not ask.")
COLUMNS = ("run", "begun", "what", "phase", "done", "written", "state")
FOLDED = {"what": 24, "state": 12}  # texts that go on below -> the least width to read them by


@click.group("runs", invoke_without_command=True)
@click.option("--kind", "kinds", multiple=True, help="Only of this kind: mapping, backfill, full …")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, run_states.MAX_RUNS))
@click.option("--before", type=int, metavar="N", help="Go on with those before run N.")
@click.option("--json", "as_json", is_flag=True, help="For programs: a line a run.")
@click.pass_context
def group(
    context: click.Context, kinds: tuple[str, ...], limit: int, before: int | None, as_json: bool
) -> None:
    """List the runs and how far each is, show one, pause one, or let it go on.

    Without a command it lists them, the newest first. What can be paused are changes of the
    mappings and imports; the others say why not.
    """
    if context.invoked_subcommand is not None:
        return
    with at_desk() as desk:
        runs = run_states.newest(desk, limit, before=before, kinds=kinds)
    if as_json:
        say_rows(runs)
    elif runs:
        _print(runs)
    else:
        say("there is no such run")
    if len(runs) == limit:
        say(f"more: --before {runs[-1].id}", err=True)


def _print(runs: Iterable[RunState]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in COLUMNS:
        table.add_column(column, no_wrap=column not in FOLDED, min_width=FOLDED.get(column))
    for run in runs:
        told = run.why and run.state not in {"paused", "stopped"}
        state = f"{run.state}: {run.why}" if told else run.state
        begun, far = when(run.started_at), _far(run.done, run.total)
        table.add_row(run.id, begun, run.what, run.phase, far, str(run.written), state)
    Screen().print_whole(table)


def _far(done: int, total: int | None) -> str:
    return str(done) if total is None else f"{done} of {total}"


@group.command()
@click.argument("run", metavar="N", type=int)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(run: int, as_json: bool) -> None:
    """Show run N: its phases, how far each is, what it wrote, and whether it can be paused."""
    with at_desk() as desk:
        state = run_states.get(desk, run)
    if as_json:
        say_json(state)
        return
    _say_run(state)
    for phase in state.phases:
        say(f"  {phase.name}: {_far(phase.done, phase.total)}{', done' if phase.ended else ''}")
    say(f"  {counted(state.written, 'write')} made, {state.waiting} waiting, {state.parked} parked")
    if left := state.figures.get("left alone", 0):
        say(f"  {counted(left, 'ticket')} left alone: somebody has edited them since")
    say(f"  begun {when(state.started_at)}, last step {when(state.progress_at)}")
    if state.paused_at is not None:
        say(f"  paused {when(state.paused_at)}")
    elif state.why_not:
        say(f"  cannot be paused: {state.why_not}")


def _say_run(run: RunState) -> None:
    say(f"run {run.id}  {run.what}  {run.state}{f': {run.why}' if run.why else ''}")


@group.command()
@click.argument("run", metavar="N", type=int)
@YES
def pause(run: int, yes: bool) -> None:
    """Pause run N: within seconds it writes nothing more, until it is resumed."""
    with at_desk() as desk:
        _confirm(run_acts.preview_pause(desk, run), yes=yes)
        run_acts.pause(desk, run)
    say(f"run {run} is paused; `bridge runs resume {run}` lets it go on")


@group.command()
@click.argument("run", metavar="N", type=int)
@YES
def resume(run: int, yes: bool) -> None:
    """Let run N go on where it was paused."""
    with at_desk() as desk:
        _confirm(run_acts.preview_resume(desk, run), yes=yes)
        run_acts.resume(desk, run)
    say(f"run {run} goes on; `bridge runs show {run}` shows how far it is")


def _confirm(preview: RunActPreview, *, yes: bool) -> None:
    _say_run(preview.run)
    say(*(f"  - {consequence}" for consequence in preview.consequences))
    if not yes:
        click.confirm("Go on?", abort=True)
