"""The canonical entities: ticket, customer, message and session, with their fields and values.

What fields there are is a value, a `FieldTable`: the built-in ones, and those that the files of a
home declare. Whoever needs to know is handed it; nothing here ever changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

STATUSES = ("new", "open", "pending", "on_hold", "resolved", "closed")
STATUS, MADE = "status", "created_at"
"""Fields that tell of a request whether it is over, and since when there has been one."""
ENDED = frozenset({"resolved", "closed"})
"""Statuses of a request that is over: nobody waits for anything any more."""
PRIORITIES = ("low", "normal", "high", "urgent")
AUTHORS = ("customer", "agent", "system")


Kind = Literal[
    "text",
    "number",
    "boolean",
    "choice",
    "set",
    "date",
    "datetime",
    "email",
    "agent",
    "url",
    "json",
    "parent",
]


@dataclass(frozen=True, slots=True)
class Field:
    """One canonical field. A `set` is merged element by element, everything else as a whole.

    The canonical value of a `parent` is our own id of the ticket that the record belongs to, that
    of `json` its text in one form.
    """

    name: str
    kind: Kind
    choices: tuple[str, ...] = ()
    meaning: str = ""
    """What it says, in words; of a field of one's own its label."""
    personal: bool = False
    """Holds personal data: it can be redacted and is never written to logs."""
    declared: tuple[str, ...] = ()
    """Of a field of one's own, all in its declaration that decides what a raw value reads as."""


FieldTable = Mapping[str, Mapping[str, Field]]
"""Entity -> name -> field."""


def _fields(*fields: Field) -> Mapping[str, Field]:
    return {field.name: field for field in fields}


TICKET = _fields(
    Field("subject", "text", meaning="one line that names the request", personal=True),
    Field("description", "text", meaning="the first message of the request", personal=True),
    Field("status", "choice", STATUSES, "where the request stands"),
    Field("priority", "choice", PRIORITIES, "how urgent it is; null is unset"),
    Field(
        "assignee",
        "agent",
        meaning="the agent in charge, by e-mail address; null is nobody",
        personal=True,
    ),
    Field("tags", "set", meaning="labels, case-folded and trimmed, without a leading #"),
    Field("customer", "email", meaning="who asked, by e-mail address", personal=True),
    Field("created_at", "datetime", meaning="when the request was first made (read only)"),
    Field("ai_resolved", "boolean", meaning="an AI agent closed it"),
    Field("escalation_reason", "text", meaning="why an AI agent handed it to a human"),
)

CUSTOMER = _fields(
    Field("email", "email", meaning="the address that says who it is", personal=True),
    Field("name", "text", meaning="how the person is called", personal=True),
    Field("phone", "text", meaning="telephone number", personal=True),
    Field("company", "text", meaning="whom the person works for", personal=True),
    Field(
        "external_id",
        "text",
        meaning="what the customer's own product calls the person",
        personal=True,
    ),
    Field("tags", "set", meaning="labels, case-folded and trimmed, without a leading #"),
    Field("last_seen_at", "datetime", meaning="when the person was last there (read only)"),
)

MESSAGE = _fields(
    Field("ticket", "parent", meaning="the ticket that it belongs to"),
    Field("body", "text", meaning="what was said", personal=True),
    Field("internal", "boolean", meaning="for agents' eyes only"),
    Field("author", "choice", AUTHORS, "who said it"),
    Field("created_at", "datetime", meaning="when it was said (read only)"),
)

SESSION = _fields(
    Field("ticket", "parent", meaning="the ticket of the customer whose screen was shared"),
    Field("body", "text", meaning="what happened, in a few lines", personal=True),
    Field("customer", "email", meaning="whose screen was shared", personal=True),
    Field("created_at", "datetime", meaning="when it ended (read only)"),
)

BUILT_IN: FieldTable = {
    "ticket": TICKET,
    "customer": CUSTOMER,
    "message": MESSAGE,
    "session": SESSION,
}
"""The fields that there are in every home."""
ENTITIES = tuple(BUILT_IN)
"""What a sync can mirror. Agents and tags are catalogues: listed by connectors, never mirrored."""


def with_own(own: FieldTable) -> FieldTable:
    """Return the built-in fields and those of one's own, which stand behind them."""
    return {entity: {**fields, **own.get(entity, {})} for entity, fields in BUILT_IN.items()}
