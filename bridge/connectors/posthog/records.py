"""From PostHog's rows to records and back: markers, traits, and what an assignee is called here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.connectors.contract import Draft, Person, Record
from bridge.connectors.parsing import Row, is_uuid, parse_time, row_id, value_at
from bridge.connectors.posthog.capabilities import MARKER_TRAIT, TICKET, TRAITS
from bridge.connectors.posthog.listing import ticket_number
from bridge.connectors.posthog.tag_belief import WHY_UNREADABLE, may_lack_tags
from bridge.core.model.markers import Markers
from bridge.core.model.values import NO_NUMBER, Raw, Ref
from bridge.errors import Refused
from bridge.http.caller import Answer


def record(
    connection: str, row: Row, answer: Answer, markers: Markers, *, tags_believed: bool
) -> Record:
    """Return a record of a row. `tags_believed`: an empty set of tags means that there are none."""
    data, traits = dict(row), row.get(TRAITS)
    shown = traits.get(MARKER_TRAIT) if isinstance(traits, Mapping) else None
    # Whoever has the project's public key can set a trait of that name.
    marker = shown if isinstance(shown, str) and markers.has(shown) else None
    if isinstance(traits, Mapping) and marker is not None:
        data[TRAITS] = {name: value for name, value in traits.items() if name != MARKER_TRAIT}
    assignee, people = row.get("assignee"), tuple[Person, ...]()
    if isinstance(assignee, Mapping):
        # An object here, two properties in events, a number for users and a UUID for roles (their
        # events.py, 2026-11). One text serves for all.
        data["assignee"] = _name_here(assignee)
        people = _people(data["assignee"], assignee)
    changed_at = parse_time(row.get("updated_at"))
    return Record(
        ref=Ref(connection, TICKET, row_id(row)),
        data=data,
        read_at=answer.sent_at,
        changed_before=changed_at + answer.skew if changed_at else None,
        marker=marker,
        unreadable={"tags": WHY_UNREADABLE} if may_lack_tags(row) and not tags_believed else {},
        people=people,
        handle=ticket_number(row),
        clocks=answer.clocks,
    )


def customer_email(record: Record) -> Any:
    """Return the customer's address: of the traits, of the mail, of the person PostHog knows."""
    paths = (f"{TRAITS}.email", "email_from", "person.properties.email")
    return next((shown for path in paths if (shown := value_at(record.data, path))), None)


def create_body(draft: Draft) -> dict[str, Any]:
    """Return what a create sends: the draft's values, and among the traits the marker."""
    traits: dict[str, Any] = {MARKER_TRAIT: draft.marker}
    body: dict[str, Any] = {TRAITS: traits}
    for key, value in draft.values.items():
        if key.startswith(TRAITS):
            traits[key.partition(".")[2]] = value
        else:
            body[key] = value
    return body


def sent_assignee(connection: str, value: Raw) -> dict[str, Any] | None:
    """Return an assignee as it is sent. Raises Refused for what is none."""
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


def _name_here(assignee: Row) -> Raw:
    """Return what an assignee is called here; `NO_NUMBER` where the answer does not tell."""
    kind, number = assignee.get("type"), assignee.get("id")
    return NO_NUMBER if NO_NUMBER in (assignee, kind, number) else f"{kind}:{number}"


def _people(name_here: Raw, assignee: Row) -> tuple[Person, ...]:
    """Return the person who is assigned, where the address is shown; a role is nobody."""
    user = assignee.get("user")
    if assignee.get("type") != "user" or not isinstance(user, Mapping) or name_here == NO_NUMBER:
        return ()
    email = user.get("email")
    if not isinstance(email, str) or not email:
        return ()
    names = (user.get("first_name"), user.get("last_name"))
    shown_name = " ".join(name for name in names if isinstance(name, str) and name)
    return (Person(name_here, email, shown_name),)
