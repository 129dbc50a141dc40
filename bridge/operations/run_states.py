"""The runs: reconciliations, imports, changes of the mappings and undos, and how far each is.

All are told of in one shape, for command line, pages and API alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from bridge.core.model.counting import counted
from bridge.errors import UnknownName
from bridge.ledger import failing_runs, paused_runs, run_records, run_writes
from bridge.ledger.database import Tx
from bridge.ledger.run_records import RunFigures, RunRow
from bridge.ledger.run_writes import OutstandingWork
from bridge.operations import availability
from bridge.operations.desk import Desk
from bridge.runs import backfill, pausing, reconcile, remapping, undo

MAX_RUNS: Final = 500
"""So many runs are given at once, at the most."""

RunStateName = Literal["under way", "waits", "paused", "done", "failed", "stopped"]
_OVER: Final = frozenset({"done", "failed", "stopped"})


@dataclass(frozen=True, slots=True)
class RunPhase:
    """One part of a run, and how far it is. The next one may begin before it has ended."""

    name: str
    done: int
    total: int | None
    """None: nobody knows before it has ended."""
    ended: bool


@dataclass(frozen=True, slots=True)
class RunState:
    """A run, and how far it is. Its fields are the keys of `bridge runs --json`."""

    id: str
    """Its number, as text."""
    kind: str
    what: str
    """The run in words: `import of desk tickets`."""
    connection: str
    entity: str
    state: RunStateName
    why: str
    """What it waits for, also while it is under way, or why it failed or was stopped."""
    phase: str
    """The first phase that has not ended; of a run that is over, the last."""
    done: int
    total: int | None
    """How far that phase is; None: nobody knows before it has ended."""
    phases: list[RunPhase]
    written: int
    """Records that it made, and writes to others."""
    waiting: int
    """Pieces of work that it has asked for, and that are not done yet."""
    parked: int
    """Of those, how many are set aside: `bridge parked list`."""
    started_at: datetime
    progress_at: datetime
    finished_at: datetime | None
    """When it had gone through everything; what it asked for may be done later."""
    paused_at: datetime | None
    can_be_paused: bool
    """Whether it can be paused or, where it is paused, resumed."""
    why_not: str
    """Why it cannot; empty: it can."""
    figures: RunFigures

    @property
    def is_over(self) -> bool:
        """Return whether nothing of it goes on any more, nor would if it were resumed."""
        return self.state in _OVER


def newest(
    desk: Desk, limit: int = 20, *, before: int | None = None, kinds: Collection[str] = ()
) -> list[RunState]:
    """Return runs, the newest first: those before a number, and of some kinds, if given."""
    with desk.ledger.read() as tx:
        runs = run_records.recent(tx, min(limit, MAX_RUNS), before=before, kinds=kinds)
        return of(tx, runs, desk.now())


def get(desk: Desk, run_id: int) -> RunState:
    """Return one run. Raises UnknownName."""
    with desk.ledger.read() as tx:
        return state_of(tx, run_id, desk.now())


def state_of(tx: Tx, run_id: int, now: datetime) -> RunState:
    """Return how one run is, as a transaction sees it. Raises UnknownName."""
    run = run_records.get(tx, run_id)
    if run is None:
        raise UnknownName(f"there is no run {run_id}; `bridge runs` lists them")
    (state,) = of(tx, [run], now)
    return state


def of(tx: Tx, runs: Collection[RunRow], now: datetime) -> list[RunState]:
    """Return how these runs are."""
    ids = [run.id for run in runs]
    first = {run_id for run in runs for run_id in _come_first(run)}
    outstanding = run_writes.outstanding(tx, {*ids, *first})
    written = run_writes.count(tx, ids)
    named = {run.connection for run in runs}
    named.update(name for left in outstanding.values() for name in left.waiting)
    shut = availability.shut(tx, named, now)
    paused = set(paused_runs.listed(tx)) if first else set()
    ahead = {run_id: _ahead(run_id, outstanding[run_id], shut, paused) for run_id in first}
    return [_state(run, outstanding[run.id], written.get(run.id, 0), shut, ahead) for run in runs]


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What other runs are to write before one goes on."""

    words: str = ""
    """Empty: nothing, or no more."""
    stuck: bool = False
    """It is not written by itself: somebody has paused it, or a connection is not called."""


def _come_first(run: RunRow) -> list[int]:
    """Return the runs whose writes a run comes after, as far as it goes on at all."""
    return run.figures.get("comes_after", []) if run.finished_at is None else []


def _ahead(
    run_id: int, left: OutstandingWork, shut: Mapping[str, str], paused: Collection[int]
) -> _Ahead:
    waiting = sum(left.waiting.values())
    if not waiting:
        return _Ahead()
    whys = ["it is paused"] if run_id in paused else []
    whys += [shut[name] for name in sorted(left.waiting) if name in shut]
    writes = f"run {run_id} writes to the same tickets first, {counted(waiting, 'write')} left"
    stuck = run_id in paused or all(name in shut for name in left.waiting)
    return _Ahead("; ".join([writes, *whys]), stuck)


def _state(
    run: RunRow,
    left: OutstandingWork,
    written: int,
    shut: Mapping[str, str],
    ahead: Mapping[int, _Ahead],
) -> RunState:
    before = [ahead[run_id] for run_id in _come_first(run)]
    words = "; ".join(each.words for each in before if each.words)
    first = _Ahead(words, any(each.stuck for each in before))
    name, why = _name_and_why(run, left, shut, first)
    phases = _phases(run, left)
    current = next((phase for phase in phases if not phase.ended), phases[-1])
    why_not = _why_not_paused(run, name)
    return RunState(
        id=str(run.id),
        kind=run.kind,
        what=in_words(run),
        connection=run.connection,
        entity=run.entity,
        state=name,
        why=why,
        phase=current.name,
        done=current.done,
        total=current.total,
        phases=phases,
        written=written,
        waiting=sum(left.waiting.values()),
        parked=left.parked,
        started_at=run.started_at,
        progress_at=run.progress_at,
        finished_at=run.finished_at,
        paused_at=run.paused_at,
        can_be_paused=not why_not,
        why_not=why_not,
        figures=run.figures,
    )


def in_words(run: RunRow) -> str:
    """Return what a run is about: `import of desk tickets`, `undo of run 7`."""
    name, figures = failing_runs.NAMES.get(run.kind, run.kind), run.figures
    if run.kind == remapping.RUN:
        revision = figures.get("mapping_revision")
        return f"{name} (revision {revision})" if revision else name
    if run.kind == undo.KIND:
        return f"{name} of run {figures['undoes']}" if "undoes" in figures else name
    of = " ".join(part for part in (run.connection, run.entity and f"{run.entity}s") if part)
    return f"{name} of {of}" if of else name


def _name_and_why(
    run: RunRow, left: OutstandingWork, shut: Mapping[str, str], first: _Ahead
) -> tuple[RunStateName, str]:
    if run.finished_at is not None and run.error:
        return ("stopped" if run.error == run_records.STOPPED else "failed"), run.error
    if run.finished_at is not None and not left.waiting:
        return "done", ""
    if run.paused_at is not None:
        return "paused", f"`bridge runs resume {run.id}` lets it go on"
    unlisted = [run.connection] if run.finished_at is None else []
    waits_for = sorted({*left.waiting, *unlisted})
    if first.stuck or (waits_for and all(name in shut for name in waits_for)):
        return "waits", first.words or "; ".join(shut[name] for name in waits_for)
    if run.error:
        return "waits", f"it is tried again, because {run.error}"
    return "under way", first.words


def _why_not_paused(run: RunRow, name: RunStateName) -> str:
    """Return why a run can be neither paused nor resumed."""
    if why := pausing.why_not(run.kind):
        return why
    over = name in _OVER and run.paused_at is None
    return "it is over" if over else ""


def _phases(run: RunRow, left: OutstandingWork) -> list[RunPhase]:
    """Return the phases of a run, in their order; there is at least one."""
    through, figures = run.finished_at is not None, run.figures
    asked = run.hinted + figures.get("carried over", 0)
    done = max(0, asked - left.count)
    rest = through and not left.waiting
    if run.kind == remapping.RUN:
        tickets = figures.get("links", run.seen if through else None)
        return [
            RunPhase("going through all that is mirrored", run.seen, tickets, through),
            RunPhase("writing", done, asked, rest),
        ]
    if run.kind == undo.KIND:
        return [RunPhase("taking back", done, asked, rest)]
    listing = RunPhase("listing", run.seen, run.seen if through else None, through)
    if run.kind == backfill.KIND:
        return [listing, RunPhase("importing", done, asked, rest)]
    if run.kind in reconcile.KINDS:
        return [listing, RunPhase("healing", done, asked, rest)]
    return [listing]
