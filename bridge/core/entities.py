"""The canonical entities: which fields a ticket has, and which values those take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

STATUSES = ("new", "open", "pending", "on_hold", "resolved", "closed")
PRIORITIES = ("low", "normal", "high", "urgent")


@dataclass(frozen=True, slots=True)
class Field:
    """One canonical field. A `set` is merged element by element, everything else as a whole."""

    name: str
    kind: Literal["text", "choice", "agent", "email", "datetime", "boolean", "set"]
    choices: tuple[str, ...] = ()
    meaning: str = ""
    personal: bool = False
    """Holds personal data: it can be redacted and is never written to logs."""


def _fields(*fields: Field) -> Mapping[str, Field]:
    return {field.name: field for field in fields}


TICKET = _fields(
    Field("subject", "text", meaning="one line that names the request", personal=True),
    Field("description", "text", meaning="the first message of the request", personal=True),
    Field("status", "choice", STATUSES, "where the request stands"),
    Field("priority", "choice", PRIORITIES, "how urgent it is; null is unset"),
    Field("assignee", "agent", meaning="the agent in charge, by e-mail address; null is nobody", personal=True),
    Field("tags", "set", meaning="labels, case-folded and trimmed, without a leading #"),
    Field("customer", "email", meaning="who asked, by e-mail address", personal=True),
    Field("created_at", "datetime", meaning="when the request was first made (read only)"),
    Field("ai_resolved", "boolean", meaning="an AI agent closed it"),
    Field("escalation_reason", "text", meaning="why an AI agent handed it to a human"),
)

ENTITIES: Mapping[str, Mapping[str, Field]] = {"ticket": TICKET}
