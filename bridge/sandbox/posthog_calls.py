"""PostHog's Conversations tickets, call by call, as its API page has it.

The page names limit and offset of a listing, and five fields of a ticket, without their values. All
else here was read in the vendor's source, of which several versions are about: what is only in some
of them has an option. `ids` is in one version, and not in the newest. Filters that a version does
not know are dropped, and so are values that no filter has: the answer then is everything.
"""

from __future__ import annotations

from typing import Final

from bridge.sandbox.documented_calls import (
    CallTable,
    DocumentedCall,
    Shown,
    Source,
    Values,
    anything,
    commas,
    fields,
    flag,
    found,
    list_of,
    matching,
    nothing,
    one_of,
    text,
    uuid,
    whole,
)

STATUSES: Final = ("new", "open", "pending", "on_hold", "resolved")
PRIORITIES: Final = ("low", "medium", "high", "critical")
CHANNELS: Final = ("widget", "email", "slack", "teams", "github")
SORTS: Final = ("updated_at", "created_at", "ticket_number", "sla_due_at", "snoozed_until")

_ROOT = "/api/projects/<project_id>/conversations/tickets"
_ONE = f"{_ROOT}/<ticket_id>"

_TICKET = (
    "id", "ticket_number", "channel_source", "channel_detail", "distinct_id", "status", "priority",
    "assignee", "anonymous_traits", "identity_verified", "ai_resolved", "escalation_reason",
    "ai_triage", "created_at", "updated_at", "message_count", "last_message_at",
    "last_message_text", "unread_team_count", "unread_customer_count", "session_id",
    "session_context", "sla_due_at", "snoozed_until", "email_subject", "email_from", "email_to",
    "cc_participants", "zendesk_ticket_id", "github_repo", "github_issue_number",
    "organization_id", "organization_id_source", "person", "tags", "user_access_level",
)  # fmt: skip
_PRIORITY = found(one_of(*PRIORITIES[:3]) | nothing), found(one_of("critical"), "critical")
_ON_CREATE: dict[str, Values] = {
    "status": found(one_of(*STATUSES)),
    "priority": _PRIORITY,
    "anonymous_traits": anything,
    "ai_resolved": flag,
    "escalation_reason": text | nothing,
}
_ASSIGNEE = fields(type=one_of("user"), id=whole()) | fields(type=one_of("role"), id=text)

CALLS: Final = CallTable(
    (
        DocumentedCall(
            "GET",
            _ROOT,
            "list_tickets",
            query={
                "limit": whole(),
                "offset": whole(),
                "status": found(commas(one_of(*STATUSES))),
                "priority": found(commas(one_of(*PRIORITIES))),
                "channel_source": found(commas(one_of(*CHANNELS))),
                "channel_detail": found(text),
                "date_from": found(text),
                "date_to": found(text),
                "order_by": found(one_of(*SORTS, *(f"-{name}" for name in SORTS))),
                "assignee": found(matching("unassigned, user:… or role:…", r"[\w:,-]{1,1000}")),
                "tags": found(text),
                "tags_all": found(text, "newer_filters"),
                "tags_exclude": found(text, "newer_filters"),
                "ids": found(commas(uuid), "ids_supported"),
                "search": found(text),
                "distinct_ids": found(text),
                "emails": found(text),
                "sla": found(text),
                "snoozed": found(text),
                "view": found(text),
            },
            answers={200: Shown("results[]", _TICKET)},
        ),
        DocumentedCall(
            "POST",
            _ROOT,
            "create_ticket",
            body=_ON_CREATE,
            answers={201: Shown("", _TICKET)},
        ),
        DocumentedCall("GET", _ONE, "get_ticket", answers={200: Shown("", _TICKET)}),
        DocumentedCall(
            "PATCH",
            _ONE,
            "update_ticket",
            body=_ON_CREATE
            | {
                "assignee": found(_ASSIGNEE | nothing),
                "tags": found(list_of(text)),
                "sla_due_at": found(text | nothing),
                "snoozed_until": found(text | nothing),
            },
            answers={200: Shown("", _TICKET)},
        ),
        DocumentedCall(
            "DELETE",
            _ONE,
            "delete_ticket",
            answers={204: Shown()},
            option="personal_delete",
        ),
        DocumentedCall(
            "GET",
            f"{_ROOT}/unread_count",
            "unread_count",
            answers={200: Shown("", ("count",))},
        ),
        DocumentedCall(
            "POST",
            f"{_ROOT}/bulk_update_tags",
            "bulk_update_tags",
            body={
                "ids": list_of(uuid),
                "action": one_of("add", "remove", "set"),
                "tags": list_of(text),
            },
            required=("ids", "action", "tags"),
            source=Source.CODE,
            option="bulk_supported",
        ),
        DocumentedCall(
            "POST",
            f"{_ROOT}/compose",
            "compose",
            body={
                "recipient_email": text,
                "email_config_id": text,
                "message": text,
                "email_subject": text,
            },
            source=Source.CODE,
        ),
        DocumentedCall(
            "GET",
            f"{_ONE}/messages",
            "list_messages",
            query={"limit": whole(1, 200), "offset": whole()},
            source=Source.CODE,
            option="messages_listed",
        ),
    )
)
