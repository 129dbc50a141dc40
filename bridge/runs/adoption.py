"""Putting the files in force: asked first where that looks like a mistake, then written down.

The bridge runs by the files that its processes were started with. What those say is kept in the
ledger, so that the next start knows what has changed; what has come back goes on where it stopped.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bridge.core.model.values import Ref
from bridge.engine import worker_identity
from bridge.engine.context import Context
from bridge.engine.outcomes import RETIRED
from bridge.errors import NotAccepted
from bridge.flow.match import AMBIGUOUS
from bridge.ledger import (
    audit,
    census,
    configurations,
    hints,
    parking,
    running_processes,
    unread_values,
)
from bridge.ledger.census import RecordCounts
from bridge.ledger.configurations import ConfigurationRow
from bridge.ledger.database import Ledger, Tx
from bridge.ledger.running_processes import ProcessRow
from bridge.runs import reconcile
from bridge.runs.configuration_changes import (
    ConfigurationChange,
    Description,
    KnownRecords,
    changes,
    describe,
)

MAX_READ_AGAIN: Final = 20_000
"""Records that are read again at once when a mapping has changed."""
FREED_CAUSES: Final = (RETIRED, "KeyError", AMBIGUOUS)
"""Causes of parked work that other files may end: a connection that is back, another match rule.

The second is of older versions.
"""

STAYS: Final = "files that cannot be taken up"
"""The key of `Context.taken_in` for files in force beside which this process goes on by its own."""


def known_records(counts: RecordCounts) -> KnownRecords:
    """Return how many records and tickets the ledger knows, from their counts."""
    tickets: Counter[str] = Counter()
    entities: dict[str, str] = {}
    for sync, entity, count in counts.tickets:
        tickets[sync] += count
        entities[sync] = min(entity, entities.get(sync, entity))
    sides = {(sync, connection): count for sync, connection, count in counts.sides}
    return KnownRecords(sides, dict(tickets), entities)


def count_known(tx: Tx) -> KnownRecords:
    """Count the records and tickets that the ledger knows."""
    return known_records(census.count_records(tx))


def compare(tx: Tx, context: Context, known: KnownRecords) -> list[ConfigurationChange]:
    """Return what the context's configuration changes against the one in force."""
    before = configurations.newest(tx)
    if before is None and not known.tickets:
        return []  # nothing was ever started: all is new, and nothing can be lost
    described = _described(context, before, known.connections.__contains__)
    return changes(_detail(before), described, known)


def is_outdated(tx: Tx, context: Context) -> bool:
    """Return whether other files are in force than the context's."""
    return is_older(context, configurations.newest_revision(tx))


def is_older(context: Context, in_force: str) -> bool:
    """Return whether a revision in force (empty: there is none) is another than the context's."""
    theirs = ("", context.revision, context.taken_in.get(STAYS))
    return bool(context.revision) and in_force not in theirs


def rename(tx: Tx, context: Context, actor: str, part: str, old: str, new: str) -> None:
    """Note that a connection or a sync (`part`) has another name now: it is neither gone nor new.

    The revision in force stays, so the files still have to be started with.
    """
    before = configurations.newest(tx)
    if before is None:
        return
    detail = {
        name: dict(value) if isinstance(value, Mapping) else value
        for name, value in before.detail.items()
    }
    places = [detail[part], detail["retired"]] if part == "connections" else [detail[part]]
    for place in places:
        if old in place:
            detail[part][new] = place.pop(old)
    if part == "connections":
        detail["syncs"] = {
            name: {
                **sync,
                "members": {
                    new if member == old else member: create
                    for member, create in sync["members"].items()
                },
            }
            for name, sync in detail["syncs"].items()
        }
    configurations.add(tx, before.revision, detail, actor, context.clock.now())


def running(tx: Tx, context: Context) -> list[ProcessRow]:
    """Return the processes of the bridge that run."""
    return running_processes.running(tx, context.clock.now(), worker_identity.is_alive)


def outdated_processes(tx: Tx, context: Context) -> list[ProcessRow]:
    """Return the running processes that work by other files than the context's."""
    if not context.revision:
        return []
    return [each for each in running(tx, context) if each.revision != context.revision]


def adopt(ledger: Ledger, context: Context, actor: str, *, accept: bool = False) -> None:
    """Put the context's configuration in force.

    Raises NotAccepted, and changes nothing, when something about it is doubtful; `accept` says that
    it is meant so. That is kept, so the same files are not asked about again.
    """
    with ledger.transaction() as tx:
        take_up(tx, context, actor, accept=accept)


def take_up(
    tx: Tx,
    context: Context,
    actor: str = "start",
    *,
    accept: bool = True,
    known: KnownRecords | None = None,
) -> None:
    """Put the context's configuration in force within a transaction; see `adopt`.

    `known`: what was just counted outside of it, which takes seconds in a large ledger.
    """
    configurations.lock(tx)
    before = configurations.newest(tx)
    described = _described(context, before, lambda name: census.has_records(tx, name))
    if before is not None and (before.revision, before.detail) == (context.revision, described):
        return  # as most starts do: of a large ledger, to count takes seconds
    known = known if known is not None else count_known(tx)
    found = changes(_detail(before), described, known)
    doubtful = [change.text for change in found if change.doubtful]
    if doubtful and not accept:
        raise NotAccepted(doubtful)
    now = context.clock.now()
    configurations.add(tx, context.revision, described, actor, now)
    if doubtful:
        detail = {"accepted": doubtful}
        audit.add(tx, actor=actor, action="accept", subject="files", at=now, detail=detail)
    for name in context.connections:
        for cause in FREED_CAUSES:
            parking.unpark(tx, now, connection=name, cause=cause)
    if before is not None:
        reconcile.start_syncs(tx, context, _resumed(before.detail, described, known))
    _look_at_disputes(tx, context)
    if context.mapping_revision is None:  # what is published carries out what was confirmed
        read_waiting_again(tx, context)


def _described(
    context: Context, before: ConfigurationRow | None, is_known: Callable[[str], bool]
) -> Description:
    detail = _detail(before)
    return describe(context, detail, detail.get("salt") or secrets.token_hex(16), is_known)


def _detail(row: ConfigurationRow | None) -> Description:
    return row.detail if row is not None else {}


def _resumed(before: Description, after: Description, known: KnownRecords) -> Iterable[str]:
    """Return the syncs to which a member has come back, of which the ledger knows records."""
    for name, sync in after["syncs"].items():
        were = before["syncs"].get(name, {}).get("members", {})
        if any(known.sides.get((name, each)) for each in sync["members"] if each not in were):
            yield name


def _look_at_disputes(tx: Tx, context: Context) -> None:
    """Have the tickets read again whose conflict a retired connection has a part in."""
    now = context.clock.now()
    for link in context.load(tx, configurations.disputed_links(tx)).values():
        waiting = {name for state in link.state.values() for name in state.candidates or ()}
        if waiting & link.retired.keys():
            for name, side in link.live().items():
                hints.give(tx, Ref(name, link.entity, side.remote_id), now, lane="reconcile")


def read_waiting_again(tx: Tx, context: Context) -> None:
    """Have the records read again that wait for a reading and whose mapping is another now.

    Not every listing shows the field that waits. What is beyond MAX_READ_AGAIN the next full run
    finds, as far as it shows.
    """
    now = context.clock.now()
    for ref, revisions in list(unread_values.waiting(tx, MAX_READ_AGAIN)):
        fields = context.maps.get(ref.connection, {}).get(ref.entity)
        of_now = {} if fields is None else fields.fields
        if any(name in of_now and of_now[name].revision != was for name, was in revisions.items()):
            hints.give(tx, ref, now, lane="reconcile")
