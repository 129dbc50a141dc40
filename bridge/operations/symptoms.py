"""What the doctor looks at besides work and runs: webhooks, values, tickets, processes, machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from bridge.core.mapping.unknown_fields import told
from bridge.core.model.capabilities import Support, creating
from bridge.core.model.counting import counted
from bridge.core.model.outcome_codes import Code, of_refusal
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.engine import worker_identity
from bridge.errors import LedgerError
from bridge.ledger import (
    notice_outbox,
    paused_runs,
    probes,
    refused_webhooks,
    run_records,
    running_processes,
    unread_values,
    write_probe,
)
from bridge.ledger.database import DiskFull, Ledger, Tx
from bridge.ledger.former_names import former_names
from bridge.ledger.notice_outbox import EndpointRow
from bridge.ledger.refused_webhooks import RefusedWebhooks
from bridge.ledger.running_processes import ProcessRow
from bridge.ledger.summary import Status
from bridge.operations import run_states, vendor_fields
from bridge.operations.desk import Desk
from bridge.operations.times import when
from bridge.operations.trouble import Trouble, usual
from bridge.queue.embedded_valkey import url_for

STILL_AFTER: Final = timedelta(seconds=40)
"""A process that says every 15 seconds that it is at work hangs when it has not for so long."""
PAUSED_FOR_LONG: Final = timedelta(hours=1)
"""A run that is paused for so long may be forgotten."""
BEATING: Final = frozenset({"web", "worker", "clock"})
"""Kinds of processes that say so."""
NEWS_FOR: Final = timedelta(days=7)
"""For so long a field that a vendor began to show is news."""
FAILED_CALLS: Final = 3
"""So many calls in a row that an endpoint did not take are shown ..."""
FAILING_CALLS: Final = timedelta(minutes=10)
"""... or fewer that have failed for so long."""
MIN_FREE_BYTES: Final = 200 * 1024 * 1024
MIN_FREE_SHARE: Final = 0.02
"""The disk is nearly full when less than both is free."""
MENDING_WRITES: Final = (
    "let its database take writes again: it may be a replica, made read-only "
    "(`default_transaction_read_only`), out of room, or hang"
)
STRANGERS: Final = 20
"""So many requests without a signature, and no genuine one, may be a vendor without a secret."""
GENUINE_WITHIN: Final = timedelta(hours=1)
FEW: Final = 100
TIMES_GENUINE: Final = 10
NAMED_VALUES: Final = 5
"""So many values without a reading are named, the most frequent ones."""


def refusals(tx: Tx, desk: Desk, now: datetime) -> Iterator[Trouble]:
    """See which webhooks are refused; by strangers, or while genuine ones arrive, it is a note.

    Anybody can send something to an open address, and nobody is to be woken for that. So it is no
    fault:

    - what came to an address that no connection has or had;
    - what carries nothing of a signature: fewer than STRANGERS, or while a genuine delivery is no
      older than GENUINE_WITHIN, seen from the last of them;
    - anything else, once a genuine delivery came after the last of them, if there are no more than
      FEW and for each at least TIMES_GENUINE that were accepted since they began.

    What is left looks like a wrong secret, a secret that is missing at the vendor, or an old
    address.
    """
    former, known = former_names(tx), desk.config.connections
    for row in refused_webhooks.current(tx, now):
        code = of_refusal(row.reason)
        deliveries = counted(row.count, "delivery", "deliveries")
        if code is Code.HOOK_UNKNOWN and row.connection and row.connection not in known:
            yield _at_former_name(row, deliveries, former.get(row.connection, ""))
        else:
            whose = f"for {row.connection}" if row.connection else "for no connection of ours"
            what = f"{deliveries} {whose} refused: {MEANINGS[code].title}"
            trouble = usual(code, what, row.since, row.connection)
            yield replace(trouble, note=_is_of_strangers(tx, row, code))


def _is_of_strangers(tx: Tx, row: RefusedWebhooks, code: Code) -> bool:
    """Return whether refusals need nobody to look at them; see `refusals`."""
    if not row.connection:
        return True
    genuine = refused_webhooks.accepted(tx, row, FEW * TIMES_GENUINE)
    if code is Code.HOOK_UNSIGNED:
        arrives = genuine.last is not None and genuine.last > row.last - GENUINE_WITHIN
        return arrives or row.count < STRANGERS
    came_after = genuine.last is not None and genuine.last >= row.last + timedelta(minutes=1)
    return came_after and row.count <= min(FEW, genuine.count // TIMES_GENUINE)


def _at_former_name(row: RefusedWebhooks, deliveries: str, new: str) -> Trouble:
    """Tell of webhooks that come to the address of a connection that was once called so."""
    now = f"it is called {new} now" if new else "it is in the files no more"
    do = f"tell the vendor the new address, /webhooks/{new}"
    do = do if new else "take the webhook away at the vendor, or put the connection back"
    what = f"{deliveries} for {row.connection} refused: {now}"
    return Trouble(Code.HOOK_UNKNOWN, what, row.since, do, new)


def values_without_reading(tx: Tx, desk: Desk) -> Iterator[Trouble]:
    """See which values no mapping can read."""
    for value in unread_values.unread_values(tx)[:NAMED_VALUES]:
        field = desk.context.fields.get(value.entity, {}).get(value.field)
        mapped = desk.context.maps.get(value.connection, {}).get(value.entity)
        if field is None or mapped is None or field.name not in mapped.fields:
            continue  # no file names it any more: nobody would read it
        what = (
            f"{value.field} {told(field, value.value, tabled=mapped.fields[field.name].tabled)} "
            f"seen on {counted(value.records, value.entity)} of {value.connection}, and the "
            "mapping has no reading for it"
        )
        found = usual(Code.READ_VALUE, what, value.since, value.connection)
        yield replace(found, tickets=value.records if value.entity == "ticket" else 0)


def fields_that_are_new(tx: Tx, desk: Desk, now: datetime) -> Iterator[Trouble]:
    """Tell, for a week, of fields that vendors' records show and no file knows."""
    for connection, new in vendor_fields.new_fields(tx, desk, now - NEWS_FOR).items():
        named = ", ".join(part.field for part in new[:NAMED_VALUES])
        more = f" and {len(new) - NAMED_VALUES} more" if len(new) > NAMED_VALUES else ""
        what = f"{connection} shows {named}{more}, which no file knows"
        yield replace(usual(Code.READ_FIELD, what, new[-1].first_seen, connection), note=True)


def creates_withdrawn(tx: Tx, desk: Desk) -> Iterator[Trouble]:
    """See which connections make no records, though their syncs say that they do."""
    for sync in desk.config.syncs.values():
        for found in probes.named(tx, creating(sync.entity)):
            member = sync.members.get(found.connection)
            if member is not None and member.create is Support.YES and not found.value:
                what = f"{found.connection} makes no {sync.entity}s for {sync.name}: {found.why}"
                do = (
                    "`create: when-supported` or `false` in mappings/syncs.yaml, if it is meant "
                    f"so; if not, have it allowed there, then `bridge connection resume "
                    f"{found.connection}`"
                )
                yield Trouble(Code.CREATE_REFUSED, what, found.at, do, found.connection)


def tickets_at_rest(desk: Desk, status: Status) -> Iterator[Trouble]:
    """See which tickets are paused, and which records belong to no member of their sync."""
    if status.paused:
        yield usual(Code.PAUSED, f"{counted(status.paused, 'ticket is', 'tickets are')} paused")
    counted_at = status.records.at
    as_of = f", as of {when(counted_at)}" if counted_at else ""
    members = {name: set(sync.members) for name, sync in desk.config.syncs.items()}
    for sync, connection, count in status.records.sides:
        if connection not in members.get(sync, set()):
            what = (
                f"{counted(count, 'record is', 'records are')} retired: "
                f"{connection} is no member of {sync} in "
                f"mappings/syncs.yaml (any more){as_of}"
            )
            # A note: what was doubtful about it was asked before the start that brought it in.
            yield replace(usual(Code.CONNECTION_RETIRED, what, None, connection), note=True)


def has_clock(tx: Tx, now: datetime) -> bool:
    """Return whether a clock is at work."""
    processes = running_processes.running(tx, now, worker_identity.is_alive)
    return any(each.kind == "clock" and not _stands_still(each, now) for each in processes)


def _stands_still(process: ProcessRow, now: datetime) -> bool:
    return now - process.seen_at > STILL_AFTER


def processes_at_rest(tx: Tx, now: datetime) -> Iterator[Trouble]:
    """See which process hangs: it runs, and does not say that it is at work."""
    for process in running_processes.running(tx, now, worker_identity.is_alive):
        if process.kind in BEATING and _stands_still(process, now):
            host, _here, number = [*process.id.split(":"), "", ""][:3]
            what = f"the {process.kind} {number} on {host} stands still"
            yield usual(Code.PROCESS_STILL, what, process.seen_at)


def runs_at_rest(tx: Tx, now: datetime) -> Iterator[Trouble]:
    """See which runs were paused so long ago that somebody may have forgotten them."""
    for run_id in paused_runs.listed(tx):
        run = run_records.get(tx, run_id)
        if run is None or run.paused_at is None or now - run.paused_at < PAUSED_FOR_LONG:
            continue
        do = f"`bridge runs resume {run.id}` lets it go on, `bridge undo {run.id}` takes it back"
        what = f"run {run.id} ({run_states.in_words(run)}) is paused"
        yield Trouble(Code.RUN_PAUSED, what, run.paused_at, do, run.connection)


def endpoints(tx: Tx, desk: Desk, now: datetime) -> Iterator[Trouble]:
    """See which endpoints take no notices, and what was given up."""
    rows, counts = notice_outbox.endpoints(tx), notice_outbox.counts(tx)
    for name in desk.config.settings.notices:
        row, left = rows.get(name), counts.get(name, {})
        waiting = counted(left.get(notice_outbox.WAITING, 0), "notice waits", "notices wait")
        if row is not None and row.gone_at is not None:
            yield usual(Code.NOTICE_GONE, f"{name} answered 410; {waiting}", row.gone_at)
        elif row is not None and _fails_for_long(row, now):
            often = counted(row.failures, "call")
            what = f"{often} to {name} failed in a row: {row.why}; {waiting}"
            yield usual(Code.NOTICE_FAILING, what, row.failing_since)
        if given_up := left.get(notice_outbox.FAILED, 0):
            many = counted(given_up, "notice was", "notices were")
            yield usual(Code.NOTICE_UNSENT, f"{many} not delivered to {name}, and given up")


def _fails_for_long(row: EndpointRow, now: datetime) -> bool:
    since = row.failing_since
    return since is not None and (row.failures >= FAILED_CALLS or now - since >= FAILING_CALLS)


def redis(desk: Desk) -> Iterator[Trouble]:
    """See whether Redis can be used; without it work is done late, none is lost."""
    # An embedded server that was never started deserves better words than "does not answer".
    if desk.config.settings.redis == "embedded" and not url_for(desk.config.home):
        do = "start `bridge up`, or set BRIDGE_REDIS_URL"
        yield Trouble(Code.REDIS_DOWN, "no embedded Valkey runs for this home", None, do)
    elif (code := desk.bell.fault()) is not None:
        yield usual(code, MEANINGS[code].title)


def ledger_writes(ledger: Ledger, now: datetime) -> Iterator[Trouble]:
    """See whether the ledger takes writes, found out by one."""
    try:
        write_probe.try_a_write(ledger, now)
    except DiskFull as error:
        yield usual(Code.DISK, str(error))
    except LedgerError as error:
        yield Trouble(Code.LEDGER, str(error), None, MENDING_WRITES)


def disk(desk: Desk) -> Iterator[Trouble]:
    """See whether the disks of the home and of a ledger in a file have room left."""
    folders = [desk.config.home, *filter(None, [desk.ledger.folder])]
    seen: set[int] = set()
    for folder in folders:
        try:
            usage, device = shutil.disk_usage(folder), folder.stat().st_dev
        except OSError:
            continue  # a folder that cannot be looked at shows elsewhere
        if device not in seen and usage.free < min(MIN_FREE_BYTES, usage.total * MIN_FREE_SHARE):
            free = usage.free // (1024 * 1024)
            yield usual(Code.DISK, f"{free} MB are left on the disk of {folder}")
        seen.add(device)
