"""ScopeAI's API, call by call, as its "API Reference" has it.

What a create answers is shown nowhere. `page` stands only in the example of a Link header. The look
up by `external_id` is of a later revision of the same page, in which that id is text.
"""

from __future__ import annotations

from typing import Final

from bridge.sandbox.documented_calls import (
    CallTable,
    DocumentedCall,
    Shown,
    Source,
    Values,
    flag,
    later,
    text,
    whole,
)

_TICKET = (
    "id", "external_id", "source", "original_text", "cleanest_body", "tag_relationships",
)  # fmt: skip
_TAG = ("id", "name", "score", "tickets_count", "relevant", "similar_tags")
_PAGED: dict[str, Values] = {"page": whole(1), "per_page": whole(1)}

CALLS: Final = CallTable(
    (
        DocumentedCall(
            "POST",
            "/tickets",
            "create_ticket",
            body={
                # A number in the example. Which of the two is taken, an option says.
                "external_id": (whole(), later(text)),
                "original_text": text,
                "original_html": text,
            },
        ),
        DocumentedCall(
            "GET",
            "/tickets",
            "list_tickets",
            query={"start_date": whole(), "end_date": whole(), **_PAGED},
            answers={200: Shown("[]", _TICKET)},
        ),
        DocumentedCall(
            "GET",
            "/tickets/<ticket_id>",
            "get_ticket",
            answers={200: Shown("", _TICKET)},
        ),
        DocumentedCall(
            "GET",
            "/tickets/find_by",
            "find_ticket",
            query={"external_id": text, "conversation_id": whole()},
            answers={200: Shown("", _TICKET)},
            source=Source.LATER,
            option="find_by",
        ),
        DocumentedCall(
            "GET",
            "/tags",
            "list_tags",
            query={"relevant": flag, **_PAGED},
            answers={200: Shown("[]", _TAG)},
        ),
        DocumentedCall("GET", "/tags/<tag_id>", "get_tag", answers={200: Shown("", _TAG)}),
    )
)
