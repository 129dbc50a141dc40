"""What Switch's REST guide says in so many words: paths, values, events, and what can be written."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.core.model.capabilities import EntityCapabilities, Support, Verb, Writable

TICKET, MESSAGE, SESSION, CUSTOMER = "ticket", "message", "session", "customer"
PATHS: Mapping[str, str] = {
    TICKET: "/tickets",
    MESSAGE: "/conversations",
    SESSION: "/conversations",
    CUSTOMER: "/customers",
    "agent": "/users",
    "tag": "/tags",
    "article": "/articles",
}
CATALOGUES = frozenset(("agent", "tag", "article"))
"""Listed and read, never written, never mirrored."""

STATUSES = ("new", "open", "pending", "in_progress", "resolved", "closed")
PRIORITIES = ("low", "medium", "normal", "high", "urgent")
TYPES = ("reply", "note", "system")
PARTS: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    TICKET: (("status", STATUSES), ("priority", PRIORITIES)),
    MESSAGE: (("type", TYPES), ("internal", ("true", "false"))),
}
"""The filters that divide a second which holds more rows than a page: name, values."""
TAGS = "custom_fields.tags"
"""Customers have no tags of their own; these are kept among the fields that are anybody's."""

_TICKET = (
    "id number subject description status priority type customer assignee tags custom_fields created_at updated_at "
    "resolved_at"
)
_CONVERSATION = "id ticket_id type internal content_text created_at"
_CUSTOMER = "id email name phone company custom_fields ticket_count created_at updated_at"
_NEVER = Support.NO

CAPABILITIES: Mapping[str, EntityCapabilities] = {
    TICKET: EntityCapabilities(
        readable=frozenset(_TICKET.split()),
        writable={
            "subject": Writable(
                on_update=Support.PROBED, clears=False, max_length=500, required=True
            ),
            "description": Writable(on_update=_NEVER, clears=False),
            "customer_email": Writable(on_update=_NEVER, clears=False),
            "status": Writable(on_create=False, clears=False, default="new"),
            "priority": Writable(clears=False, default="medium"),
            "assignee_id": Writable(on_create=False),
            "tags": Writable(on_update=Support.PROBED),
        },
        verbs=(Verb("patch", writes=("status", "priority", "assignee_id", "tags", "subject")),),
        creates=Support.YES,
        deletes=True,
        values={"status": STATUSES, "priority": PRIORITIES},
    ),
    MESSAGE: EntityCapabilities(
        readable=frozenset(_CONVERSATION.split()),
        writable={
            "ticket_id": Writable(on_update=_NEVER, clears=False, required=True),
            "content": Writable(on_update=_NEVER, clears=False, required=True),
            "type": Writable(on_update=_NEVER, clears=False, default="note"),
            "internal": Writable(on_update=_NEVER, clears=False, default=True),
        },
        creates=Support.YES,
        values={"type": TYPES, "internal": (True, False)},
    ),
    SESSION: EntityCapabilities(
        readable=frozenset(_CONVERSATION.split()),
        writable={
            "ticket_id": Writable(on_update=_NEVER, clears=False, required=True),
            "content": Writable(on_update=_NEVER, clears=False, required=True),
        },
        creates=Support.YES,
        complete=False,
        originates=False,
    ),
    CUSTOMER: EntityCapabilities(
        readable=frozenset(_CUSTOMER.split()),
        writable={
            "email": Writable(on_update=_NEVER, clears=False, required=True),
            "name": Writable(),
            "phone": Writable(),
            "company": Writable(),
            TAGS: Writable(on_create=False, on_update=Support.PROBED),
        },
        verbs=(Verb("patch", writes=("name", "phone", "company", TAGS)),),
        creates=Support.YES,
        dated=False,
    ),
}

NOUNS: Mapping[str, str] = {"ticket": TICKET, "conversation": MESSAGE, "customer": CUSTOMER}
"""What the names of events begin with -> entity."""
EVENTS: Mapping[str, str] = {
    f"{noun}.{what}": NOUNS[noun]
    for noun, whats in {
        "ticket": "created updated deleted assigned status_changed priority_changed tagged",
        "conversation": "created updated deleted",
        "customer": "created updated deleted",
    }.items()
    for what in whats.split()
}
IGNORED = frozenset(("tag.created", "tag.updated", "tag.deleted", "article.published"))
