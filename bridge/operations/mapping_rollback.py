"""Taking back what changes of the mappings wrote, and letting its tickets go on afterwards.

`bridge undo` pauses the tickets of which it has taken something back, so that the bridge does not
do it again. Once the mappings of before are in force, it would not: then they go on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from bridge.core.planning.planned_write import PlannedWrite
from bridge.errors import Busy, NotPossible
from bridge.ledger import links, mapping_revisions, run_records, timeline
from bridge.ledger.run_records import RunRow
from bridge.ledger.run_writes import LeftToDo
from bridge.ledger.timeline import TimelineEntry
from bridge.operations import link as link_acts
from bridge.operations import revisions, run_states, undo_forecasts, undos
from bridge.operations.desk import Desk
from bridge.operations.mapping_effect import Look
from bridge.operations.mapping_runs import EffectPlan
from bridge.operations.revisions import RevisionDraft
from bridge.runs import pausing, remapping, undo
from bridge.workbench.effect import LinkEffect
from bridge.workbench.effect_summary import EffectSummary

ACT: Final = "mappings rolled back"
"""What the audit calls it."""
WorkOff = Callable[[int], LeftToDo]
MAX_RUNS: Final = 1000
"""Runs that are looked through for those of revisions."""
MAX_REVISIONS: Final = 10_000
"""Revisions that are looked through for the newest one with the files of another."""


@dataclass(frozen=True, slots=True)
class KeptField:
    """A field, or a whole record, that was left as it is."""

    link: str
    ref: str
    field: str
    """Empty: it is about the record."""
    why: str
    by: str = ""
    """Where the agreed value was set last: a connection, `admin` or `mapping`; empty: not known."""
    at: datetime | None = None
    """When that was, as far as anybody knows."""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What came of taking a change back."""

    run: int
    tickets: list[str]
    """Links of which something was taken back; they are paused."""
    kept: list[KeptField]
    """What somebody has changed since, or what cannot be put back."""


def runs_since(desk: Desk, number: int) -> list[RunRow]:
    """Return the runs that carried out what was published since a revision, the newest first.

    Where its files were in force once more later, it is those since then. Raises UnknownName.
    """
    wanted = revisions.get(desk, number).head.checksum
    with desk.ledger.read() as tx:
        heads = mapping_revisions.list_all(tx, MAX_REVISIONS)
        runs = run_records.recent(tx, MAX_RUNS, kinds=[remapping.RUN])
    since = max(each.number for each in heads if each.checksum == wanted)
    return [run for run in runs if run.figures.get("mapping_revision", 0) > since]


def named(run: RunRow) -> str:
    """Return a run as people are told of it."""
    return f"run {run.id}, for revision {run.figures.get('mapping_revision')}"


@dataclass(frozen=True, slots=True)
class ForetoldUndo:
    """What taking changes back will do, as far as the ledger knows."""

    runs: list[RunRow]
    """Those of which something is taken back, or left."""
    stopped: list[RunRow]
    """Those that are not through and have written nothing yet: they are ended before they do."""
    kept: list[KeptField]
    """What is left as it is."""
    back: dict[str, set[tuple[str, str]]]
    """By link: connection and field that get the value of before."""
    entities: dict[str, int] = field(default_factory=dict)
    """Of how many of each entity something goes back."""

    def covers(self, link: str, write: PlannedWrite) -> bool:
        """Return whether a write of the older mappings is none any more after the undo."""
        back = self.back.get(link, set())
        if write.op == "delete":
            return (write.connection, "") in back
        return bool(write.sent) and all((write.connection, name) in back for name in write.sent)


def foretell(desk: Desk, number: int) -> ForetoldUndo:
    """Return what it will do to take back what was published since a revision."""
    found = ForetoldUndo([], [], [], {})
    for run in runs_since(desk, number):
        one = undo_forecasts.forecast(desk, run.id)
        if one.is_over:
            found.stopped.extend([run] if run.finished_at is None else [])
            continue
        found.runs.append(run)
        for link_id, back in one.back.items():
            found.back.setdefault(link_id, set()).update(back)
        found.kept.extend(
            kept
            for left in one.left
            for kept in _kept_of(desk, left.link, left.ref, left.why, left.fields)
        )
    return replace(found, entities=_by_entity(desk, found.back))


@dataclass(frozen=True, slots=True)
class RollbackForecast:
    """All that going back to a revision will do, with what was written since."""

    made: RevisionDraft
    undo: ForetoldUndo
    besides: EffectSummary
    """What the older mappings write besides what is taken back."""
    plan: EffectPlan | None
    """What they would write by themselves."""

    def as_data(self) -> dict[str, Any]:
        """Return it for programs."""
        back, runs = self.undo, [*self.undo.runs, *self.undo.stopped]
        revisions_of = {run.id: run.figures.get("mapping_revision") for run in runs}
        told = {
            "runs": [{"run": run, "revision": number} for run, number in revisions_of.items()],
            "tickets": len(back.back),
            "left": [asdict(each) for each in back.kept],
        }
        return revisions.draft_as_json(self.made, None, self.besides) | {"run": None, "undo": told}


@contextmanager
def forecast(
    desk: Desk, number: int, made: RevisionDraft, look: Look
) -> Iterator[RollbackForecast]:
    """Foretell all that going back to a revision does; `look` and the plan: see `planned`."""
    foretold, besides = foretell(desk, number), EffectSummary(made.context.fields)

    def take(effect: LinkEffect) -> None:
        left = [write for write in effect.writes if not foretold.covers(effect.link, write)]
        if left:
            besides.add(LinkEffect(effect.link, effect.subject, writes=left), left[0].entity)

    with revisions.planned(desk, made, look, take=take) as plan:
        if plan is not None and besides.writes:
            besides.unsafe += plan.summary.unsafe
        yield RollbackForecast(made, foretold, besides, plan)


def take_back_since(desk: Desk, number: int, work_off: WorkOff) -> Iterator[TakenBack]:
    """Take back what the runs since a revision wrote, one after the other; see `take_back`."""
    for run in runs_since(desk, number):
        yield take_back(desk, run.id, work_off)


def take_back(desk: Desk, run_id: int, work_off: WorkOff) -> TakenBack:
    """Take back what the run of a change wrote, but for what anybody has changed since.

    A run that is not through ends first. `work_off` returns once a run is through, and says what is
    left of it. It goes on where an earlier one was interrupted. Raises NotPossible with what to do
    where something cannot be taken back now; Busy while another run is taken back.
    """
    _end(desk, run_id, work_off)
    if undo_forecasts.forecast(desk, run_id).is_over:
        return TakenBack(run_id, [], [])
    with desk.ledger.read() as tx:
        run = run_records.get(tx, run_id)
        standing = undos.standing(tx, run, desk.now()) if run is not None else None
    if standing is not None and standing.refused:
        raise NotPossible(standing.refused)
    running = undos.start_undo(desk, run_id, delete_created=False)
    left = work_off(running.id)
    outcome = undos.finish_undo(desk, running, left)
    if outcome.left.waiting:
        raise NotPossible(
            f"not all could be taken back: {'; '.join(outcome.waits_for)}. The mappings are still "
            "in force; give the command again then"
        )
    with desk.ledger.read() as tx:
        entries = [
            entry
            for entry in timeline.after(tx, running.started_after, limit=undos.MAX_ENTRIES)
            if entry.detail.get("run") == run_id
        ]
    tickets = sorted({each.link_id for each in entries if each.kind == undo.UNDONE})
    left_alone = [each for each in entries if each.kind == undo.LEFT]
    return TakenBack(run_id, tickets, _kept(desk, left_alone))


def tickets_of(taken: Sequence[TakenBack]) -> set[str]:
    """Return of which tickets something was taken back."""
    return {link_id for one in taken for link_id in one.tickets}


def by_entity(desk: Desk, taken: Sequence[TakenBack]) -> dict[str, int]:
    """Return of how many of each entity something was taken back."""
    return _by_entity(desk, tickets_of(taken))


def _by_entity(desk: Desk, link_ids: Collection[str]) -> dict[str, int]:
    with desk.ledger.read() as tx:
        return links.count_by_entity(tx, link_ids)


def _end(desk: Desk, run_id: int, work_off: WorkOff) -> None:
    """Stop a run that is not through, and wait for what workers have in hand of it."""
    if run_states.get(desk, run_id).is_over:
        return
    with desk.acting("run stopped", f"run {run_id}") as tx:
        pausing.stop(tx, run_id, desk.now())
    work_off(run_id)


def _kept(desk: Desk, entries: Sequence[TimelineEntry]) -> list[KeptField]:
    kept: list[KeptField] = []
    for entry in entries:
        fields = [str(name) for name in entry.detail.get("fields", ())]
        ref, why = str(entry.detail["ref"]), str(entry.detail["why"])
        kept += _kept_of(desk, entry.link_id, ref, why, fields)
    return kept


def _kept_of(
    desk: Desk, link_id: str, ref: str, why: str, fields: Sequence[str]
) -> Iterator[KeptField]:
    """Yield what is said of a record that is left, field by field where fields are known."""
    if not fields:
        yield KeptField(link_id, ref, "", why)
        return
    with desk.ledger.read() as tx:
        link = desk.context.load(tx, [link_id]).get(link_id)
    for name in fields:
        state = link.state.get(name) if link is not None else None
        by, at = (state.set_by, state.hi) if state is not None else ("", None)
        yield KeptField(link_id, ref, name, why, by, at)


def let_go_on(desk: Desk, taken: Sequence[TakenBack]) -> int:
    """Let the tickets go on of which something was taken back; return how many are left paused.

    For when other mappings are in force, by which nothing of it would be written again. One that
    somebody has in hand stays paused: `bridge link resume` lets it go on.
    """
    left = 0
    for link_id in sorted(tickets_of(taken)):
        try:
            link_acts.resume(desk, link_id)
        except Busy:
            left += 1
        except NotPossible:
            continue  # somebody has let it go on already
    return left
