"""Diagnosis: each thing that is wrong, since when, and what to do about it, in words."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bridge.clock import SystemClock
from bridge.config import load_stores, usual_stores
from bridge.core.model.counting import counted
from bridge.core.model.outcome_codes import Code
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.errors import BridgeError, ConfigError, LedgerError
from bridge.ledger import catch_up, failing_runs, mapping_revisions, summary
from bridge.ledger.catch_up import CatchUp
from bridge.ledger.database import Ledger
from bridge.ledger.failing_runs import FailingRun
from bridge.ledger.parking import ParkedGroup
from bridge.ledger.run_records import RunRow
from bridge.ledger.summary import Status
from bridge.operations import failures, mapping_folders, provider_check, symptoms
from bridge.operations.desk import Desk, opened
from bridge.operations.trouble import Trouble
from bridge.runs.adoption import compare, known_records, outdated_processes
from bridge.runs.configuration_changes import KnownRecords
from bridge.runs.schedule import NextRun, next_runs

TAKEN_UP_WITHIN: Final = timedelta(seconds=60)
"""Published mappings are taken up by all that runs within this, however slow a vendor is."""
LATE: Final = timedelta(minutes=2)
"""Work that was due for so long, at a connection that may be called, shows that no worker runs."""
CONNECTION_CODES: Final = {
    "stopped": Code.KEY,
    "paused": Code.CONNECTION_PAUSED,
    "trying": Code.CONNECTION_PAUSED,
    "failing": Code.CONNECTION_FAILING,
}
"""State of a connection -> outcome code."""
STANDSTILLS: Final = frozenset({Code.WORK_IDLE, Code.RUN_LATE, Code.PROCESS_STILL})
"""What follows by itself from a ledger that takes no writes; no restart would help."""
WITHOUT_CLOCK: Final = frozenset({Code.RUN_LATE, Code.PROCESS_STILL})
"""What shows that no clock is at work."""
NAMED_SAMPLES: Final = 3
"""So many pieces of parked work are named as examples."""


def examine_home(home: Path, actor: str) -> list[Trouble]:
    """Return all that is wrong with the bridge of a home, also when its files cannot be used."""
    try:
        with opened(home, actor, check_ledger=False) as desk:
            return [*examine(desk), *provider_check.troubles(desk)]
    except ConfigError as error:
        return [*map(_problem, error.problems), *_stores(home)]


def _problem(problem: str) -> Trouble:
    return Trouble(Code.FILES, problem, None, MEANINGS[Code.FILES].do)


def _stores(home: Path) -> Iterator[Trouble]:
    """See what the ledger alone can tell, where connections cannot be built."""
    named = True
    try:
        stores = load_stores(home, os.environ)
    except ConfigError:  # it is among the problems already
        named, stores = False, usual_stores(home, os.environ)
    ledger = Ledger(stores.database)
    try:
        yield from _of_ledger_alone(ledger, SystemClock().now())
    except LedgerError as error:
        if named:
            yield Trouble(Code.LEDGER, "the ledger cannot be used", None, str(error))
    finally:
        ledger.close()


def _of_ledger_alone(ledger: Ledger, now: datetime) -> list[Trouble]:
    """Return what is wrong with a bridge that runs by files which nobody can read any more."""
    ledger.check()
    with ledger.read() as tx:
        status = summary.summary(tx, now)
        failing = list(failing_runs.by_run(tx).values())
        still = list(symptoms.processes_at_rest(tx, now))
    found = [*_connections(status.health, status, now), *still, *_stored(status, failing, now)]
    return _with_writes(found, ledger, now)


def examine(desk: Desk) -> list[Trouble]:
    """Return all that is wrong. The desk's ledger need not have been checked: that is done here."""
    found = list(check_ledger(desk))
    if all(trouble.code is not Code.LEDGER for trouble in found):
        found = _with_writes(found, desk.ledger, desk.now())
    return [*found, *symptoms.redis(desk), *symptoms.disk(desk)]


def _with_writes(found: list[Trouble], ledger: Ledger, now: datetime) -> list[Trouble]:
    """Add that the ledger takes no writes, if it takes none, in place of what follows from that."""
    no_writes = list(symptoms.ledger_writes(ledger, now))
    if no_writes:
        found = [each for each in found if each.code not in STANDSTILLS]
    return [*found, *no_writes]


def examine_for_clock(desk: Desk, since: datetime) -> list[Trouble]:
    """Return what is wrong because no clock is at work, who else would see it first.

    `since`: when the process that asks began; where all begin together, a clock may be later.
    """
    if desk.now() - since < symptoms.STILL_AFTER:
        return []
    with desk.ledger.read() as tx:
        if symptoms.has_clock(tx, desk.now()):
            return []
    return [trouble for trouble in examine(desk) if trouble.code in WITHOUT_CLOCK]


def check_ledger(desk: Desk) -> Iterator[Trouble]:
    """Look at everything that the ledger shows, or say that it cannot be used."""
    now = desk.now()
    try:
        desk.ledger.check()
        with desk.ledger.read() as tx:
            status = summary.summary(tx, now)
            schedule = next_runs(tx, desk.config, now)
            failing = failures.current(tx, desk)
            behind = catch_up.by_connection(tx)
            seen = [
                *symptoms.refusals(tx, desk, now),
                *symptoms.values_without_reading(tx, desk),
                *symptoms.fields_that_are_new(tx, desk, now),
                *symptoms.creates_withdrawn(tx, desk),
                *symptoms.tickets_at_rest(desk, status),
                *symptoms.processes_at_rest(tx, now),
                *symptoms.runs_at_rest(tx, now),
                *symptoms.endpoints(tx, desk, now),
            ]
    except BridgeError as error:
        yield Trouble(Code.LEDGER, "the ledger cannot be used", None, str(error))
        return
    yield from _files(desk, known_records(status.records))
    if differs := mapping_folders.notice(desk.config):
        yield Trouble(Code.FILES_DIFFER, differs, None, "publish it, or give it up", note=True)
    yield from _connections(desk.config.connections, status, now)
    yield from seen
    yield from _stored(status, failing, now)
    yield from (_behind(state) for state in behind.values() if state.since + LATE < now)
    yield from _overdue(schedule, now)


def _stored(status: Status, failing: list[FailingRun], now: datetime) -> Iterator[Trouble]:
    """See what work and runs show by themselves, whatever the files say."""
    yield from (_parked(group) for group in status.parked if group.code is not Code.CREATE_BUDGET)
    yield from _idle(status, now)
    yield from _failing_runs(failing, status, now)
    yield from _unreadable_rows(status.runs)
    if not status.account.balanced:
        yield Trouble(
            Code.ACCOUNT,
            f"the account of webhooks does not add up: {status.account}",
            None,
            "rows were lost or put in by hand: compare with a backup, "
            "then `bridge reconcile --full`",
        )
    if status.conflicts_open:
        yield Trouble(
            Code.CONFLICT,
            counted(
                status.conflicts_open,
                "field is in conflict and waits for a human",
                "fields are in conflict and wait for a human",
            ),
            None,
            "`bridge conflicts list`, then `bridge conflicts resolve REF FIELD VALUE`",
            tickets=status.conflicts_open,
        )


def _files(desk: Desk, known: KnownRecords) -> Iterator[Trouble]:
    """See whether the bridge runs by the files as they are."""
    with desk.ledger.read() as tx:
        others = outdated_processes(tx, desk.context)
        since = min((each.started_at for each in others), default=None)
        doubtful = [each.text for each in compare(tx, desk.context, known) if each.doubtful]
        newest = mapping_revisions.head(tx, desk.config.number)
    for text in doubtful:
        do = "mend the files, or accept it: `bridge check --accept`"
        yield Trouble(Code.FILES, text, None, do)
    if newest is not None and desk.now() - newest.at < TAKEN_UP_WITHIN:
        return  # what runs is about to take it up
    if since is not None:
        kinds = ", ".join(sorted({each.kind for each in others}))
        yield Trouble(
            Code.FILES_DIFFER,
            f"the files differ from those that the bridge runs by ({kinds})",
            since,
            MEANINGS[Code.FILES_DIFFER].do,
        )


def _connections(names: Iterable[str], status: Status, now: datetime) -> Iterator[Trouble]:
    """Look at each connection's health."""
    for name in names:
        health = status.health.get(name)
        if health is None or health.state(now) == "ok":
            continue
        code = CONNECTION_CODES[health.state(now)]
        if health.held_at is not None:
            code, do = Code.CONNECTION_HELD, f"`bridge connection resume {name}` goes on"
        elif health.refused_at is not None:
            do = (
                "one call tries it again now and then, at least once an hour, and it goes on when "
                "that is let in. `bridge check --live` shows whether its key works; "
                f"`bridge connection resume {name}` goes on at once"
            )
        else:
            do = MEANINGS[code].do
        what, waiting = f"{name} is {health.words(now)}", status.sides.get(name, 0)
        yield Trouble(code, what, health.since, do, name, tickets=waiting)


def _parked(group: ParkedGroup) -> Trouble:
    names = ", ".join(row.subject for row in group.samples[:NAMED_SAMPLES])
    newest = group.samples[0]
    return Trouble(
        group.code,
        counted(
            group.count,
            f"piece of work for {group.connection} is parked, ",
            f"pieces of work for {group.connection} are parked, ",
        )
        + f"{MEANINGS[group.code].title}: "
        f"{newest.why} ({names})",
        group.oldest,
        f"{MEANINGS[group.code].do}. `bridge parked retry {group.code}` frees what is parked so",
        tickets=group.count,
    )


def _behind(state: CatchUp) -> Trouble:
    return Trouble(
        Code.CATCHING_UP,
        f"nothing is created at {state.connection} yet: {state.why}, "
        f"and the {state.kind} that began since has not been worked off",
        state.since,
        "nothing, if the bridge runs: it is listed by itself. "
        "If it lasts, the other lines say what is in its way",
    )


def _idle(status: Status, now: datetime) -> Iterator[Trouble]:
    """See whether work is due that could be done and that nobody does."""

    def may_be_called(name: str) -> bool:
        health = status.health.get(name)
        return health is None or health.state(now) in {"ok", "failing"}

    idle = {
        name: since
        for name, since in status.waiting.items()
        if since + LATE < now and may_be_called(name)
    }
    if idle and not status.backlog["claimed"]:  # where anything is claimed, somebody is at work
        yield Trouble(
            Code.WORK_IDLE,
            f"work for {', '.join(sorted(idle))} is due and nobody does it",
            min(idle.values()),
            MEANINGS[Code.WORK_IDLE].do,
        )


def _failing_runs(failing: list[FailingRun], status: Status, now: datetime) -> Iterator[Trouble]:
    """See which runs fail, but for those that fail because their connection may not be called."""
    for run in failing:
        health = status.health.get(run.connection)
        if health is None or health.state(now) in {"ok", "failing"}:
            what, do = failures.what(run), failures.what_to_do(run)
            yield Trouble(failures.code(run), what, run.since, do)


def _unreadable_rows(runs: list[RunRow]) -> Iterator[Trouble]:
    """See which listings had rows that show no record, in the last run of their kind."""
    newest: dict[tuple[str, str, str], RunRow] = {}
    for run in runs:  # the newest first
        newest.setdefault((run.kind, run.connection, run.entity), run)
    for run in newest.values():
        if count := run.figures.get("unreadable", 0):
            yield Trouble(
                Code.ROWS,
                f"{count} rows in the last {run.kind} of {run.connection} ({run.entity}) show no "
                f"record and were left out: {'; '.join(run.figures.get('unreadable_rows', []))}",
                run.started_at,
                "look at what the vendor lists there, and tell them; all other rows were taken, "
                "and until the listing is whole no record counts as missing from it",
            )


def _overdue(schedule: list[NextRun], now: datetime) -> Iterator[Trouble]:
    """See whether scheduled runs begin when it is time, which is what a clock is for."""
    begun = [run.last.started_at for run in schedule if run.last]
    latest = now - LATE if begun else now  # what never ran is due at any time that one asks for
    late = [run for run in schedule if run.due and not run.waits and run.due <= latest]
    if late:
        runs = ", ".join(sorted({f"{run.kind} of {run.connection}" for run in late}))
        yield Trouble(
            Code.RUN_LATE,
            f"no run has begun{'' if begun else ' yet'}, though it was time for some: {runs}",
            max(begun, default=None),
            MEANINGS[Code.RUN_LATE].do,
        )
