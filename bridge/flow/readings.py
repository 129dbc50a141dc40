"""From a connector's record to what the merge can take in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bridge.connectors.contract import Record
from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.merge.case import Observation
from bridge.core.model.state import Side
from bridge.core.model.syncs import Sync
from bridge.core.model.values import Canonical, Unreadable

Key = tuple[int, str, datetime | None]
"""Number of a match rule, hash of its exact terms, time of its windowed term."""


def observation(
    record: Record,
    mapped: EntityMap,
    parent_id: str | None = None,
    *,
    own: bool = False,
    sent_at: datetime | None = None,
) -> Observation:
    """Extract a record's mapped fields; what the connector says must not be believed becomes unreadable.

    `parent_id` is our id of the ticket that the record belongs to, which is the same on every
    connection.
    """
    values = mapped.extract(record.data)
    if mapped.parent is not None:
        values[mapped.parent.name] = (
            parent_id if parent_id is not None else Unreadable("its ticket is not mirrored")
        )
    for name, field in mapped.fields.items():
        if field.write_key is not None and field.write_key in record.unreadable:
            values[name] = Unreadable(record.unreadable[field.write_key])
    return Observation(
        connection=record.ref.connection,
        values=values,
        read_at=sent_at or record.read_at,
        changed_before=record.changed_before,
        version=mapped.version(record.data),
        own=own,
    )


def with_swept(
    record: Record,
    payload: Mapping[str, Any] | None,
    side: Side,
    mapped: EntityMap,
    settle: timedelta,
) -> Record:
    """Add to a direct read what only a full listing shows, as far as the side was not seen or written since then."""
    told = (payload or {}).get("swept")
    if not told:
        return record
    at = datetime.fromisoformat(told["at"])
    fresh: dict[str, Any] = {}
    for name, field in mapped.fields.items():
        entry, attempt = side.fields.get(name), side.attempt
        recent = (
            entry is not None
            and not entry.unreadable
            and entry.seen is not None
            and entry.seen > at
        )
        pending = attempt is not None and name in attempt.sent and at < attempt.send_by + settle
        if (
            field.write_key is not None
            and field.write_key in told["values"]
            and not recent
            and not pending
        ):
            fresh[field.write_key] = told["values"][field.write_key]
    kept = {name: why for name, why in record.unreadable.items() if name not in fresh}
    return replace(record, data={**record.data, **fresh}, unreadable=kept)


CUSTOMER = "customer"
BY_CUSTOMER = -1
"""A match rule of our own: tickets are also found by who asked."""


def customer_key(email: str) -> tuple[int, str]:
    """Give the (rule, hash) under which a customer's tickets are found."""
    return BY_CUSTOMER, hashlib.sha256(
        json.dumps([CUSTOMER, email.casefold()]).encode()
    ).hexdigest()


def match_keys(sync: Sync, values: Mapping[str, Canonical | Unreadable]) -> list[Key]:
    """Give (rule, hash of its exact terms, time of its windowed term) for every match rule that the values can fill."""
    keys = []
    for number, rule in enumerate(sync.match):
        exact, at, complete = [], None, True
        for term in rule:
            value = values.get(term.field)
            if value is None or value == "" or isinstance(value, Unreadable):
                complete = False
            elif term.within is not None:
                at = datetime.fromisoformat(value) if isinstance(value, str) else value
            else:
                exact.append(value.casefold() if isinstance(value, str) else value)
        if complete and exact:
            digest = hashlib.sha256(
                json.dumps([number, exact], sort_keys=True, default=str).encode()
            ).hexdigest()
            keys.append((number, digest, at))
    return keys


def window(sync: Sync, rule: int) -> timedelta | None:
    """Give how far apart the times of a rule's windowed term may lie; None: it has none."""
    return next((term.within for term in sync.match[rule] if term.within is not None), None)


def alike(sync: Sync, ours: Iterable[Key], theirs: Iterable[Key]) -> bool:
    """Tell whether a match rule says of two records that they are the same thing."""
    known = {(rule, digest): at for rule, digest, at in ours}
    for rule, digest, at in theirs:
        if (rule, digest) not in known:
            continue
        mine, within = known[rule, digest], window(sync, rule)
        if within is None or (at is not None and mine is not None and abs(at - mine) <= within):
            return True
    return False
