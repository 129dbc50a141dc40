"""Facts of Parcel Desk's API: fields, values, what can be written, and its events.

The vendor is made up; its guide would be https://parceldesk.example/api, read in 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.core.model.capabilities import EntityCapabilities, Support, Verb, Writable
from bridge.core.model.syncs import Webhook

TICKET = "ticket"
TICKETS_PATH = "/tickets"
PAGE_SIZE = 50
"""Rows of one page; a larger `per_page` is cut to this without a word."""
TITLE_LENGTH = 200

TODO, DOING, DONE = "todo", "doing", "done"
REASON_WHEN_DONE = "solved"
"""Nothing is done without a reason; none of our fields holds one."""
MARKER_PREFIX = "bridge-"
"""References that begin so are markers of ours; people keep order numbers there."""

PATCH, LABEL, UNLABEL = "patch", "label", "unlabel"
_ON_CREATE = Writable(on_update=Support.NO, clears=False)

CAPABILITIES: Mapping[str, EntityCapabilities] = {
    TICKET: EntityCapabilities(
        readable=frozenset(
            (
                "id",
                "version",
                "title",
                "body",
                "status",
                "reason",
                "priority",
                "assignee",
                "requester",
                "reference",
                "labels",
            )
        ),
        writable={
            "title": Writable(clears=False, max_length=TITLE_LENGTH, required=True),
            "body": _ON_CREATE,
            "requester": Writable(on_update=Support.NO, clears=False, required=True),
            "status": Writable(on_create=False, clears=False, default=TODO),
            "priority": Writable(clears=False, default=2),
            "assignee": Writable(),
            "labels": Writable(on_create=False),
        },
        verbs=(
            Verb(PATCH, ("title", "status", "priority", "assignee")),
            Verb(LABEL, ("labels",), element="add"),
            Verb(UNLABEL, ("labels",), element="remove"),
        ),
        creates=Support.YES,
        # A DELETE is answered with 405.
        deletes=Support.NO,
        values={"status": (TODO, DOING, DONE), "priority": (1, 2, 3)},
        # A version counts changes, and no time is shown.
        dated=False,
    )
}

EVENTS: Mapping[str, str] = {
    "ticket.opened": TICKET,
    "ticket.changed": TICKET,
    "ticket.removed": TICKET,
}
IGNORED = frozenset(("ticket.viewed",))
SIGNING = Webhook(
    scheme="hmac-sha256", secrets=(), header="X-Parcel-Signature", event="event", id="ticket.id"
)
