"""Upscope's REST API v1.1, call by call, as the README "Upscope.io's REST API" has it.

The lists show `short_id` and three dots; what else a listed visitor has is not said, and whether
sessions are among it neither (option `listed_sessions`). The deletion of all visitors at once is of
a later README.
"""

from __future__ import annotations

from typing import Final

from bridge.sandbox.documented_calls import (
    CallTable,
    DocumentedCall,
    Shown,
    Source,
    fields,
    flag,
    later,
    nothing,
    text,
)

_VISITOR = (
    "api_key", "browser_name", "device_name", "device_type", "first_seen_at", "identities",
    "integration", "ip_address", "is_in_session", "is_online", "js_configuration", "last_seen_at",
    "last_url", "location_city", "location_country", "location_country_name", "lookup_code",
    "short_id", "tags", "unique_id", "sessions", "_type",
)  # fmt: skip

CALLS: Final = CallTable(
    (
        DocumentedCall(
            "GET",
            "/usage.json",
            "usage",
            answers={
                200: Shown("usage", ("visitors", "agents", "session_counts", "session_seconds"))
            },
        ),
        DocumentedCall(
            "GET",
            "/list.json",
            "list_visitors",
            query={"search": text},
            answers={200: Shown("visitors[]", _VISITOR)},
        ),
        DocumentedCall(
            "GET",
            "/visitors/<visitor_id>.json",
            "get_visitor",
            answers={200: Shown("visitor", _VISITOR)},
        ),
        DocumentedCall("DELETE", "/visitors/<visitor_id>.json", "delete_visitor"),
        DocumentedCall(
            "POST",
            "/visitors/<visitor_id>/watch_url.json",
            "watch_url",
            body={
                "branding": fields(
                    naked=flag, retry_url=text | nothing, no_bottom_bar=flag | nothing
                ),
                "agent": fields(id=text, name=text),
            },
            required=("agent",),
            answers={200: Shown("", ("watch_url",))},
        ),
        DocumentedCall(
            "DELETE",
            "/visitors.json",
            "delete_everybody",
            query={"all": later(flag)},
            source=Source.LATER,
        ),
    )
)
