"""PostHog's Conversations tickets API, as documented, and as deployments were seen to behave.

Reading one ticket marks it as read for the team. A filter value that does not exist is dropped, so
everything comes back. Every PATCH moves `updated_at`, and a customer's message can move it
backwards. Tags are trimmed, lower-cased and need a licence: without it they read as `[]` and writes
are ignored with a 200. No event tells of tags or deletes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from werkzeug.wrappers import Request, Response

from bridge.core.model.syncs import Webhook
from bridge.sandbox import population
from bridge.sandbox.exchange import Event, Problem, ReceivedCall, answer
from bridge.sandbox.journal import Kind
from bridge.sandbox.posthog_calls import CALLS, PRIORITIES, SORTS, STATUSES
from bridge.sandbox.posthog_events import events_of
from bridge.sandbox.posthog_list import as_meant, clean_tags, filtered, number
from bridge.sandbox.store import Record, micros_iso, past, random_uuid
from bridge.sandbox.vendor_app import Sandbox

_SET_BY_HAND = (
    "status", "priority", "anonymous_traits", "ai_resolved", "escalation_reason",
    "assignee", "tags", "snoozed_until", "sla_due_at", "awaiting_deletion_id",
)  # fmt: skip
NO_PERSONAL_KEYS = "This action does not support Personal API Key access"
NO_EDITOR = "You do not have editor access to this resource."


class PostHogSandbox(Sandbox):
    """A PostHog project in memory."""

    SYSTEM = "posthog"
    CARRIES = ("status", "priority", "assignee", "tags", "team")
    SIGNING = Webhook("standard-webhooks", ())
    CHOICES: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "status": {status: status for status in STATUSES},
        "priority": {"low": "low", "normal": "medium", "high": "high", "urgent": "critical"},
        "team": {"billing": "billing", "product": "product", "infra": "infra"},
    }
    PLACES: ClassVar[Mapping[str, tuple[str, str]]] = {"team": ("anonymous_traits", "support_team")}
    ASSIGNEE_FIELD = "assignee"
    TAKES_REPLIES = True
    RESTRICTS = True
    UNREAD = (
        {"assignee": {"type": "role", "id": "018f3a6e-0000-7000-8000-0000000000aa"}},
        {"assignee": {"type": "user", "id": 99, "user": None}},
    )
    LOSSY: ClassVar[Mapping[str, Mapping[str, str]]] = {"status": {"closed": "resolved"}}
    ACCOUNT_OPTIONS: ClassVar[Mapping[str, Any]] = {"project_id": "12345"}
    OPTIONS: ClassVar[Mapping[str, Any]] = {
        "project_id": "12345",
        "post": 201,  # or 405, or 500; "older": 500 at first, and 405 from then on
        "tags_licensed": True,
        "ids_supported": False,
        "newer_filters": False,
        "critical": True,
        "bulk_supported": True,
        "messages_listed": True,
        "personal_delete": True,
        "scopes": ["ticket:read", "ticket:write"],
    }
    DEPLOYMENTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "post": (201, 201, 405, 500, "older"),
        "tags_licensed": (True, True, False),
        "ids_supported": (False, True),
        "list_lag": (0.0, 1.0),
        "critical": (True, True, False),
        "bulk_supported": (True, False),
        "personal_delete": (True, False),
    }
    VOLATILE = frozenset({"updated_at", "unread_team_count"})
    CALLS = CALLS

    def __init__(self, *args: Any, **options: Any) -> None:
        self._posted = False
        super().__init__(*args, **options)

    @classmethod
    def agent_id(cls, agent: population.Agent) -> str:
        """Return the id of a user, as the mapping writes one."""
        return f"user:{10 + agent.number}"

    @classmethod
    def title(cls, record: Record) -> str:
        """Return the subject of an e-mail, or what was said last."""
        return str(record.get("email_subject") or record.get("last_message_text") or "")

    @classmethod
    def assignment(cls, agent: population.Agent) -> dict[str, Any]:
        """Return the edit that gives a ticket to a user."""
        kind, _, number = cls.agent_id(agent).partition(":")
        return {cls.ASSIGNEE_FIELD: {"type": kind, "id": int(number)}}

    @classmethod
    def planted_marker(cls, record: Record) -> str:
        """Return the marker among the traits of the customer."""
        traits = record.get("anonymous_traits") or {}
        return super().planted_marker(record) or str(traits.get("bridge_marker") or "")

    @classmethod
    def customer_email(cls, record: Record) -> str:
        """Return the address from the widget, or the one that an e-mail came from."""
        traits = record.get("anonymous_traits") or {}
        return str(traits.get("email") or record.get("email_from") or "").casefold()

    def unauthorised(self, request: Request) -> Problem | None:
        """Refuse all but the personal key with the right scope and project."""
        given = request.headers.get("Authorization", "")
        if not given:
            return Problem(
                401, "not_authenticated", "Authentication credentials were not provided."
            )
        if given != f"Bearer {self.api_key}":
            return Problem(
                401, "authentication_failed", "Personal API key found in request is invalid."
            )
        if request.path.split("/")[3:4] != [str(self.options["project_id"])]:
            return Problem(
                403, "permission_denied", "API key does not have access to the requested project."
            )
        scope = "ticket:read" if request.method == "GET" else "ticket:write"
        if scope not in self.options["scopes"]:
            return Problem(403, "permission_denied", f"API key missing required scope '{scope}'")
        return None

    def problem(self, problem: Problem) -> Response:
        """Refuse in the envelope of Django REST framework."""
        kind = {
            400: "validation_error",
            401: "authentication_error",
            429: "throttled_error",
            500: "server_error",
        }.get(problem.status, "invalid_request")
        code = {404: "not_found", 405: "method_not_allowed", 429: "throttled", 500: "error"}.get(
            problem.status, problem.code
        )
        detail = (
            "Request was throttled. Expected available in 2 seconds."
            if code == "throttled"
            else problem.message
        )
        return answer(
            {"type": kind, "code": code, "detail": detail, "attr": problem.field}, problem.status
        )

    def list_tickets(self, call: ReceivedCall, project_id: str) -> Response:  # noqa: ARG002
        """List tickets with limit and offset; nothing is marked as read."""
        rows = filtered(
            self.listed(),
            call.query,
            tags=self.options["tags_licensed"],
        )
        order = call.query.get("order_by", "-updated_at")
        column = order.removeprefix("-")
        if column not in SORTS:
            order, column = "-updated_at", "updated_at"
        # An empty value counts as the smallest.
        rows.sort(
            key=lambda row: (row[column] is not None, row[column]), reverse=order.startswith("-")
        )
        limit = min(number(call.query.get("limit"), 100) or 100, 1000)
        offset = number(call.query.get("offset"), 0)
        base = call.request.base_url
        return answer(
            {
                "count": len(rows),
                "next": f"{base}?limit={limit}&offset={offset + limit}"
                if offset + limit < len(rows)
                else None,
                "previous": f"{base}?limit={limit}&offset={max(0, offset - limit)}"
                if offset
                else None,
                "results": [self._shown(row) for row in rows[offset : offset + limit]],
            }
        )

    def get_ticket(self, call: ReceivedCall, project_id: str, ticket_id: str) -> Response:  # noqa: ARG002
        """Show one ticket, and mark it as read by the team: what a sync must never cause."""
        call.id = ticket_id
        call.note = "forbidden: marks the ticket as read by the team"
        record = self._found(ticket_id)
        self.store.put({**record, "unread_team_count": 0})
        return answer(self._shown({**record, "unread_team_count": 0}))

    def create_ticket(self, call: ReceivedCall, project_id: str) -> Response:  # noqa: ARG002
        """Create as documented, or refuse the way deployments were seen to."""
        fields = call.body()
        post = self.options["post"]
        if post == 405 or (post == "older" and self._posted):
            raise Problem(405, "method_not_allowed", 'Method "POST" not allowed.')
        self._posted = True
        if post != 201:
            raise Problem(500, "error", "A server error occurred.")
        record = self.made(fields)
        self.committed(call, "create", None, record)
        return answer(self._shown(record), 201)

    def update_ticket(self, call: ReceivedCall, project_id: str, ticket_id: str) -> Response:  # noqa: ARG002
        """Change writable fields, ignore all others; `updated_at` moves in any case."""
        call.id = ticket_id
        fields = call.body()
        record = self._found(ticket_id)
        new, call.ignored = self.changed(record, fields, human=False)
        self.committed(call, "write", record, new)
        return answer(self._shown(new))

    def delete_ticket(self, call: ReceivedCall, project_id: str, ticket_id: str) -> Response:  # noqa: ARG002
        """Delete for good, without an event."""
        call.id = ticket_id
        if not self.options["personal_delete"]:
            raise Problem(403, "permission_denied", NO_PERSONAL_KEYS)
        record = self._found(ticket_id)
        self.remove(record)
        self.committed(call, "delete", record, record)
        return Response(status=204)

    def list_messages(self, call: ReceivedCall, project_id: str, ticket_id: str) -> Response:  # noqa: ARG002
        """List a ticket's messages, of which the sandbox keeps none; nothing is marked as read."""
        call.id = ticket_id
        if not self.options["messages_listed"]:
            raise Problem(404, "not_found", "Endpoint not found.")
        self._found(ticket_id)
        return answer({"count": 0, "next": None, "previous": None, "results": []})

    def unread_count(self, call: ReceivedCall, project_id: str) -> Response:  # noqa: ARG002
        """Sum up the unread messages of tickets that are not resolved."""
        rows = [row for row in self.store if row["status"] != "resolved"]
        return answer({"count": sum(row["unread_team_count"] for row in rows)})

    def compose(self, call: ReceivedCall, project_id: str) -> Response:  # noqa: ARG002
        """Refuse: this would send an e-mail to the customer, which a sync must never cause."""
        call.body()
        call.note = "forbidden: would e-mail the customer"
        raise Problem(400, "invalid", "No verified email channel.", "email_config_id")

    def bulk_update_tags(self, call: ReceivedCall, project_id: str) -> Response:  # noqa: ARG002
        """Add, remove or set tags of several tickets."""
        fields = call.body()
        if not self.options["bulk_supported"]:
            raise Problem(403, "permission_denied", NO_PERSONAL_KEYS)
        action = fields.get("action")
        if action not in {"add", "remove", "set"}:
            raise Problem(400, "invalid_choice", f'"{action}" is not a valid choice.', "action")
        wanted = clean_tags(fields.get("tags"))
        records = [self._found(str(ticket_id)) for ticket_id in fields.get("ids") or []]
        for record in records:
            # One row a record; the last is journalled with the call itself.
            if call.id:
                self.journal.append(
                    "write",
                    "bridge",
                    id=call.id,
                    before=call.before,
                    after=call.after,
                    record=call.record,
                )
            kept = [] if action == "set" else [tag for tag in record["tags"] if tag not in wanted]
            tags = kept if action == "remove" else kept + wanted
            new, call.ignored = self.changed(record, {"tags": sorted(tags)}, human=False)
            self.committed(call, "write", record, new)
        return answer({"updated": len(records)})

    def made(self, fields: Mapping[str, Any], *, human: Mapping[str, Any] | None = None) -> Record:
        """Make a ticket; a human (a customer in the widget) may bring all of a record's fields."""
        now = micros_iso(self.clock.now())
        record: dict[str, Any] = {
            "id": random_uuid(self.rng),
            "ticket_number": len(self.store) + 1,
            "channel_source": "widget", "channel_detail": None,
            "distinct_id": random_uuid(self.rng),
            "status": "new", "priority": None, "assignee": None,
            "anonymous_traits": {}, "identity_verified": False,
            "ai_resolved": False, "escalation_reason": None, "ai_triage": None,
            "created_at": now, "updated_at": now,
            "message_count": 0, "last_message_at": None, "last_message_text": None,
            "unread_team_count": 0, "unread_customer_count": 0,
            "session_id": None, "session_context": {}, "sla_due_at": None, "snoozed_until": None,
            "email_subject": None, "email_from": None, "email_to": None, "cc_participants": [],
            "zendesk_ticket_id": None, "github_repo": None, "github_issue_number": None,
            "organization_id": None, "organization_id_source": None, "person": None, "tags": [],
            "awaiting_deletion_id": None,
        }  # fmt: skip
        if human is not None:
            fields = {name: value for name, value in human.items() if name in _SET_BY_HAND}
            record |= {
                name: value
                for name, value in human.items()
                if name in record and name not in fields
            }
        new, _ = self._applied(record, fields, human=human is not None)
        self.store.put(new)
        return new

    def changed(
        self, record: Record, fields: Mapping[str, Any], *, human: bool
    ) -> tuple[Record, tuple[str, ...]]:
        """Change a ticket."""
        new, ignored = self._applied(record, fields, human=human)
        new["updated_at"] = micros_iso(self.clock.now())
        self.store.put(new)
        return new, ignored

    def remove(self, record: Record) -> None:
        """Delete for good."""
        self.store.drop(str(record["id"]))

    def written_to(self, record: Record, text: str, at: datetime) -> Record:
        """Store a customer's message; the ticket takes its time, even if that is an earlier one."""
        stamp = micros_iso(at)
        new = {
            **record,
            "message_count": record["message_count"] + 1,
            "unread_team_count": record["unread_team_count"] + 1,
            "last_message_at": stamp,
            "last_message_text": text[:500],
            "updated_at": stamp,
        }
        self.store.put(new)
        return new

    def seeded(self, draft: population.TicketDraft, index: int, count: int) -> Mapping[str, Any]:
        """Translate a drafted ticket; every third came by e-mail, the others by the widget."""
        at = past(self.clock.now(), index, count)
        stamp = micros_iso(at.replace(microsecond=index % 5 * 1000))
        by_mail = index % 3 == 0
        return {
            "channel_source": "email" if by_mail else "widget",
            "email_subject": draft.subject if by_mail else None,
            "email_from": draft.customer if by_mail else None,
            "anonymous_traits": {"name": draft.name, "email": draft.customer},
            "person": {
                "id": random_uuid(self.rng),
                "name": draft.name,
                "distinct_ids": [draft.customer],
                "properties": {"email": draft.customer, "name": draft.name},
            },
            "status": draft.status,
            "priority": self.CHOICES["priority"][draft.priority] if index % 4 else None,
            "assignee": self.assignment(draft.agent)["assignee"] if draft.agent else None,
            "tags": list(draft.tags),
            "message_count": 1,
            "unread_team_count": 1,
            "last_message_text": f"{draft.subject}\n{draft.body}",
            "last_message_at": stamp,
            "created_at": stamp,
            "updated_at": stamp,
        }

    def events(
        self, kind: Kind, record: Record, before: Mapping[str, Any], sent: Mapping[str, Any]
    ) -> list[Event]:
        """Return what PostHog tells of a change."""
        del sent
        return events_of(kind, record, before)

    def envelope(self, event: Event, unique: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Fill the default template of the HTTP webhook destination."""
        body = {
            "event": {
                "uuid": random_uuid(self.rng),
                "event": event.name,
                "distinct_id": unique,
                "properties": dict(event.properties),
                "timestamp": micros_iso(self.clock.now()),
                "url": f"http://posthog.invalid/project/{self.options['project_id']}/events/{unique}",
            },
            "person": {"id": None, "name": "", "properties": {}},
        }
        return body, {"user-agent": "PostHog.com (sandbox)"}

    def _found(self, ticket_id: str) -> Record:
        record = self.store.get(ticket_id)
        if record is None and ticket_id.isdigit():
            record = next(
                (row for row in self.store if row["ticket_number"] == int(ticket_id)), None
            )
        if record is None:
            raise Problem(404, "not_found", "Not found.")
        if record["id"] in self.restricted:
            raise Problem(403, "permission_denied", NO_EDITOR)
        return record

    def _applied(
        self, record: Record, fields: Mapping[str, Any], *, human: bool
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        new = dict(record)
        ignored = []
        for name, value in as_meant(record, fields, human=human).items():
            unlicensed = name == "tags" and not self.options["tags_licensed"]  # nor for people
            if unlicensed or name not in _SET_BY_HAND:
                ignored.append(name)
            elif name == "tags":
                new["tags"] = sorted(clean_tags(value))
            elif name == "assignee":
                new["assignee"] = _assignee(value)
            elif human and value == PRIORITIES[3] and not self.options["critical"]:
                new[name] = PRIORITIES[2]  # people choose the highest that there is
            else:
                self._validate(name, value)
                new[name] = value
        # Two fields move the status along: a ticket that is snoozed, or waits for the deletion of
        # somebody's data, is `on_hold` until then.
        for name in ("snoozed_until", "awaiting_deletion_id"):
            if name in fields and "status" not in fields:
                new["status"] = "on_hold" if fields[name] else "open"
        return new, tuple(ignored)

    def _validate(self, name: str, value: Any) -> None:
        priorities = PRIORITIES if self.options["critical"] else PRIORITIES[:3]
        bad = (name == "status" and value not in STATUSES) or (
            name == "priority" and value is not None and value not in priorities
        )
        if bad:
            raise Problem(400, "invalid_choice", f'"{value}" is not a valid choice.', name)
        if name == "anonymous_traits" and not isinstance(value, dict):
            raise Problem(400, "invalid", "Expected an object.", name)
        if name == "ai_resolved" and not isinstance(value, bool):
            raise Problem(400, "invalid", "Must be a valid boolean.", name)

    def _shown(self, record: Record) -> dict[str, Any]:
        shown = {name: value for name, value in record.items() if name != "awaiting_deletion_id"}
        if not self.options["tags_licensed"]:
            shown["tags"] = []
        return shown | {"user_access_level": "editor"}


def _assignee(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Problem(400, "invalid", "Expected an object.", "assignee")
    if value.get("type") == "role":
        return {"type": "role", "id": value.get("id"), "role": {"name": "Support"}}
    if "user" in value:  # somebody who has left: the ticket still names them
        return dict(value)
    for agent in population.AGENTS:
        if PostHogSandbox.agent_id(agent) == f"{value.get('type')}:{value.get('id')}":
            return {
                "type": "user",
                "id": value["id"],
                "user": {"email": agent.email},
            }
    raise Problem(400, "invalid", "Assignee is not a member of the organization.", "assignee")
