"""From PostHog's rows to records and back: markers, traits, and what an assignee is called here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bridge.connectors.contract import Person, Record
from bridge.connectors.parsing import parse_time, row_id
from bridge.connectors.posthog.tags import WHY, silent
from bridge.core.model.values import Raw, Ref
from bridge.errors import Refused
from bridge.http.client import Answer

MARKER = "bridge_marker"
TRAITS = "anonymous_traits"
UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Row = Mapping[str, Any]


def is_uuid(value: str) -> bool:
    """Say whether a text can be the id of a ticket or a role."""
    return UUID.fullmatch(value) is not None


def record(connection: str, row: Row, answer: Answer, *, proved: bool) -> Record:
    """Make a record of a row. `proved`: an empty set of tags means empty."""
    data, traits = dict(row), row.get(TRAITS)
    marker = traits.get(MARKER) if isinstance(traits, Mapping) else None
    if isinstance(traits, Mapping):
        data[TRAITS] = {name: value for name, value in traits.items() if name != MARKER}
    assignee, people = row.get("assignee"), tuple[Person, ...]()
    if isinstance(assignee, Mapping):
        data["assignee"] = f"{assignee.get('type')}:{assignee.get('id')}"
        people = _people(data["assignee"], assignee)
    at = parse_time(row.get("updated_at"))
    return Record(
        ref=Ref(connection, "ticket", row_id(row)),
        data=data,
        read_at=answer.sent_at,
        changed_before=at + answer.skew if at else None,
        marker=marker if isinstance(marker, str) else None,
        unreadable={"tags": WHY} if silent(row) and not proved else {},
        people=people,
    )


def sent_assignee(connection: str, value: Raw) -> dict[str, Any] | None:
    """Give an assignee as it is sent. Raises Refused for what is none."""
    if value is None:
        return None
    kind, _, number = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind == "user" and number.isascii() and number.isdigit():
        return {"type": "user", "id": int(number)}
    if kind == "role" and is_uuid(number):
        return {"type": "role", "id": number}
    raise Refused(
        connection, "an assignee is user:<number>, role:<uuid> or nobody; correct agents.yaml"
    )


def _people(who: str, assignee: Row) -> tuple[Person, ...]:
    """Give the person who is assigned, where the address is shown; a role is nobody."""
    user = assignee.get("user")
    email = (
        user.get("email") if assignee.get("type") == "user" and isinstance(user, Mapping) else None
    )
    if not isinstance(user, Mapping) or not isinstance(email, str) or not email:
        return ()
    names = (user.get("first_name"), user.get("last_name"))
    return (Person(who, email, " ".join(each for each in names if isinstance(each, str) and each)),)
