"""Facts of Switch's REST guide: paths, values, what can be written, and the names of events.

The guide is https://crm.switchlabs.dev/guide/api/rest, read in 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.core.model.capabilities import Door, EntityCapabilities, Probe, Support, Verb, Writable
from bridge.core.model.syncs import Webhook

TICKET, MESSAGE, SESSION, CUSTOMER = "ticket", "message", "session", "customer"
AGENT, TAG, ARTICLE = "agent", "tag", "article"
CATALOGUES = frozenset((AGENT, TAG, ARTICLE))
"""Listed and read, never written, never mirrored."""
CONVERSATIONS = frozenset((MESSAGE, SESSION))
"""What is kept as a conversation there."""
PATHS: Mapping[str, str] = {
    TICKET: "/tickets",
    MESSAGE: "/conversations",
    SESSION: "/conversations",
    CUSTOMER: "/customers",
    AGENT: "/users",
    TAG: "/tags",
    ARTICLE: "/articles",
}
PAGE_SIZE = 100
"""Rows of one page; the guide allows no more."""

STATUSES = ("new", "open", "pending", "in_progress", "resolved", "closed")
PRIORITIES = ("low", "medium", "normal", "high", "urgent")
"""`medium` in the guide, `normal` in the product's other API
(https://crm.switchlabs.dev/docs/tickets, read 2026-11): both are read."""
TYPES = ("reply", "note", "system")
CROWD_FILTERS: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    TICKET: (("status", STATUSES), ("priority", PRIORITIES)),
    MESSAGE: (("type", TYPES), ("internal", ("true", "false"))),
}
"""The filters that divide a second which holds more rows than a page: name, values."""
CUSTOM_FIELDS = "custom_fields"
CUSTOMER_TAGS = f"{CUSTOM_FIELDS}.tags"
"""Customers have no tags of their own; these are kept among the fields that are anybody's."""
MARKER_PREFIX = "bridge-"
"""Tags of tickets that begin so are markers of ours."""

TICKET_FIELDS = (
    "id number subject description status priority type customer assignee tags custom_fields "
    "created_at updated_at resolved_at"
)
CONVERSATION_FIELDS = "id ticket_id type internal content_text created_at"
CUSTOMER_FIELDS = "id email name phone company custom_fields ticket_count created_at updated_at"
_ON_CREATE = Writable(on_update=Support.NO, clears=False)
_REQUIRED = Writable(on_update=Support.NO, clears=False, required=True)
_OWN = Door("patch", Writable(on_create=False, on_update=Support.PROBED))
"""The guide shows `custom_fields` of tickets and customers, and says of writing them nothing."""

CAPABILITIES: Mapping[str, EntityCapabilities] = {
    TICKET: EntityCapabilities(
        readable=frozenset(TICKET_FIELDS.split()),
        # PATCH documents status, priority and assignee_id. Others are tried and read back.
        writable={
            "subject": Writable(
                on_update=Support.PROBED, clears=False, max_length=500, required=True
            ),
            "description": _ON_CREATE,
            "customer_email": _ON_CREATE,
            "status": Writable(on_create=False, clears=False, default="new"),
            "priority": Writable(clears=False, default="medium"),
            "assignee_id": Writable(on_create=False),
            "tags": Writable(on_update=Support.PROBED),
        },
        verbs=(Verb("patch", writes=("status", "priority", "assignee_id", "tags", "subject")),),
        doors={CUSTOM_FIELDS: _OWN},
        creates=Support.YES,
        deletes=Support.YES,
        lists_newest=True,
        values={"status": STATUSES, "priority": PRIORITIES},
    ),
    MESSAGE: EntityCapabilities(
        readable=frozenset(CONVERSATION_FIELDS.split()),
        writable={
            "ticket_id": _REQUIRED,
            "content": _REQUIRED,
            "type": Writable(on_update=Support.NO, clears=False, default="note"),
            "internal": Writable(on_update=Support.NO, clears=False, default=True),
        },
        creates=Support.YES,
        values={"type": TYPES, "internal": (True, False)},
        also_as=frozenset({SESSION}),
    ),
    SESSION: EntityCapabilities(
        readable=frozenset(CONVERSATION_FIELDS.split()),
        writable={
            "ticket_id": _REQUIRED,
            "content": _REQUIRED,
        },
        creates=Support.YES,
        complete=False,
        originates=False,
        also_as=frozenset({MESSAGE}),
    ),
    CUSTOMER: EntityCapabilities(
        readable=frozenset(CUSTOMER_FIELDS.split()),
        writable={
            "email": _REQUIRED,
            "name": Writable(),
            "phone": Writable(),
            "company": Writable(),
            CUSTOMER_TAGS: Writable(on_create=False, on_update=Support.PROBED),
        },
        verbs=(Verb("patch", writes=("name", "phone", "company", CUSTOMER_TAGS)),),
        doors={CUSTOM_FIELDS: _OWN},
        creates=Support.YES,
        dated=False,
    ),
}

EVENT_NOUNS: Mapping[str, str] = {"ticket": TICKET, "conversation": MESSAGE, "customer": CUSTOMER}
"""What the names of events begin with -> entity.

The vendor's page on webhooks is not public. Names, header and paths are those of a sibling product
(https://metro2.switchlabs.dev/developers/guides/webhooks, read 2026-11), and can be configured.
"""
EVENTS: Mapping[str, str] = {
    f"{noun}.{what}": EVENT_NOUNS[noun]
    for noun, whats in {
        "ticket": "created updated deleted assigned status_changed priority_changed tagged",
        "conversation": "created updated deleted",
        "customer": "created updated deleted",
    }.items()
    for what in whats.split()
}
IGNORED = frozenset(("tag.created", "tag.updated", "tag.deleted", "article.published"))
SIGNING = Webhook(
    scheme="hmac-sha256",
    secrets=(),
    header="X-Webhook-Signature",
    event="event",
    id="data.id",
    delivery="X-Webhook-Delivery",
)
RATE_LIMIT_BACKOFF = 30.0
"""Seconds: only that a 429 exists is documented, and neither a number nor a Retry-After."""

_UNSAID = "the guide's PATCH shows status, priority and assignee_id, and says of nothing else"
PROBES = (
    Probe(
        "PATCH /tickets/<ticket_id>: tags",
        f"{_UNSAID}; what an answer does not show is remembered as not carried",
    ),
    Probe(
        "PATCH /tickets/<ticket_id>: subject",
        f"{_UNSAID}; what an answer does not show is remembered as not carried",
    ),
    Probe(
        "PATCH /tickets/<ticket_id>: assignee_id=null",
        "an unassigned ticket shows null; an answer that keeps the assignee means that none goes",
    ),
    *(
        Probe(
            f"PATCH /{each}: custom_fields",
            "they are shown; an answer without the change means that they cannot be written",
        )
        for each in ("tickets/<ticket_id>", "customers/<record_id>")
    ),
)
