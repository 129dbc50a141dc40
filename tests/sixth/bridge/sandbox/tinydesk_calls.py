"""Tinydesk's API, call by call."""

from __future__ import annotations

from typing import Final

from bridge.sandbox.documented_calls import (
    CallTable,
    DocumentedCall,
    Shown,
    list_of,
    nothing,
    one_of,
    text,
    whole,
)

STATES: Final = ("todo", "doing", "done")
_ITEM = ("id", "changed", "title", "text", "state", "labels", "owner", "asker", "ref")
_BODY = {
    "title": text,
    "text": text,
    "state": one_of(*STATES),
    "labels": list_of(text),
    "owner": text | nothing,
}

CALLS: Final = CallTable(
    (
        DocumentedCall(
            "GET",
            "/items",
            "list_items",
            query={"after": whole(), "ref": text, "asker": text},
            answers={200: Shown("items[]", _ITEM)},
        ),
        DocumentedCall(
            "POST",
            "/items",
            "create_item",
            body=_BODY | {"asker": text | nothing, "ref": text},
            answers={201: Shown("", _ITEM)},
        ),
        DocumentedCall("GET", "/items/<number>", "get_item", answers={200: Shown("", _ITEM)}),
        DocumentedCall(
            "PUT",
            "/items/<number>",
            "change_item",
            body=_BODY,
            answers={200: Shown("", _ITEM)},
        ),
    )
)
