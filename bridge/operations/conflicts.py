"""Fields that were edited on several sides and wait for a human: listed, and decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bridge.core.mapping.given_values import value_of_words
from bridge.core.merge import lifecycle
from bridge.core.merge.equality import reads_as
from bridge.core.model.entities import Field
from bridge.core.model.state import FieldState, Link, Note
from bridge.core.model.values import Canonical, Raw, Unreadable
from bridge.engine.context import Context
from bridge.errors import NotPossible
from bridge.flow.replan import replan
from bridge.ledger import conflict_log, taking
from bridge.ledger.database import Tx
from bridge.operations import find
from bridge.operations.desk import Desk
from bridge.operations.link import records as records_of
from bridge.operations.link_change import change_link, when_free
from bridge.operations.masking import mask_of


@dataclass(frozen=True, slots=True)
class OpenConflict:
    """A field that waits for a human. Its fields are the keys of `bridge conflicts list --json`."""

    id: int
    """Its number: conflicts are listed in this order."""
    ref: str
    """The ticket's first record that is there, `helpdesk:123`, by which to name it."""
    link: str
    field: str
    opened_at: datetime
    why: str
    candidates: Mapping[str, Raw]
    """What each side shows, in its own words."""
    subject: str
    """What the ticket is about; empty where nobody says."""
    gone: Mapping[str, str]
    """Sides among them that show it no more: `deleted`, `detached` or `retired`."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A conflict that was decided: the ticket, its field, and the value that it has now."""

    link: str
    field: str
    value: Canonical


def list_open(desk: Desk, *, limit: int = 200, after: int = 0) -> list[OpenConflict]:
    """Return the open conflicts, the oldest first; those `after` a number, for the next page."""
    with desk.ledger.read() as tx:
        rows = conflict_log.list_open(tx, limit, after=after)
        loaded = desk.context.load(tx, sorted({row["link_id"] for row in rows}))
    found = [(loaded[row["link_id"]], row) for row in rows]
    return [_shown(desk, link, _open_conflict(link, row)) for link, row in found]


def _shown(desk: Desk, link: Link, conflict: OpenConflict) -> OpenConflict:
    if not desk.masks:
        return conflict
    mask = mask_of(desk, link)
    candidates = {
        name: mask.value(conflict.field, each) for name, each in conflict.candidates.items()
    }
    return replace(
        conflict,
        why=mask.text(conflict.why),
        candidates=candidates,
        subject=mask.value("subject", conflict.subject),
    )


def _open_conflict(link: Link, row: Mapping[str, Any]) -> OpenConflict:
    records = [f"{name}:{side.remote_id}" for name, side in link.live().items()]
    candidates = dict(sorted((row["detail"].get("candidates") or {}).items()))
    subject = link.state.get("subject")
    return OpenConflict(
        id=row["id"],
        ref=records[0] if records else link.id,
        link=link.id,
        field=row["field"],
        opened_at=row["opened_at"],
        why=row["why"],
        candidates=candidates,
        subject=str(subject.value or "") if subject is not None else "",
        gone={
            record.connection: record.condition
            for record in records_of(link)
            if record.condition and record.connection in candidates
        },
    )


def resolve(
    desk: Desk, ref: str, field: str, *, value: str | None = None, take: str | None = None
) -> Decision:
    """Decide an open conflict and queue the writes that follow.

    The decision is a `value` as an operator writes it (see `parse_value`), or what the connection
    `take` shows. Raises UnknownName for REF, NotPossible when the field is not in conflict or the
    decision does not fit it, Busy while a worker has the ticket.
    """

    def act(tx: Tx) -> Decision:
        link = find.ticket(tx, desk.context, ref)
        in_conflict(link, field)  # first, for its message helps more than one about the value
        if take is not None:
            wanted = value_of(desk.context, link, field, take)
        else:
            wanted = parse_value(link.entity, desk.context.fields[link.entity], field, str(value))
        decided = decide(tx, desk, link.id, field, wanted)
        desk.write_down(tx, "conflict resolved", f"{link.id} {field}", {"take": take or ""})
        return Decision(link.id, field, decided)

    decision = when_free(desk, act)
    desk.announce()
    return decision


def decide(tx: Tx, desk: Desk, link_id: str, field: str, value: Canonical) -> Canonical:
    """Decide a conflict under the ticket's lease, plan what follows, and return the new value."""

    def change(link: Link, now: datetime) -> list[Note]:
        in_conflict(link, field)
        # Before the link is recorded: `record` closes as "agreed" what is in conflict no more.
        conflict_log.close(tx, link_id, field, f"{desk.actor} decided", now)
        notes = lifecycle.resolve(link, field, value, now)
        for note in notes:
            note.detail["by"] = desk.actor
        rows = taking.of_links(tx, [link_id]).get(link_id, ())
        wanted = replan(desk.context, link, rows, now, lane="operator")
        wanted.store(tx, desk.context, link)
        return notes + wanted.notes

    link = change_link(tx, desk, link_id, change)
    return link.state[field].value


def in_conflict(link: Link, field: str) -> FieldState:
    """Return the state of a field in conflict. Raises NotPossible, naming the fields that are."""
    state = link.state.get(field)
    if state is None or state.candidates is None:
        waiting = sorted(name for name, state in link.state.items() if state.candidates is not None)
        allowed = f"allowed: {', '.join(waiting)}" if waiting else "none of its fields is"
        raise NotPossible(f"{field} of {link.id} is not in conflict; {allowed}")
    return state


def value_of(context: Context, link: Link, field: str, connection: str) -> Canonical:
    """Return what a connection says in a conflict, in canonical form. Raises NotPossible."""
    candidates = in_conflict(link, field).candidates or {}
    if connection not in candidates:
        raise NotPossible(
            f"{connection or repr(connection)} has no say in this conflict; "
            f"allowed: {', '.join(sorted(candidates))}"
        )
    if connection not in link.sides:
        raise NotPossible(
            f"{connection} is not mirrored by {link.sync} (any more); give the value itself"
        )
    field_map, side = context.maps[connection][link.entity].fields[field], link.sides[connection]
    value = reads_as(field_map, side.fields[field], candidates[connection])
    if isinstance(value, Unreadable):
        raise NotPossible(
            f"what {connection} shows cannot be read ({value.why}); give the value itself"
        )
    return value


def parse_value(entity: str, fields: Mapping[str, Field], field: str, text: str) -> Canonical:
    """Return the value that was written: `null` for none, a set with commas.

    `fields`: those that the entity has. Raises NotPossible.
    """
    if field not in fields:
        raise NotPossible(f"a {entity} has no {field}; allowed: {', '.join(fields)}")
    value = value_of_words(fields[field], text)
    if isinstance(value, Unreadable):
        raise NotPossible(value.why)
    return value
