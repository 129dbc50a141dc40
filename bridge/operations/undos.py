"""Takes back what a run wrote: what it would be about, whether it can be done, doing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bridge.clock import Clock
from bridge.core.model.counting import counted
from bridge.core.model.values import Raw
from bridge.errors import Busy, NotPossible, UnknownName
from bridge.ledger import links, paused_runs, run_objects, run_records, run_writes, timeline
from bridge.ledger.database import Ledger, Tx
from bridge.ledger.run_records import RunRow
from bridge.ledger.run_writes import CarriedOutWrite, CreatedRecord, LeftToDo
from bridge.operations import availability, run_states
from bridge.operations.desk import Desk
from bridge.operations.run_states import RunState
from bridge.runs import pausing, undo
from bridge.wiring import Bridge

UNDO_TIMEOUT: Final = 6 * 3600.0
"""Seconds after which nobody waits any longer; the workers go on."""
LOOK_SECONDS: Final = 0.1
MOST_AT_ONCE: Final = 5_000
"""Writes that are queued to be taken back while somebody waits for a page."""
WAIT_SECONDS: Final = 0.5
MAX_ENTRIES: Final = 10_000_000
"""Entries of all timelines that are read for the outcome: all that an undo can have written."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a run can be taken back now."""

    refused: str = ""
    """Why it cannot; empty: it can."""
    later: str = ""
    """What of the run goes on afterwards all the same."""


@dataclass(frozen=True, slots=True)
class WrittenRecord:
    """A record that the run made or changed, and what of it would be taken back."""

    ref: str
    made: bool
    written: Mapping[str, Raw]
    """By field: what the run wrote."""
    before: Mapping[str, Raw]
    """By field: what was there before; of a record that it made, nothing."""


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What taking back a run is about."""

    run: int
    kind: str
    connection: str
    made: int
    """Records that it made."""
    changed: int
    """Writes to other records."""
    records: list[WrittenRecord]
    """Those that it made, then its writes to others, each in the order of the run."""
    standing: Standing


@dataclass(frozen=True, slots=True)
class UndoLook:
    """What taking back a run is about, in numbers: its records may be a hundred thousand."""

    run: RunState
    made: int
    """Records that it made."""
    changed: int
    """Writes, those to what it made among them."""
    connections: list[str]
    standing: Standing
    too_many: bool
    """More than is queued while a page waits: a terminal does it."""


@dataclass(frozen=True, slots=True)
class RunningUndo:
    """An undo that was started."""

    run: int
    """The run that is taken back."""
    id: int
    """The undo's own run."""
    started_after: int
    """The last entry of the timelines before it."""


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record that was left as it is."""

    ref: str
    why: str


@dataclass(frozen=True, slots=True)
class UndoOutcome:
    """What came of an undo."""

    back: dict[str, int]
    """By entity: of how many something was taken back."""
    kept: list[KeptRecord]
    left: LeftToDo
    waits_for: list[str]
    """Connections that are not called now, each with the reason, for which the rest waits."""


def plan_undo(desk: Desk, run_id: int) -> UndoPlan:
    """Return what taking back a run would be about. Raises UnknownName without such a run."""
    with desk.ledger.read() as tx:
        run = run_records.get(tx, run_id)
        if run is None:
            raise UnknownName(f"there is no run {run_id}; `bridge runs` lists them")
        made = [_written(row, row.sent, {}) for row in run_writes.made(tx, run_id)]
        refs = {record.ref for record in made}
        wrote = [
            _written(row, row.attempt.sent, row.attempt.before)
            for row in run_writes.changed(tx, run_id)
        ]
        changed = [record for record in wrote if record.ref not in refs]
        return UndoPlan(
            run=run_id,
            kind=run.kind,
            connection=run.connection,
            made=len(made),
            changed=len(changed),
            records=[*made, *changed],
            standing=standing(tx, run, desk.now()),
        )


def look(desk: Desk, run_id: int) -> UndoLook:
    """Return what taking back a run is about, in numbers. Raises UnknownName."""
    now = desk.now()
    with desk.ledger.read() as tx:
        run = run_states.state_of(tx, run_id, now)
        made, changed = run_objects.count_written(tx, run_id)
        row = run_records.get(tx, run_id)
        return UndoLook(
            run=run,
            made=made,
            changed=changed,
            connections=sorted(run_objects.connections(tx, run_id)),
            standing=standing(tx, row, now) if row is not None else Standing(),
            too_many=made + changed > MOST_AT_ONCE,
        )


def start_by_workers(desk: Desk, run_id: int, *, delete_created: bool) -> RunningUndo:
    """Have the workers take a run back.

    Raises UnknownName, Busy, or NotPossible with the reason.
    """
    before = look(desk, run_id)
    if before.standing.refused:
        raise NotPossible(before.standing.refused)
    if not (before.made or before.changed):
        raise NotPossible(f"run {run_id} has written nothing that could be taken back")
    if before.too_many:
        raise NotPossible(f"that is more than a page does at once: `bridge undo {run_id}` does it")
    running = start_undo(desk, run_id, delete_created=delete_created)
    desk.announce()
    return running


def _written(
    row: CreatedRecord | CarriedOutWrite, written: Mapping[str, Raw], before: Mapping[str, Raw]
) -> WrittenRecord:
    made = isinstance(row, CreatedRecord)
    return WrittenRecord(f"{row.connection}:{row.remote_id}", made, written, before)


def standing(tx: Tx, run: RunRow, now: datetime) -> Standing:
    """Return whether a run can be taken back now, and what of it goes on afterwards all the same.

    Work that waits for a stopped connection is no obstacle: before it writes to a ticket it looks
    whether that is paused, and what is taken back is. Where the run has written to that connection
    itself, it is one. What is left of a paused run is given up.
    """
    waiting = run_writes.waits_for(tx, [run.id])
    wrote_to = run_objects.connections(tx, run.id)
    unlisted = {run.connection} if run.finished_at is None else set()
    names = {*waiting, *wrote_to, *unlisted}
    why_shut = availability.shut(tx, names, now)
    stopped = set(availability.halted(tx, names))
    if unreachable := sorted(wrote_to & stopped):
        why = "; ".join(why_shut[name] for name in unreachable)
        then = f"can be taken back after {availability.resume(unreachable)}"
        return Standing(refused=f"{why}. What the run wrote there {then}")
    unfinished = {*waiting, *unlisted}
    if not unfinished:
        return Standing()
    if run.paused_at is not None:
        return Standing(later="the run is paused: what it has not done yet is given up")
    what = _unfinished_in_words(unlisted, waiting, why_shut)
    if unfinished <= stopped:
        then = "that goes on once resumed, but not for tickets that are taken back"
        return Standing(later=f"the run is not over ({what}): {then}")
    return Standing(refused=f"the run is not over yet ({what}): let it end first")


def _unfinished_in_words(
    unlisted: set[str], waiting: dict[str, int], why_shut: dict[str, str]
) -> str:
    parts = [f"its part on {name} has not ended" for name in sorted(unlisted)]
    parts += [
        f"{counted(count, 'piece of work waits', 'pieces of work wait')} for {name}"
        for name, count in sorted(waiting.items())
    ]
    reasons = [why_shut[name] for name in sorted({*waiting, *unlisted} & why_shut.keys())]
    return "; ".join([", ".join(parts), *reasons])


def start_undo(desk: Desk, run_id: int, *, delete_created: bool) -> RunningUndo:
    """Queue the taking back of a run, or go on with one that was interrupted, for the desk's actor.

    Raises Busy while the undo of another run goes on at that connection. `delete_created`: records
    that the run made are deleted also where the sync does not allow deletes.
    """
    with desk.ledger.transaction() as tx:
        if paused_runs.is_paused(tx, run_id):
            pausing.stop(tx, run_id, desk.now())
            desk.write_down(tx, "run stopped", f"run {run_id}")
        undo_id, count = undo.start(tx, run_id, desk.now(), delete_created=delete_created)
        if undo_id is None:
            raise Busy(
                "another run is being taken back at this connection: let that end first "
                "(`bridge runs` shows it)"
            )
        undo_run = run_records.get(tx, undo_id)
        detail = {"records": count, "delete_created": delete_created}
        desk.write_down(tx, "undo", f"run {run_id}", detail)
    figures = undo_run.figures if undo_run is not None else {}
    return RunningUndo(run_id, undo_id, figures.get("timeline", 0))


def work_off(bridge: Bridge, undo_id: int) -> LeftToDo:
    """Work here, beside the workers, until the undo is done; return what is left of it.

    Something is left when all that remains waits for connections that an operator must resume.
    """
    return _await(bridge.ledger, bridge.clock, undo_id, LOOK_SECONDS, bridge.drain)


def wait_for(desk: Desk, undo_id: int) -> LeftToDo:
    """Wait until the workers have done the undo; return what is left of it, as `work_off` does."""
    desk.announce()
    return _await(desk.ledger, desk.context.clock, undo_id, WAIT_SECONDS)


def _await(
    ledger: Ledger,
    clock: Clock,
    undo_id: int,
    seconds: float,
    before_each_look: Callable[[], object] = lambda: None,
) -> LeftToDo:
    """Look every so many seconds until an undo is done, or nothing of what is left can be done."""
    until = clock.now() + timedelta(seconds=UNDO_TIMEOUT)
    while True:
        before_each_look()
        left, only_operator_helps = _left(ledger, undo_id)
        if only_operator_helps or clock.now() > until:
            return left
        clock.sleep(seconds)


def _left(ledger: Ledger, undo_id: int) -> tuple[LeftToDo, bool]:
    """Return what is left of an undo, and whether nothing of that can be done for now."""
    with ledger.read() as tx:
        left = run_writes.left(tx, [undo_id])
        waiting = run_writes.waits_for(tx, [undo_id])
        # Also so when nothing waits at all.
        return left, len(availability.halted(tx, waiting)) == len(waiting)


def finish_undo(desk: Desk, running: RunningUndo, left: LeftToDo) -> UndoOutcome:
    """End the undo's run and return what came of it. What is left is taken back later."""
    with desk.ledger.transaction() as tx:
        # Work that still waits is done without its run, when its connection is resumed.
        run_records.finish(tx, running.id, desk.now())
        waiting = run_writes.waits_for(tx, [running.id])
        waits_for = list(availability.shut(tx, waiting, desk.now()).values())
        entries = [
            entry
            for entry in timeline.after(tx, running.started_after, limit=MAX_ENTRIES)
            if entry.detail.get("run") == running.run
        ]
        taken_back = {entry.link_id for entry in entries if entry.kind == undo.UNDONE}
        back = links.count_by_entity(tx, taken_back)
    kept = [
        KeptRecord(entry.detail["ref"], entry.detail["why"])
        for entry in entries
        if entry.kind == undo.LEFT
    ]
    return UndoOutcome(back, kept, left, waits_for)
