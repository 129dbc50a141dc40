"""Facts of PostHog's page on conversations: what tickets can do, their values, and the events.

The page, https://posthog.com/docs/api/conversations, prints no body. Names and values that it
leaves out are those of products/conversations in https://github.com/PostHog/posthog. Both were read
in 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from bridge.core.model.capabilities import Door, EntityCapabilities, Probe, Support, Verb, Writable
from bridge.core.model.syncs import Webhook

TICKET = "ticket"

PAGE_SIZE = 100
"""Rows of one page, and ids of one call: more of either is not documented."""
CREATE_REFUSAL_DELAY = timedelta(seconds=5)
"""A create that fails again after so long is refused; several failing at once are a bad moment."""

STATUSES = ("new", "open", "pending", "on_hold", "resolved")
PRIORITIES = ("low", "medium", "high", "critical", None)

TRAITS = "anonymous_traits"
"""The one object of a ticket that a create may fill as it likes."""
MARKER_TRAIT = "bridge_marker"
WITNESSES = 3
"""Tickets that are asked for beside those wanted; see tag_belief.py."""

READABLE = (
    "id ticket_number channel_source channel_detail distinct_id status priority assignee "
    "anonymous_traits identity_verified ai_resolved escalation_reason ai_triage created_at "
    "updated_at message_count last_message_at last_message_text unread_team_count "
    "unread_customer_count session_id session_context sla_due_at snoozed_until email_subject "
    "email_from email_to cc_participants organization_id organization_id_source person tags "
    "zendesk_ticket_id github_repo github_issue_number slack_channel_id slack_thread_ts "
    "slack_team_id user_access_level awaiting_deletion_id"
)

CAPABILITIES: Mapping[str, EntityCapabilities] = {
    TICKET: EntityCapabilities(
        readable=frozenset(READABLE.split()),
        writable={
            "status": Writable(clears=False, default="new"),
            "priority": Writable(default=None),
            "assignee": Writable(on_create=False),
            # Without the tagging feature a write of tags is answered 200 and does nothing.
            "tags": Writable(on_create=False, on_update=Support.PROBED, empty_trusted=False),
            "ai_resolved": Writable(clears=False, default=False),
            "escalation_reason": Writable(),
            f"{TRAITS}.name": Writable(on_update=Support.NO),
            f"{TRAITS}.email": Writable(on_update=Support.NO),
            f"{TRAITS}.subject": Writable(on_update=Support.NO),
            f"{TRAITS}.description": Writable(on_update=Support.NO),
        },
        verbs=(
            Verb(
                "patch",
                ("status", "priority", "assignee", "tags", "ai_resolved", "escalation_reason"),
            ),
        ),
        # The page lists the object among what PATCH takes, and says nothing of what is in it.
        doors={
            TRAITS: Door(
                "patch",
                Writable(on_update=Support.PROBED),
                reserved=frozenset({MARKER_TRAIT}),
            )
        },
        # POST is documented with 201, and deployments were seen to answer 500
        # (github.com/PostHog/posthog/issues/71101) or 405 (pull/72997). As of 2026-11.
        creates=Support.PROBED,
        # "This action does not support Personal API Key access": `destroy` is not among the actions
        # that a key's scope covers (tickets.py there, read 2026-11), as far as was seen.
        deletes=Support.PROBED,
        values={"status": STATUSES, "priority": PRIORITIES},
        lists_newest=True,
        read_batch=PAGE_SIZE - WITNESSES,
    )
}

EVENTS: Mapping[str, str] = {
    "$conversation_ticket_created": TICKET,
    "$conversation_ticket_status_changed": TICKET,
    "$conversation_ticket_priority_changed": TICKET,
    "$conversation_ticket_assigned": TICKET,
}
"""There is none for tags, deletions and snoozing: polls find those."""
IGNORED = frozenset(
    (
        "$conversation_message_sent",
        "$conversation_message_received",
        "$conversation_incident_detected",
        "$conversation_sla_approaching",
        "$conversation_sla_breached",
    )
)
SIGNING = Webhook(
    scheme="standard-webhooks", secrets=(), event="event.event", id="event.properties.ticket_id"
)

OPTIONS: Mapping[str, str] = {
    "project_id": "number of the PostHog project whose tickets these are",
    "tags_licensed": "true when the organisation is known to have the tagging feature",
}
REQUIRED_OPTIONS = frozenset(("project_id",))

_TICKETS_PATH = "/api/projects/<project_id>/conversations/tickets"
PROBES = (
    Probe(
        f"GET {_TICKETS_PATH}: ids",
        "in one version of the source; where it is ignored, the rows of others come back",
    ),
    *(
        Probe(f"{call}: priority=critical", "in newer versions; older ones answer 400 for it")
        for call in (f"POST {_TICKETS_PATH}", f"PATCH {_TICKETS_PATH}/<ticket_id>")
    ),
    Probe(
        f"GET {_TICKETS_PATH}/<ticket_id>/messages",
        "in the source alone; where it is not listed, nothing is concluded from that",
    ),
    Probe(
        f"DELETE {_TICKETS_PATH}/<ticket_id>",
        "documented, and refused to personal keys by the source that was read",
    ),
)
