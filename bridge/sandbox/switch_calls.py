"""Switch's REST API, call by call, as the "REST API Reference" of its user guide has it.

The guide shows one status (`open`, `pending`) and one priority (`medium`, `high`) at a time; their
whole lists are in a later document on tickets, which says `normal` for `medium`. What a PATCH of
tags, subject, custom fields or nobody (`assignee_id` null) does is said nowhere.
"""

from __future__ import annotations

from typing import Final

from bridge.sandbox.documented_calls import (
    CallTable,
    DocumentedCall,
    Shown,
    Values,
    anything,
    flag,
    later,
    list_of,
    moment,
    nothing,
    one_of,
    perhaps,
    text,
    whole,
)

STATUSES: Final = ("new", "open", "pending", "in_progress", "resolved", "closed")
PRIORITIES: Final = ("low", "medium", "normal", "high", "urgent")

_STATUS = later(one_of(*STATUSES))
_PRIORITY = later(one_of(*PRIORITIES))
_PAGE: dict[str, Values] = {"limit": whole(1, 100), "cursor": moment}
_SORTED: dict[str, Values] = {"order_by": text, "order_dir": one_of("asc", "desc")}
_CUSTOMER: dict[str, Values] = {"email": text, "name": text, "phone": text, "company": text}

_TICKET_ROW = (
    "id", "subject", "status", "priority", "customer", "assignee", "tags", "created_at",
    "updated_at",
)  # fmt: skip
_TICKET = (*_TICKET_ROW, "description", "custom_fields")
_MESSAGE = ("id", "ticket_id", "type", "internal", "content_text", "created_at")
_CUSTOMER_SHOWN = (
    "id", "email", "name", "phone", "company", "custom_fields", "ticket_count", "created_at",
)  # fmt: skip


def _catalogue(
    noun: str, body: dict[str, Values], query: dict[str, Values] | None = None
) -> tuple[DocumentedCall, ...]:
    """Return the five calls of a collection of which the guide shows no answer."""
    one = f"/{noun}/<record_id>"
    return (
        DocumentedCall("GET", f"/{noun}", "collection", query=_PAGE | (query or {})),
        DocumentedCall("POST", f"/{noun}", "collection", body=body),
        DocumentedCall("GET", one, "single"),
        DocumentedCall("PATCH", one, "single", body=body),
        DocumentedCall("DELETE", one, "single"),
    )


CALLS: Final = CallTable(
    (
        # Tickets
        DocumentedCall(
            "GET",
            "/tickets",
            "list_tickets",
            query={
                "status": _STATUS,
                "priority": _PRIORITY,
                "assignee_id": text,
                "customer_id": text,
                "unassigned": flag,
                "tags": text,
                "search": text,
                **_SORTED,
                **_PAGE,
            },
            answers={200: Shown("data[]", _TICKET_ROW)},
        ),
        DocumentedCall(
            "GET",
            "/tickets/<ticket_id>",
            "get_ticket",
            answers={200: Shown("data", _TICKET)},
        ),
        DocumentedCall(
            "POST",
            "/tickets",
            "create_ticket",
            body={
                "subject": text,
                "description": text,
                "customer_email": text,
                "priority": _PRIORITY,
                "tags": list_of(text),
            },
            answers={
                200: Shown("data", _TICKET),
                201: Shown("data", _TICKET),
            },
            option="create",
        ),
        DocumentedCall(
            "PATCH",
            "/tickets/<ticket_id>",
            "update_ticket",
            body={
                "status": _STATUS,
                "priority": _PRIORITY,
                "assignee_id": (text, perhaps(nothing, "null_assignee")),
                "tags": perhaps(list_of(text), "patch_tags"),
                "subject": perhaps(text, "patch_subject"),
                "custom_fields": perhaps(anything, "patch_custom_fields"),
            },
            answers={200: Shown("data", _TICKET)},
        ),
        # The answer to a delete is not shown.
        DocumentedCall("DELETE", "/tickets/<ticket_id>", "delete_ticket"),
        # Conversations: no order can be asked for, and none is promised.
        DocumentedCall(
            "GET",
            "/conversations",
            "collection",
            query={
                "ticket_id": text,
                "type": one_of("reply", "note", "system"),
                "internal": flag,
                **_PAGE,
            },
            answers={200: Shown("data[]", _MESSAGE)},
        ),
        DocumentedCall(
            "POST",
            "/conversations",
            "collection",
            body={
                "ticket_id": text,
                "content": text,
                "type": one_of("reply", "note", "system"),
                "internal": flag,
            },
            answers={
                200: Shown("data", _MESSAGE),
                201: Shown("data", _MESSAGE),
            },
        ),
        DocumentedCall("GET", "/conversations/<record_id>", "single"),
        # Customers
        DocumentedCall(
            "GET",
            "/customers",
            "collection",
            query={"email": text, "search": text, "phone": text, **_SORTED, **_PAGE},
        ),
        DocumentedCall(
            "GET",
            "/customers/<record_id>",
            "single",
            answers={200: Shown("data", _CUSTOMER_SHOWN)},
        ),
        DocumentedCall("POST", "/customers", "collection", body=_CUSTOMER),
        DocumentedCall(
            "PATCH",
            "/customers/<record_id>",
            "single",
            body=_CUSTOMER | {"custom_fields": perhaps(anything, "patch_custom_fields")},
        ),
        DocumentedCall("DELETE", "/customers/<record_id>", "single"),
        # Users (agents) are read only. Of their list and that of tags the guide names no parameter;
        # its part on pagination names two for all lists.
        DocumentedCall("GET", "/users", "collection", query=_PAGE),
        DocumentedCall("GET", "/users/<record_id>", "single"),
        *_catalogue("tags", {"name": text, "color": text}),
        *_catalogue(
            "articles",
            {
                "title": text,
                "body": text,
                "collection_id": text,
                "status": one_of("draft", "published"),
            },
            {
                "collection_id": text,
                "status": one_of("draft", "published"),
                "search": text,
            },
        ),
    )
)
