"""Comparing rows of a listing with the ledger: what differs, and what is to be looked at.

A row that compared as equal leaves its fingerprint; while neither the row nor its link changes, it
is not compared again, for a week at most.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from bridge.connectors.contract import Record
from bridge.core.model.limits import size_of, why_too_large
from bridge.core.model.markers import Markers
from bridge.core.model.state import Link, Side
from bridge.core.model.values import Ref
from bridge.engine.context import Context
from bridge.flow.differences import NOT_SHOWN, differences
from bridge.flow.match import out_of_scope
from bridge.flow.replan import kind_of_work, plans, work_key
from bridge.ledger import drift_findings, hints, link_outlines, links, listings
from bridge.ledger.database import Tx
from bridge.ledger.listings import LinkedRow, RowSighting
from bridge.ledger.run_records import DifferenceKind
from bridge.runs.fingerprints import rules_digest
from bridge.runs.plain_rows import PlainRows

OWED: Final = {
    "create": "{} does not have it yet",
    "deliver": "{} does not show yet what was agreed",
    "remove": "{} still has it, though it is to be deleted there",
}
"""Kind of work that is owed to a connection -> how that is told."""
FINGERPRINT_DAYS: Final = 7
"""A fingerprint that still fits spares the comparison for so many days."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One record that is worth a look, and why."""

    remote_id: str
    kind: DifferenceKind
    """`changed`, `new`, `absent` or `owed`: see `ledger/drift_findings.py`."""
    fields: tuple[str, ...] = ()
    since: datetime | None = None
    why: str = drift_findings.UNEXPLAINED
    work: tuple[str, ...] = ()
    """Of what is owed: the keys of the work that brings the others level."""

    @property
    def is_drift(self) -> bool:
        """Return whether it differs for certain: else the row only does not show all of it."""
        return self.why != NOT_SHOWN


@dataclass(frozen=True, slots=True)
class Compared:
    """What comparing one row in full came to."""

    difference: Difference | None
    linked: LinkedRow | None
    """The record's link as it was then; None: it had none."""
    fingerprint: str | None
    """None: it has none."""
    day: int

    def sighting(self, run_id: int) -> RowSighting | None:
        """Return what is to be remembered of the row; None: nothing, for no link knows it."""
        if self.linked is None:
            return None
        # Only a row that is equal, on a link that nobody holds, need not be compared again.
        settled = self.difference is None and self.linked.fence is not None
        fingerprint = self.fingerprint if settled else None
        return RowSighting(
            self.linked.side_id, fingerprint, self.linked.fence or 0, self.day, run_id
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome of comparing some rows."""

    in_full: dict[str, Compared] = field(default_factory=dict)
    """By remote id: those that were compared in full."""
    same_sides: list[int] = field(default_factory=list)
    """Ids of sides whose fingerprint still fits."""

    @property
    def differences(self) -> list[Difference]:
        """Return the records that are worth a look."""
        found = (compared.difference for compared in self.in_full.values())
        return [difference for difference in found if difference is not None]

    @property
    def unchanged(self) -> int:
        """Return how many linked records are as the ledger knows them."""
        equal = (each.difference is None for each in self.in_full.values())
        return len(self.same_sides) + sum(equal)

    def without(self, remote_ids: Collection[str]) -> Comparison:
        """Return the same without these records."""
        left = {key: each for key, each in self.in_full.items() if key not in remote_ids}
        return Comparison(left, self.same_sides)

    def joined(self, other: Comparison) -> Comparison:
        """Return this with another, of other records."""
        return Comparison(self.in_full | other.in_full, self.same_sides + other.same_sides)


def compare(
    tx: Tx,
    context: Context,
    connection: str,
    entity: str,
    records: Mapping[str, Record],
    digests: Mapping[str, str | None],
    *,
    full: bool,
    now: datetime,
) -> Comparison:
    """Compare rows with the ledger in a few queries, however many they are; writes nothing."""
    linked_rows = listings.linked_rows(tx, connection, entity, list(records))
    rules, today = rules_digest(tx, context, entity), now.toordinal()
    same_sides: list[int] = []
    changed: dict[str, LinkedRow] = {}
    fingerprints: dict[str, str | None] = {}
    for remote_id, linked in linked_rows.items():
        digest = digests[remote_id]
        fingerprint = digest + rules if digest is not None else None
        recent = linked.day + FINGERPRINT_DAYS > today
        if recent and fingerprint is not None and fingerprint == linked.fingerprint:
            same_sides.append(linked.side_id)
        else:
            changed[remote_id], fingerprints[remote_id] = linked, fingerprint
    left = {
        remote_id: record
        for remote_id, record in records.items()
        if remote_id in changed or remote_id not in linked_rows
    }
    for record in left.values():  # what is as it was has no news
        context.look_for_unknown(record)
    found: dict[str, Difference | None] = dict.fromkeys(
        _needing_nothing(tx, context, connection, entity, records, changed, full=full)
    )
    others = {remote_id: record for remote_id, record in left.items() if remote_id not in found}
    found |= _compared_in_full(tx, context, others, changed, full=full)
    return Comparison(
        {
            remote_id: Compared(
                difference, changed.get(remote_id), fingerprints.get(remote_id), today
            )
            for remote_id, difference in found.items()
        },
        same_sides,
    )


def _compared_in_full(
    tx: Tx,
    context: Context,
    records: Mapping[str, Record],
    linked_rows: Mapping[str, LinkedRow],
    *,
    full: bool,
) -> dict[str, Difference | None]:
    """Load the links of these rows and compare: what differs, by id; None: nothing does.

    Left out are rows that no link knows and that could not get one.
    """
    link_ids = {linked_rows[each].link_id for each in records if each in linked_rows}
    loaded = context.load(tx, sorted(link_ids))
    strays = _stray_copies(tx, context, records, linked_rows)
    found: dict[str, Difference | None] = {}
    for remote_id, record in records.items():
        linked = linked_rows.get(remote_id)
        link = None if linked is None else loaded.get(linked.link_id)
        if link is not None:
            found[remote_id] = difference_of(context, link, record, full=full)
        elif could_join(context, record) or remote_id in strays:
            found[remote_id] = Difference(remote_id, "new")
    return found


def _needing_nothing(
    tx: Tx,
    context: Context,
    connection: str,
    entity: str,
    records: Mapping[str, Record],
    linked_rows: Mapping[str, LinkedRow],
    *,
    full: bool,
) -> list[str]:
    """Return the ids of rows of which it is certain, without loading their links, that all is well.

    They are most of what a listing shows that was never compared before, as after an import.
    """
    plain_rows = PlainRows.of(context, connection, entity, full=full)
    if plain_rows is None or not linked_rows:
        return []
    outlines = link_outlines.of(tx, sorted({linked.link_id for linked in linked_rows.values()}))
    return [
        remote_id
        for remote_id, linked in linked_rows.items()
        if plain_rows.need_nothing(outlines.get(linked.link_id), records[remote_id])
    ]


def moved_since(tx: Tx, connection: str, entity: str, comparison: Comparison) -> set[str]:
    """Return the differing records whose link is not, or may not be, as it was when compared.

    Of a record that was equal the sighting has the link's fence, which tells by itself.
    """
    differing = [key for key, each in comparison.in_full.items() if each.difference is not None]
    if not differing:
        return set()
    present = listings.linked_rows(tx, connection, entity, differing)
    return {
        remote_id
        for remote_id in differing
        if _fence(present.get(remote_id)) != _fence(comparison.in_full[remote_id].linked)
        or (remote_id in present and present[remote_id].fence is None)
    }


def _fence(linked: LinkedRow | None) -> tuple[str, int | None] | None:
    return None if linked is None else (linked.link_id, linked.fence)


def _stray_copies(
    tx: Tx, context: Context, records: Mapping[str, Record], linked_rows: Collection[str]
) -> set[str]:
    """Return the ids of rows that are copies of ours and in no link, also not as another entity.

    Only where records never begin a link: all others are looked at anyway.
    """
    marked = [
        record
        for remote_id, record in records.items()
        if remote_id not in linked_rows
        and not context.capabilities[record.ref.connection][record.ref.entity].originates
        and Markers.of(context.connections[record.ref.connection]).original(record.marker)
    ]
    entities = {sync.entity for sync in context.syncs.values()}
    refs = {
        Ref(record.ref.connection, entity, record.ref.id)
        for record in marked
        for entity in entities
    }
    linked = {ref.id for ref in links.of_refs(tx, sorted(refs, key=str))} if refs else set()
    return {record.ref.id for record in marked} - linked


def store_sightings(tx: Tx, comparison: Comparison, run_id: int) -> None:
    """Store how rows compared, and that the run saw them.

    `run_id` 0: the run lists only some records, so nothing follows from which it saw.
    """
    if run_id:
        listings.mark_seen(tx, comparison.same_sides, run_id)
    sightings = (compared.sighting(run_id) for compared in comparison.in_full.values())
    listings.store(tx, [each for each in sightings if each is not None])


def difference_of(context: Context, link: Link, record: Record, *, full: bool) -> Difference | None:
    """Return how a row differs from the ledger, or what its link still owes a side (rule F9)."""
    ref = record.ref
    side = link.sides.get(ref.connection)
    if side is None or side.remote_id != ref.id:
        return None  # retired, or given up: another record has taken its place
    if side.detached or _stays_outside(context, link, side, record):
        return None  # left out on purpose, so no edit of it is missed
    if side.tombstone or side.missing_since:
        return Difference(ref.id, "changed", (), side.read_at, "it was thought to be gone")
    names, explained = differences(context, link, record, full=full)
    if names:
        why = explained or drift_findings.UNEXPLAINED
        return Difference(ref.id, "changed", tuple(names), side.read_at, why)
    owed = _owed(context, link)
    if owed:
        why = "; ".join(OWED[kind].format(name) for name, kind in owed.items())
        keys = tuple(work_key(kind, link.id, name) for name, kind in owed.items())
        return Difference(ref.id, "owed", (), side.read_at, why, keys)
    return None


def _stays_outside(context: Context, link: Link, side: Side, record: Record) -> bool:
    """Return whether a record that has left the scope is still outside, as far as the row tells."""
    if side.in_scope:
        return False
    sync = context.syncs[link.sync]
    left_for_good = sync.leave_scope == "detach"
    return left_for_good or (not record.partial and bool(out_of_scope(sync, record.ref, record)))


def _owed(context: Context, link: Link) -> dict[str, str]:
    """Return by connection what kind of work the link still owes it."""
    kinds = {
        name: kind_of_work(plan, has_calls=bool(plan.calls))
        for name, plan in plans(context, link).items()
    }
    return {name: kind for name, kind in sorted(kinds.items()) if kind is not None}


def could_join(context: Context, record: Record) -> bool:
    """Return whether a row that no link knows could get one: what is out of scope costs no read."""
    ref = record.ref
    if not context.capabilities[ref.connection][ref.entity].originates:
        return False
    sync = context.sync_of(ref.connection, ref.entity)
    return record.partial or not out_of_scope(sync, ref, record)


def as_findings(
    tx: Tx, connection: str, entity: str, found: list[Difference], *, first: bool = False
) -> list[dict[str, Any]]:
    """Return differences as rows of `drift_findings`, with what the queue knows of each record.

    To be asked before the records are queued. `first`: nothing was ever listed there before.
    """
    keys = {each.remote_id: hints.key(Ref(connection, entity, each.remote_id)) for each in found}
    owed = {each.remote_id: each.work for each in found if each.work}
    outstanding = drift_findings.outstanding(tx, keys.values())
    waiting = drift_findings.waiting(tx, [key for of_one in owed.values() for key in of_one])
    # What is owed and waits its turn, or for the next import, was not missed.
    outstanding |= {
        keys[each]: drift_findings.WAITS
        for each, work_keys in owed.items()
        if waiting.issuperset(work_keys)
    }
    return [
        {
            "connection": connection,
            "entity": entity,
            "remote_id": each.remote_id,
            "kind": each.kind,
            "fields": list(each.fields),
            "since": each.since,
            "why": outstanding.get(
                keys[each.remote_id],
                drift_findings.UNSEEN if first and each.kind == "new" else each.why,
            ),
        }
        for each in found
    ]


def queue_observes(
    tx: Tx,
    context: Context,
    connection: str,
    entity: str,
    remote_ids: Iterable[str],
    now: datetime,
    records: Mapping[str, Record] | None = None,
    run_id: int | None = None,
) -> None:
    """Queue an observe for each; rows of a full listing send along what only such rows show."""
    for remote_id in remote_ids:
        ref = Ref(connection, entity, remote_id)
        record = (records or {}).get(remote_id)
        payload, handle = _listed_values(context, record), record.handle if record else ""
        hints.give(tx, ref, now, lane="reconcile", payload=payload, run_id=run_id, handle=handle)


def _listed_values(context: Context, record: Record | None) -> dict[str, Any] | None:
    """Return, as a payload of observe, what only full listings show of a record; None: nothing."""
    if record is None:
        return None
    only_listed = context.capabilities[record.ref.connection][record.ref.entity].only_listed
    shown = {name: record.data[name] for name in sorted(only_listed) if name in record.data}
    too_large = {
        name: why
        for name, value in shown.items()
        if (why := why_too_large(value, size_of(value), is_set=isinstance(value, list)))
    }
    if not shown:
        return None
    values = {name: value for name, value in shown.items() if name not in too_large}
    at = record.read_at.isoformat()
    return {"swept": {"at": at, "values": values, "unreadable": too_large}}
