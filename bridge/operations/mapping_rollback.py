"""Taking back what a change of the mappings wrote, and letting its tickets go on afterwards.

`bridge undo` pauses the tickets of which it has taken something back, so that the bridge does not
do it again. Once the mappings of before are in force, it would not: then they go on.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.model.state import Link, Note
from bridge.errors import Busy, NotPossible
from bridge.ledger import run_records, timeline
from bridge.operations import link_change, undos
from bridge.operations.desk import Desk
from bridge.operations.undos import KeptRecord
from bridge.runs import remapping, undo
from bridge.wiring import Bridge

MAX_RUNS = 1000
"""Runs that are looked through for that of a revision."""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What came of taking a change back."""

    run: int
    tickets: list[str]
    """Links of which something was taken back; they are paused."""
    kept: list[KeptRecord]
    """Records that were left as they are, each with why: a human has changed them since."""
    waiting: int
    """Pieces of work that wait for connections that are not called now."""


def run_of_revision(desk: Desk, number: int) -> int | None:
    """Return the run that carried out the change to a revision; None: there was none."""
    with desk.ledger.read() as tx:
        runs = run_records.of_kind(tx, remapping.RUN, MAX_RUNS)
    found = (run.id for run in runs if run.figures.get("mapping_revision") == number)
    return next(found, None)


def take_back(bridge: Bridge, desk: Desk, run_id: int) -> TakenBack:
    """Take back what the run of a change wrote, but for what anybody has changed since.

    It works here until that is done, beside the workers. Raises NotPossible while the run cannot be
    taken back, with what to do; Busy while another one is.
    """
    with desk.ledger.read() as tx:
        run = run_records.get(tx, run_id)
        standing = undos.standing(tx, run, desk.now()) if run is not None else None
    if standing is not None and standing.refused:
        raise NotPossible(standing.refused)
    running = undos.start_undo(desk, run_id, delete_created=False)
    left = undos.work_off(bridge, running.id)
    outcome = undos.finish_undo(desk, running, left)
    return TakenBack(run_id, _taken_back(desk, running), outcome.kept, outcome.left.waiting)


def _taken_back(desk: Desk, running: undos.RunningUndo) -> list[str]:
    with desk.ledger.read() as tx:
        entries = timeline.after(tx, running.started_after, limit=undos.MAX_ENTRIES)
        return sorted(
            {
                entry.link_id
                for entry in entries
                if entry.kind == undo.UNDONE and entry.detail.get("run") == running.run
            }
        )


def let_go_on(desk: Desk, taken_back: TakenBack) -> int:
    """Let the tickets go on of which something was taken back; return how many are left paused.

    For when other mappings are in force, by which nothing of it would be written again. One that
    somebody has in hand stays paused: `bridge link resume` lets it go on.
    """

    def change(link: Link, _now: object) -> list[Note]:
        if not link.paused:
            return []
        link.paused = False
        return [Note("resumed", "", "", {"by": desk.actor})]

    left = 0
    for link_id in taken_back.tickets:
        try:
            with desk.ledger.transaction() as tx:
                link_change.change_link(tx, desk, link_id, change)
        except Busy:
            left += 1
    desk.announce()
    return left
