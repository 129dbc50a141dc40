"""Pausing a run, letting it go on, and what either means, before it is done."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.model.counting import counted
from bridge.errors import NotPossible
from bridge.ledger import paused_runs
from bridge.ledger.database import Tx
from bridge.operations import run_states
from bridge.operations.desk import Desk
from bridge.operations.run_states import RunState
from bridge.runs import pausing


@dataclass(frozen=True, slots=True)
class RunActPreview:
    """What an act would do to a run."""

    run: RunState
    consequences: list[str]


def preview_pause(desk: Desk, run_id: int) -> RunActPreview:
    """Return what pausing a run would mean. Raises UnknownName, or NotPossible with the reason."""
    with desk.ledger.read() as tx:
        run = _pausable(tx, desk, run_id)
    return RunActPreview(
        run,
        [
            _waits(run, "waits until it is resumed"),
            "writes that are on their way still come; after a few seconds there are no more",
            "tickets that somebody edits go on as always, and the run leaves those alone",
        ],
    )


def pause(desk: Desk, run_id: int) -> RunState:
    """Pause a run: it writes nothing more until it is resumed, whoever starts again meanwhile.

    Raises UnknownName, or NotPossible where it cannot be paused or is over.
    """
    with desk.ledger.transaction() as tx:
        run = _pausable(tx, desk, run_id)
        held = paused_runs.pause(tx, run_id, desk.now())
        desk.write_down(tx, "run paused", f"run {run_id}", {"run": run.what, "held": held})
        return run_states.state_of(tx, run_id, desk.now())


def preview_resume(desk: Desk, run_id: int) -> RunActPreview:
    """Return what resuming a run would mean. Raises UnknownName, or NotPossible."""
    with desk.ledger.read() as tx:
        run = _paused(tx, desk, run_id)
    return RunActPreview(
        run,
        [
            _waits(run, "goes on"),
            "what somebody has edited meanwhile is left alone, and said in the ticket's timeline",
        ],
    )


def resume(desk: Desk, run_id: int) -> RunState:
    """Let a paused run go on where it was. Raises UnknownName, or NotPossible."""
    with desk.ledger.transaction() as tx:
        run = _paused(tx, desk, run_id)
        freed = paused_runs.resume(tx, run_id, desk.now())
        desk.write_down(tx, "run resumed", f"run {run_id}", {"run": run.what, "freed": freed})
        state = run_states.state_of(tx, run_id, desk.now())
    desk.announce()
    return state


def _waits(run: RunState, what: str) -> str:
    rest = counted(run.waiting, "piece of work", "pieces of work")
    first = run.phases[0]
    if first.ended:
        return f"{rest} that it has asked for {what}"
    so_far = f"{first.done} of {first.total}" if first.total is not None else str(first.done)
    if run.kind in pausing.GO_ON:
        return f"what it writes {what}; {first.name} ({so_far} so far) writes nothing and goes on"
    return f"{first.name} ({so_far} so far) and {rest} {what}"


def _pausable(tx: Tx, desk: Desk, run_id: int) -> RunState:
    run = run_states.state_of(tx, run_id, desk.now())
    if not run.can_be_paused:
        instead = (
            ""
            if run.why_not == "it is over"
            else f". `bridge connection pause {run.connection}` stops all calls there"
        )
        raise NotPossible(f"run {run_id} ({run.what}) cannot be paused: {run.why_not}{instead}")
    if run.paused_at is not None:
        raise NotPossible(f"run {run_id} is paused already: `bridge runs resume {run_id}`")
    return run


def _paused(tx: Tx, desk: Desk, run_id: int) -> RunState:
    run = run_states.state_of(tx, run_id, desk.now())
    if run.paused_at is None:
        raise NotPossible(f"run {run_id} ({run.what}) is not paused: it is {run.state}")
    return run
