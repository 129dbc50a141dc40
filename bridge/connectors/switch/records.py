"""From Switch's rows to records: what is ours is taken out, what a listing leaves out is said to be missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bridge.connectors.contract import Person, Record
from bridge.connectors.parsing import parse_time, row_id, value_at
from bridge.connectors.switch.capabilities import CUSTOMER, MESSAGE, SESSION, TICKET
from bridge.core.model.values import Ref
from bridge.http.client import Answer

SECOND = timedelta(seconds=1)
MARKED = "bridge-"
MARKER = re.compile(MARKED + r"([a-z0-9-]{1,40})")
_WHOLE: Mapping[str, str] = {TICKET: "description", CUSTOMER: "custom_fields"}
"""What a direct read has and a listing's row has not."""
_DATED: Mapping[str, str] = {MESSAGE: "created_at", SESSION: "created_at"}
"""What dates a record, where it is not `updated_at`: a conversation is never changed."""

Row = Mapping[str, Any]


def record(
    connection: str, entity: str, row: Row, answer: Answer, *, listed: bool | None = None
) -> Record:
    """Make a record of a row. `listed` None: look at the row itself for whether it is a whole one."""
    data, marker = row, None
    if entity == TICKET and isinstance(tags := row.get("tags"), list) and (ours := _markers(tags)):
        marker = next(iter(ours.values()))
        data = {**row, "tags": [tag for tag in tags if not (isinstance(tag, str) and tag in ours)]}
    if entity == CUSTOMER and isinstance(row.get("custom_fields"), Mapping):
        data = {
            **row,
            "custom_fields": {"tags": [], **row["custom_fields"]},
        }  # nobody has put any there yet
    at = parse_time(row.get(_DATED.get(entity, "updated_at")))
    if at is not None:
        at += answer.skew + (timedelta(0) if at.microsecond else SECOND)
    if listed is None or entity not in _WHOLE:
        listed = entity in _WHOLE and _WHOLE[entity] not in row
    return Record(
        ref=Ref(connection, entity, row_id(row)),
        data=data,
        read_at=answer.sent_at,
        changed_before=at,
        marker=marker,
        partial=listed,
        people=people(entity, row),
    )


def _markers(tags: list[Any]) -> dict[str, str]:
    """Give the tags that are markers of ours -> the marker."""
    found = [tag for tag in tags if isinstance(tag, str) and tag.startswith(MARKED)]
    return {tag: match[1] for tag in found if (match := MARKER.fullmatch(tag))}


def people(entity: str, row: Row) -> tuple[Person, ...]:
    """Give the agents whose addresses a row shows."""
    agent = row if entity == "agent" else row.get("assignee") if entity == TICKET else None
    if not isinstance(agent, Mapping):
        return ()
    email, who = agent.get("email"), row_id(agent)
    return (
        (Person(who, email, str(agent.get("name") or "")),)
        if who and isinstance(email, str) and email
        else ()
    )


def same_note(row: Row, values: Mapping[str, Any]) -> bool:
    """Say whether a conversation is what a draft would have made of it."""
    shown = all(row.get(name, values[name]) == values[name] for name in ("type", "internal"))
    said, wanted = row.get("content_text"), values.get("content")
    return (
        shown
        and isinstance(said, str)
        and isinstance(wanted, str)
        and _plain(said) == _plain(wanted)
    )


def made_as(entity: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is sent for a conversation: for agents' eyes only, unless a message's mapping says otherwise."""
    usual = {"type": "note", "internal": True}
    return {**values, **usual} if entity == SESSION else {**usual, **values}


def tags_of(body: Any) -> Any:
    """Give a customer's tags as a whole answer shows them; None where there is something else in their place."""
    found = value_at(body, "custom_fields.tags")
    if found is None:
        return []
    return found if isinstance(found, list) and all(isinstance(tag, str) for tag in found) else None


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
