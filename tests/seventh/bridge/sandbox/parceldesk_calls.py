"""Parcel Desk's API, call by call."""

from __future__ import annotations

from typing import Final

from bridge.sandbox.documented_calls import (
    CallTable,
    DocumentedCall,
    Shown,
    Values,
    nothing,
    one_of,
    text,
    whole,
)

STATUSES: Final = ("todo", "doing", "done")
_TICKET = (
    "id", "version", "title", "body", "status", "reason", "priority", "assignee", "requester",
    "reference",
)  # fmt: skip
_CHANGES: dict[str, Values] = {
    "title": text,
    "status": one_of(*STATUSES),
    "reason": text | nothing,
    "priority": whole(1, 3),
    "assignee": text | nothing,
}
_ONE = "/tickets/<number>"

CALLS: Final = CallTable(
    (
        DocumentedCall(
            "GET",
            "/tickets",
            "list_tickets",
            query={"page": whole(1), "per_page": whole(1), "requester": text},
            answers={200: Shown("tickets[]", _TICKET)},
        ),
        DocumentedCall(
            "POST",
            "/tickets",
            "create_ticket",
            body=_CHANGES | {"body": text | nothing, "requester": text, "reference": text},
            required=("requester",),
            answers={201: Shown("", _TICKET)},
        ),
        DocumentedCall("GET", _ONE, "get_ticket", answers={200: Shown("", _TICKET)}),
        DocumentedCall(
            "PATCH",
            _ONE,
            "patch_ticket",
            body=_CHANGES,
            answers={200: Shown("", _TICKET)},
        ),
        # It is there, and refuses.
        DocumentedCall("DELETE", _ONE, "delete_ticket"),
        DocumentedCall(
            "GET", f"{_ONE}/labels", "list_labels", answers={200: Shown("", ("labels",))}
        ),
        DocumentedCall(
            "POST",
            f"{_ONE}/labels",
            "add_label",
            body={"name": text},
            required=("name",),
            answers={201: Shown("", ("name",))},
        ),
        DocumentedCall("DELETE", f"{_ONE}/labels/<path:name>", "remove_label"),
    )
)
