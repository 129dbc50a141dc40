"""Why a field of a ticket has its value, and why each side does or does not show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard

from bridge.config import Config
from bridge.core.merge.case import DEFAULT_POLICY
from bridge.core.merge.equality import decision_holds
from bridge.core.model.state import FieldState, Link, SideField
from bridge.core.model.syncs import FieldPolicy
from bridge.core.model.values import Canonical, Marker, Raw
from bridge.errors import UnknownName
from bridge.ledger import attempts, parking, timeline
from bridge.ledger.database import Tx
from bridge.operations import find
from bridge.operations.desk import Desk

DECIDING = frozenset(
    {"changed", "conflict", "uncertain", "resolved", "reverted", "remapped", "settled", "agreed"}
)
"""Kinds of timeline entries that say how a field came by its value."""
HISTORY_LENGTH = 5
"""So many of them are given, the newest."""


@dataclass(frozen=True, slots=True)
class AgreedState:
    """The agreed value. These fields and those below are the keys of `bridge why --json`."""

    value: Canonical
    rev: int
    set_by: str
    in_conflict: str
    """Why the field waits for a human; empty: it does not."""
    candidates: Mapping[str, Raw]
    """What each side says in the conflict."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to the field."""

    at: datetime
    kind: str
    connection: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LastWrite:
    """The newest write of the field to a side."""

    at: datetime
    outcome: str | None
    """None: not known yet."""


@dataclass(frozen=True, slots=True)
class SideReason:
    """What one side shows of the field, and why."""

    id: str
    shows: Raw | None
    level: int | None
    """The revision that the side was last known to show; None: the field was never read there."""
    seen: datetime | None
    because: str
    last_write: LastWrite | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known about one field of a ticket."""

    link: str
    field: str
    state: AgreedState
    policy: str
    history: list[Moment]
    sides: Mapping[str, SideReason]


def explain(desk: Desk, ref: str, field: str) -> Explanation:
    """Explain a field of the ticket that REF names. Raises UnknownName for either."""
    with desk.ledger.read() as tx:
        link = find.ticket(tx, desk.context, ref)
        if field not in link.state:
            raise UnknownName(f"{link.id} has no {field}; allowed: {', '.join(link.state)}")
        return Explanation(
            link=link.id,
            field=field,
            state=_agreed(link.state[field]),
            policy=_policy(desk.config, link, field),
            history=_history(tx, link, field),
            sides={
                name: _side(tx, desk.config, link, name, field)
                for name in (*link.sides, *link.retired)
            },
        )


def _agreed(state: FieldState) -> AgreedState:
    return AgreedState(
        value=state.value,
        rev=state.rev,
        set_by=state.set_by,
        in_conflict=state.why_open if state.candidates is not None else "",
        candidates=state.candidates or {},
    )


def _policy(config: Config, link: Link, field: str) -> str:
    """Return the field's policy in words; nothing when the sync is not configured any more."""
    if link.sync not in config.syncs:
        return ""
    policy: FieldPolicy = config.syncs[link.sync].policies.get(field, DEFAULT_POLICY)
    words = f"owner {policy.owner}" if policy.policy == "owner" else policy.policy
    if policy.to is None:
        return words
    return f"{words}, sent to {', '.join(policy.to) or 'nobody'}"


def _history(tx: Tx, link: Link, field: str) -> list[Moment]:
    moments = [
        Moment(line.at, line.kind, line.connection, line.detail)
        for line in timeline.timeline(tx, link.id)
        if line.field == field and line.kind in DECIDING
    ]
    return moments[-HISTORY_LENGTH:]


def _side(tx: Tx, config: Config, link: Link, name: str, field: str) -> SideReason:
    side = link.sides.get(name) or link.retired[name]
    entry = side.fields.get(field)
    refused = {row["field"] for _id, row in parking.of_fields(tx, link.id, name)}
    return SideReason(
        id=side.remote_id,
        shows=entry.shadow if _was_read(entry) else None,
        level=entry.level if entry else None,
        seen=entry.seen_at if entry else None,
        because=_because(config, link, name, field, refused=field in refused),
        last_write=_last_write(tx, link, name, field),
    )


def _because(config: Config, link: Link, name: str, field: str, *, refused: bool) -> str:
    # Several reasons may hold. The first is given: while it does, mending the others is no help.
    if name in link.retired:
        return f"the record is retired: {name} is no member of {link.sync} (any more)"
    if cut_off := _cut_off(config, link, name, field):
        return cut_off
    entry = link.sides[name].fields.get(field)
    if not _was_read(entry):
        return "it was never read there"
    return _held_back(link, entry, field, refused=refused) or _level(link, entry, field)


def _was_read(entry: SideField | None) -> TypeGuard[SideField]:
    return entry is not None and not isinstance(entry.shadow, Marker)


def _cut_off(config: Config, link: Link, name: str, field: str) -> str:
    """Say why the field never travels to or from this side; nothing when it does."""
    side, entity_map = link.sides[name], config.maps.get(name, {}).get(link.entity)
    if side.tombstone:
        return "the record was deleted there"
    if side.detached:
        return f"the record is detached; `bridge link relink {name}:{side.remote_id}` puts it back"
    if not side.in_scope:
        return "the record is out of the sync's scope"
    if entity_map is not None and field not in entity_map.fields:
        return f"the mapping of {name} has no such field"
    return ""


def _held_back(link: Link, entry: SideField, field: str, *, refused: bool) -> str:
    """Say what keeps the agreed value from a side although the field travels, if anything does."""
    if entry.unreadable:
        return f"what it shows is not believed: {entry.unreadable}"
    if entry.decided_why and decision_holds(entry, link.state):
        return f"not carried: {entry.decided_why}"
    if refused:
        return "the vendor refused the value; see `bridge parked list`"
    if link.state[field].candidates is not None:
        return "in conflict"
    return ""


def _level(link: Link, entry: SideField, field: str) -> str:
    """Say whether a side shows the agreed value, or how far it is behind."""
    behind = link.state[field].rev - max(entry.level, 0)  # a side that never was level is at -1
    if entry.level >= link.state[field].rev:
        return "level with the bridge"
    revisions = f"{behind} revision{'' if behind == 1 else 's'}"
    if link.paused:
        way_on = f"the ticket is paused: `bridge link resume {link.id}` lets it be written"
    else:
        way_on = "a write is owed"
    return f"behind by {revisions}; {way_on}"


def _last_write(tx: Tx, link: Link, name: str, field: str) -> LastWrite | None:
    writes = [
        row
        for row in attempts.history(tx, link.id)
        if row["connection"] == name and _sends(row["detail"], field)
    ]
    return LastWrite(writes[-1]["opened_at"], writes[-1]["outcome"]) if writes else None


def _sends(detail: Any, field: str) -> bool:
    """Return whether a write carried the field. What `bridge forget` erased carries nothing."""
    return isinstance(detail, dict) and field in detail.get("sent", ())
