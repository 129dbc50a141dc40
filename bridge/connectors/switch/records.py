"""From Switch's rows to records and back: what is ours is taken out, what was left out is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bridge.connectors.behind_doors import whole
from bridge.connectors.contract import Intent, Person, Record
from bridge.connectors.parsing import Row, is_row, parse_time, row_id
from bridge.connectors.switch.capabilities import (
    AGENT,
    CUSTOM_FIELDS,
    CUSTOMER,
    CUSTOMER_TAGS,
    MARKER_PREFIX,
    MESSAGE,
    SESSION,
    TICKET,
)
from bridge.core.model.markers import Markers
from bridge.core.model.values import NO_NUMBER, Ref
from bridge.errors import Refused
from bridge.http.caller import Answer

SECOND = timedelta(seconds=1)
"""The resolution of the vendor's times."""
CREATE_WINDOW = timedelta(minutes=5)
"""A record that was made this long before a create was sent may still be what it made."""
_ONLY_WHOLE: Mapping[str, str] = {TICKET: "description", CUSTOMER: CUSTOM_FIELDS}
"""What a direct read has and a listing's row has not."""
_TIME_OF_CHANGE: Mapping[str, str] = {MESSAGE: "created_at", SESSION: "created_at"}
"""What dates a record, where it is not `updated_at`: a conversation is never changed."""


def record(
    connection: str,
    entity: str,
    row: Row,
    answer: Answer,
    markers: Markers,
    *,
    listed: bool | None = None,
) -> Record:
    """Return a record of a row. `listed` None: the row itself shows whether it is a whole one."""
    whole_only = _ONLY_WHOLE.get(entity)
    if whole_only is None:
        listed = False
    elif listed is None:
        listed = whole_only not in row
    data, marker = row, None
    if entity == TICKET:
        data, marker = _without_marker(row, markers)
    fields = row.get(CUSTOM_FIELDS) if entity == CUSTOMER else None
    if isinstance(fields, Mapping) and fields != NO_NUMBER:
        # Nobody may have put any tags there yet.
        data = {**row, CUSTOM_FIELDS: {"tags": [], **fields}}
    return Record(
        ref=Ref(connection, entity, row_id(row)),
        data=data,
        read_at=answer.sent_at,
        changed_before=_changed_before(entity, row, answer),
        marker=marker,
        partial=listed,
        people=people(entity, row),
        clocks=answer.clocks,
    )


def body_row(answer: Answer) -> Row | None:
    """Return the row that an answer holds; None when it holds none."""
    row = answer.body.get("data") if isinstance(answer.body, Mapping) else None
    return row if is_row(row) else None


def people(entity: str, row: Row) -> tuple[Person, ...]:
    """Return the agents whose addresses a row shows."""
    agent = row if entity == AGENT else row.get("assignee") if entity == TICKET else None
    if not isinstance(agent, dict):
        return ()
    email, agent_id = agent.get("email"), row_id(agent)
    if not agent_id or not isinstance(email, str) or not email:
        return ()
    return (Person(agent_id, email, str(agent.get("name") or "")),)


def same_note(row: Row, values: Mapping[str, Any]) -> bool:
    """Return whether a conversation is what a create with these values makes."""
    # What is sent as `content` is read as `content_text` (the REST guide, 2026-11).
    shown, sent = row.get("content_text"), values.get("content")
    return (
        all(row.get(name, values[name]) == values[name] for name in ("type", "internal"))
        and isinstance(shown, str)
        and isinstance(sent, str)
        and _plain(shown) == _plain(sent)
    )


def conversation_body(entity: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is sent for a conversation.

    One of type `reply` that is not internal goes to the customer (the REST guide, 2026-11). Ours
    are for agents' eyes only, unless a message's mapping writes `internal`; a session's never does.
    """
    if entity == SESSION:
        return {**values, "type": "note", "internal": True}
    internal = values.get("internal") is not False
    return {"type": "note" if internal else "reply", **values, "internal": internal}


def custom_fields(ref: Ref, row: Row, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return all custom fields of a record, of a direct read, with these among them.

    Raises Refused where they cannot be sent back, or something else is in place of the tags.
    """
    fields, of = row.get(CUSTOM_FIELDS), f"{ref.entity} {ref.id}"
    made = whole(ref.connection, of, CUSTOM_FIELDS, fields, own)
    if ref.entity == CUSTOMER and "tags" in own:
        tags = fields.get("tags") if isinstance(fields, Mapping) else None
        is_list = isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)
        if tags is not None and not is_list:
            what = f"has something else in {CUSTOMER_TAGS}; rename that field"
            raise Refused(ref.connection, f"{of} {what}")
    return made


def _without_marker(row: Row, markers: Markers) -> tuple[Row, str | None]:
    """Return a ticket's row without those of its tags that are our markers, and the first one.

    People give tags that begin like them: those are theirs.
    """
    tags = row.get("tags")
    if not isinstance(tags, list):
        return row, None
    ours: dict[str, str] = {}
    for tag in tags:  # no comprehension: nearly every row of a listing has none, and pays for it
        if isinstance(tag, str) and tag.startswith(MARKER_PREFIX):
            marker = tag.removeprefix(MARKER_PREFIX)
            if markers.has(marker):
                ours[tag] = marker
    if not ours:
        return row, None
    own_tags = [tag for tag in tags if not (isinstance(tag, str) and tag in ours)]
    return {**row, "tags": own_tags}, next(iter(ours.values()))


def _changed_before(entity: str, row: Row, answer: Answer) -> datetime | None:
    changed_at = parse_time(row.get(_TIME_OF_CHANGE.get(entity, "updated_at")))
    if changed_at is None:
        return None
    resolution = timedelta(0) if changed_at.microsecond else SECOND
    return changed_at + answer.skew + resolution


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def window_start(intent: Intent) -> datetime | None:
    """Return the earliest time at which the record can have been made; None: no create was sent."""
    return intent.sent_at - CREATE_WINDOW if intent.sent_at else None


def made_since(
    since: datetime | None, row: Row, answer: Answer, *, resolution: timedelta = timedelta(0)
) -> bool:
    """Return whether a row was made at a time or later, or that is no question."""
    if since is None:
        return True
    made_at = parse_time(row.get("created_at"))
    return made_at is not None and made_at + answer.skew + resolution >= since


def as_created(record_found: Record, intent: Intent) -> Record:
    """Return a record that carries no marker as what the create made, once that was sent."""
    if intent.sent_at is None:
        return record_found
    return record_found._replace(marker=intent.draft.marker)
