"""Comparing rows of a listing with the ledger, a page at a time: what differs, and what is to be looked at.

A row that compared as equal leaves its fingerprint; while neither the row nor its link changes, it
is not compared again, for a week at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson

from bridge.connectors.contract import Record
from bridge.core.model.state import Link
from bridge.core.model.values import Ref
from bridge.engine.context import Context
from bridge.flow.differences import differences
from bridge.flow.match import out_of_scope
from bridge.flow.replan import plans
from bridge.ledger import directory, drift_findings, hints, links, listings
from bridge.ledger.database import Tx

TRUSTED_DAYS = 7
"""A fingerprint that still fits spares the comparison for so many days."""
NEW_LISTED = 1000
"""So many unknown records of one run are listed one by one; the rest is only counted."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One record that is worth a look, and why."""

    remote_id: str
    kind: str
    fields: tuple[str, ...] = ()
    since: datetime | None = None
    why: str = drift_findings.UNASKED


@dataclass(slots=True)
class Comparison:
    """What came of comparing some rows."""

    findings: list[Difference] = field(default_factory=list)
    unchanged: int = 0
    stamps: list[int] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)


def compare(
    tx: Tx,
    context: Context,
    connection: str,
    entity: str,
    records: Mapping[str, Record],
    *,
    full: bool,
    now: datetime,
) -> Comparison:
    """Compare rows with the ledger in a handful of queries, however many they are; writes nothing."""
    known = listings.last_sightings(tx, connection, entity, list(records))
    key, today, done = fingerprint_key(tx, context, entity), now.toordinal(), Comparison()
    look: dict[str, tuple[Record, str | None]] = {}
    for remote_id, record in records.items():
        before = known.get(remote_id)
        mark = None if before is None else fingerprint(record, key)
        if before is not None and mark == before.digest and before.day + TRUSTED_DAYS > today:
            done.stamps.append(before.side_id)
        else:
            look[remote_id] = (record, mark)
    done.unchanged = len(done.stamps)
    loaded = links.load(tx, sorted({known[each].link_id for each in look if each in known}))
    for remote_id, (record, mark) in look.items():
        before = known.get(remote_id)
        link = None if before is None else loaded.get(before.link_id)
        if before is None or link is None:
            if could_join(context, record):
                done.findings.append(Difference(remote_id, "new"))
            continue
        found = judge(context, link, record, full=full)
        if found is None:
            done.unchanged += 1
        else:
            done.findings.append(found)
        kept = mark if found is None and before.fence is not None else None
        done.notes.append(
            {"side_id": before.side_id, "digest": kept, "fence": before.fence or 0, "day": today}
        )
    return done


def keep(tx: Tx, compared: Comparison, run_id: int) -> None:
    """Note that the run saw the rows (0: it lists only some, so that says nothing), and how they compared."""
    if run_id:
        listings.mark_seen(tx, compared.stamps, run_id)
    listings.store(tx, [each | {"seen_run": run_id} for each in compared.notes])


def judge(context: Context, link: Link, record: Record, *, full: bool) -> Difference | None:
    """Say in what a row differs from what we know, or that the link still owes some side a write (rule F9)."""
    ref = record.ref
    side = link.sides[ref.connection]
    if side.remote_id != ref.id:
        return None  # a record that was given up; another one has taken its place
    if side.tombstone or side.missing_since:
        return Difference(ref.id, "changed", (), side.read_at, "it was thought to be gone")
    names, remapped = differences(context, link, record, full=full)
    if names:
        why = "its mapping has changed since it was read" if remapped else drift_findings.UNASKED
        return Difference(ref.id, "changed", tuple(names), side.read_at, why)
    owed = sorted(
        name
        for name, found in plans(context, link).items()
        if found.calls or found.delete or (found.create and not found.create.missing)
    )
    if owed:
        return Difference(
            ref.id, "owed", (), side.read_at, f"{', '.join(owed)} has not been brought up to date"
        )
    return None


def could_join(context: Context, record: Record) -> bool:
    """Say whether a row that no link knows could get one: what is out of scope anyway costs no read."""
    ref = record.ref
    if not context.capabilities[ref.connection][ref.entity].originates:
        return False
    return record.partial or not out_of_scope(
        context.sync_of(ref.connection, ref.entity), ref, record
    )


def report(
    tx: Tx, connection: str, entity: str, findings: list[Difference], *, first: bool = False
) -> list[dict[str, Any]]:
    """Give the findings as plain rows, with what the work queue knows of each: ask before hinting at them.

    `first`: nothing was ever listed there before.
    """
    waiting = drift_findings.outstanding(
        tx, [hints.key(Ref(connection, entity, each.remote_id)) for each in findings]
    )
    rows = []
    for each in findings:
        usual = drift_findings.UNSEEN if first and each.kind == "new" else each.why
        why = waiting.get(hints.key(Ref(connection, entity, each.remote_id)), usual)
        rows.append(
            {
                "connection": connection,
                "entity": entity,
                "remote_id": each.remote_id,
                "kind": each.kind,
                "fields": list(each.fields),
                "since": each.since,
                "why": why,
            }
        )
    return rows


def hint(
    tx: Tx,
    context: Context,
    connection: str,
    entity: str,
    remote_ids: list[str],
    now: datetime,
    records: Mapping[str, Record] | None = None,
    run_id: int | None = None,
) -> None:
    """Queue an observe for each; rows of a full listing send along what only such rows show."""
    swept = context.capabilities[connection][entity].swept
    for remote_id in remote_ids:
        record = records.get(remote_id) if records else None
        values = (
            {name: record.data[name] for name in sorted(swept) if name in record.data}
            if record
            else {}
        )
        payload = (
            {"swept": {"at": record.read_at.isoformat(), "values": values}}
            if record and values
            else None
        )
        ref = Ref(connection, entity, remote_id)
        hints.give(tx, ref, now, lane="reconcile", payload=payload, run_id=run_id)


def fingerprint(record: Record, key: bytes) -> str:
    """Give what changes whenever the row or the rules by which it is read change."""
    text = orjson.dumps((record.data, record.unreadable or None), default=str)
    return blake2b(text, digest_size=16, key=key).hexdigest()


def fingerprint_key(tx: Tx, context: Context, entity: str) -> bytes:
    """Give a digest of everything that decides what a row means: mappings, syncs, capabilities, probes and people."""
    fixed = context.seen.get(f"rules:{entity}")
    if not isinstance(fixed, bytes):
        maps = {name: mapped[entity] for name, mapped in context.maps.items() if entity in mapped}
        abilities = {
            name: able[entity] for name, able in context.capabilities.items() if entity in able
        }
        told = [
            plain(maps),
            plain(abilities),
            plain(context.syncs),
            plain(list(context.connections)),
        ]
        fixed = blake2b(orjson.dumps(told, default=str), digest_size=16).digest()
        context.seen[f"rules:{entity}"] = fixed
    moving = orjson.dumps([plain(context.probes), str(directory.revision(tx))], default=str)
    return blake2b(moving, digest_size=32, key=fixed).digest()


def plain(value: Any) -> Any:
    """Give a value as plain data, the same in every process; functions count by their name alone."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {
            str(key): plain(item)
            for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))
        }
    if isinstance(value, set | frozenset):
        return sorted(str(item) for item in value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if callable(value):
        return getattr(value, "__qualname__", type(value).__name__)
    return value if isinstance(value, str | int | float) or value is None else str(value)
