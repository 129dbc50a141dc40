"""One run as somebody looks at it: how far it is, how fast, and its single records by pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bridge.core.model.counting import counted
from bridge.ledger import run_objects
from bridge.ledger.run_objects import ObjectKind, ObjectState, RunObject
from bridge.operations import run_states
from bridge.operations.desk import Desk
from bridge.operations.run_states import RunState
from bridge.runs import backfill, reconcile, remapping, undo

__all__ = ["KINDS", "STATES", "ObjectKind", "ObjectState", "RunObject", "RunSheet", "sheet"]

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "comparisons": (*reconcile.KINDS, reconcile.REPORT),
    "imports": (backfill.KIND,),
    "mapping changes": (remapping.RUN,),
    "undos": (undo.KIND,),
}
"""What people call them -> kinds of runs."""
STATES: Final[tuple[ObjectState, ...]] = ("done", "not done", "under way")


@dataclass(frozen=True, slots=True)
class RunSheet:
    """One run, and a page of its records."""

    run: RunState
    seconds: float
    """From its beginning to its end, or until now."""
    rate: float
    """Steps of its present phase in a second; 0: nobody knows."""
    remaining: float | None
    """Seconds that the present phase takes yet, if it goes on as it has; None: nobody knows."""
    counted: list[tuple[str, str]]
    """What it counted and remarked, in words."""
    kinds: list[ObjectKind]
    """Kinds of records that it has any of."""
    kind: ObjectKind | None
    """The kind that is shown; None: it has none."""
    objects: list[RunObject]
    after: int | None
    """Behind this one the next page goes on; None: there is none."""
    undoable: bool
    """It has written something that could be taken back."""


def sheet(
    desk: Desk,
    run_id: int,
    *,
    kind: str = "",
    state: str = "",
    after: int = 0,
    limit: int = 50,
) -> RunSheet:
    """Return a run and a page of its records of a kind, in a state. Raises UnknownName.

    A kind of which it has none, or a word that is none, stands for the first that it has.
    """
    run, now = run_states.get(desk, run_id), desk.now()
    with desk.ledger.read() as tx:
        kinds = run_objects.has(tx, run_id)
        chosen = next((each for each in kinds if each == kind), kinds[0] if kinds else None)
        wanted = next((each for each in STATES if each == state), None)
        rows = (
            run_objects.page(tx, run_id, chosen, state=wanted, after=after, limit=limit + 1)
            if chosen
            else []
        )
    seconds = ((run.finished_at if run.is_over else None) or now) - run.started_at
    rate = run.done / seconds.total_seconds() if seconds.total_seconds() >= 1 else 0.0
    left = None if run.total is None or not rate else (run.total - run.done) / rate
    return RunSheet(
        run=run,
        seconds=seconds.total_seconds(),
        rate=rate,
        remaining=None if run.is_over else left,
        counted=_counted(run),
        kinds=kinds,
        kind=chosen,
        objects=rows[:limit],
        after=rows[limit - 1].number if len(rows) > limit else None,
        undoable="wrote" in kinds or "made" in kinds,
    )


def _counted(run: RunState) -> list[tuple[str, str]]:
    """Return what a run counted, as far as it says something."""
    figures = run.figures
    pages, unchanged = figures.get("pages", 0), figures.get("unchanged", 0)
    numbers = {
        "Pages listed": pages,
        "As they were": unchanged,
        "Had changed": figures.get("changed", 0),
        "Were not known": figures.get("new", 0),
        "Were not listed any more": figures.get("absent", 0),
        "Values left undone": figures.get("owed", 0),
        "Rows that show no record": figures.get("unreadable", 0),
        "May make at most": figures.get("max_creates") or 0,
        "Taken over from earlier ones": figures.get("carried over", 0),
        "Writes confirmed": figures.get("planned", 0),
        "Tickets left alone": figures.get("left alone", 0),
    }
    told = [(name, str(number)) for name, number in numbers.items() if number]
    if absences := figures.get("absences", ""):
        told.append(("Absences", absences))
    told += [("Left out", row) for row in figures.get("unreadable_rows", [])]
    if undone := figures.get("undoes"):
        told.append(("Takes back", f"run {undone}"))
    if run.parked:
        told.append(("Set aside", counted(run.parked, "piece of work", "pieces of work")))
    return told
