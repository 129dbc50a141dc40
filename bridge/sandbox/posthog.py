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

from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from bridge.core.model.syncs import Webhook
from bridge.sandbox import population
from bridge.sandbox.exchange import Event, Problem, ReceivedCall, answer
from bridge.sandbox.journal import Kind
from bridge.sandbox.posthog_list import PRIORITIES, STATUSES, clean_tags, filtered, number
from bridge.sandbox.store import Record, micros_iso, past, random_uuid
from bridge.sandbox.vendor_app import Sandbox

_SORTS = ("updated_at", "created_at", "ticket_number", "sla_due_at", "snoozed_until")
_WRITABLE = (
    "status", "priority", "anonymous_traits", "ai_resolved", "escalation_reason",
    "assignee", "tags", "snoozed_until", "sla_due_at",
)  # fmt: skip
_ON_CREATE = _WRITABLE[:5]
"""Of the writable fields, those that a create takes: neither assignee nor tags."""
_ROOT = "/api/projects/<project_id>/conversations/tickets"


class PostHogSandbox(Sandbox):
    """A PostHog project in memory."""

    SYSTEM = "posthog"
    CARRIES = ("status", "priority", "assignee", "tags")
    SIGNING = Webhook("standard-webhooks", ())
    CHOICES: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "status": {status: status for status in STATUSES},
        "priority": {"low": "low", "normal": "medium", "high": "high", "urgent": "critical"},
    }
    ASSIGNEE_FIELD = "assignee"
    LOSSY: ClassVar[Mapping[str, Mapping[str, str]]] = {"status": {"closed": "resolved"}}
    ACCOUNT_OPTIONS: ClassVar[Mapping[str, Any]] = {"project_id": "12345"}
    OPTIONS: ClassVar[Mapping[str, Any]] = {
        "project_id": "12345",
        "post": 201,
        "tags_licensed": True,
        "ids_supported": False,
        "critical": True,
        "bulk_supported": True,
        "messages_listed": True,
        "scopes": ["ticket:read", "ticket:write"],
    }
    VOLATILE = frozenset({"updated_at", "unread_team_count"})
    ROUTES = Map(
        [
            Rule(_ROOT, endpoint="list_tickets", methods=["GET"]),
            Rule(_ROOT, endpoint="create_ticket", methods=["POST"]),
            Rule(f"{_ROOT}/unread_count", endpoint="unread_count", methods=["GET"]),
            Rule(f"{_ROOT}/compose", endpoint="compose", methods=["POST"]),
            Rule(f"{_ROOT}/bulk_update_tags", endpoint="bulk_update_tags", methods=["POST"]),
            Rule(f"{_ROOT}/<ticket_id>", endpoint="get_ticket", methods=["GET"]),
            Rule(f"{_ROOT}/<ticket_id>", endpoint="update_ticket", methods=["PATCH"]),
            Rule(f"{_ROOT}/<ticket_id>", endpoint="delete_ticket", methods=["DELETE"]),
            Rule(f"{_ROOT}/<ticket_id>/messages", endpoint="list_messages", methods=["GET"]),
        ],
        strict_slashes=False,
    )

    @classmethod
    def agent_id(cls, agent: population.Agent) -> str:
        """Return the id of a user, as the mapping writes one."""
        return f"user:{10 + agent.number}"

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
            list(self.store),
            call.query,
            ids=self.options["ids_supported"],
            tags=self.options["tags_licensed"],
        )
        order = call.query.get("order_by", "-updated_at")
        column = order.removeprefix("-")
        if column not in _SORTS:
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
        if self.options["post"] == 405:
            raise Problem(405, "method_not_allowed", 'Method "POST" not allowed.')
        if self.options["post"] != 201:
            raise Problem(500, "error", "A server error occurred.")
        record = self.made(fields)
        call.ignored = tuple(sorted(set(fields) - set(_ON_CREATE)))
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
            raise Problem(
                403, "permission_denied", "This action does not support Personal API Key access"
            )
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
            "email_subject": None, "email_from": None, "cc_participants": [],
            "organization_id": None, "person": None, "tags": [],
        }  # fmt: skip
        if human is not None:
            fields = {name: value for name, value in human.items() if name in _WRITABLE}
            record |= {
                name: value
                for name, value in human.items()
                if name in record and name not in fields
            }
        else:
            fields = {name: fields[name] for name in _ON_CREATE if name in fields}
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
        """Return events of creates and of changed status, priority and assignee: all there are."""
        made: list[tuple[str, dict[str, Any]]] = []
        if kind == "create":
            made.append(("$conversation_ticket_created", {}))
        elif kind in {"write", "edit"}:
            for name in ("status", "priority"):
                if name in before:
                    changed = {f"old_{name}": before[name], f"new_{name}": record[name]}
                    made.append((f"$conversation_ticket_{name}_changed", changed))
            if "assignee" in sent:
                to = record["assignee"] or {"type": None, "id": None}
                assigned = {
                    "assignee_type": to["type"],
                    "assignee_id": None if to["id"] is None else str(to["id"]),
                }
                made.append(("$conversation_ticket_assigned", assigned))
            if "last_message_at" in before:
                text = record["last_message_text"]
                message = {"message_content": text, "author_type": "customer"}
                made.append(("$conversation_message_received", message))
        base = {
            name: record[name] for name in ("ticket_number", "channel_source", "status", "priority")
        }
        identity = str(record["id"])
        return [
            Event(name, identity, {"ticket_id": identity, **base, **extra}) for name, extra in made
        ]

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
        return record

    def _applied(
        self, record: Record, fields: Mapping[str, Any], *, human: bool
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        new = dict(record)
        ignored = []
        for name, value in fields.items():
            if name not in _WRITABLE or (
                name == "tags" and not human and not self.options["tags_licensed"]
            ):
                ignored.append(name)
            elif name == "tags":
                new["tags"] = sorted(clean_tags(value))
            elif name == "assignee":
                new["assignee"] = _assignee(value)
            else:
                self._validate(name, value)
                new[name] = value
        # Snoozing is a status here: `on_hold` until the time has come.
        if "snoozed_until" in fields and "status" not in fields:
            new["status"] = "on_hold" if fields["snoozed_until"] else "open"
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
        return {**record, "tags": record["tags"] if self.options["tags_licensed"] else []}


def _assignee(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Problem(400, "invalid", "Expected an object.", "assignee")
    if value.get("type") == "role":
        return {"type": "role", "id": value.get("id"), "role": {"name": "Support"}}
    for agent in population.AGENTS:
        if PostHogSandbox.agent_id(agent) == f"{value.get('type')}:{value.get('id')}":
            return {
                "type": "user",
                "id": value["id"],
                "user": {"email": agent.email, "first_name": agent.name},
            }
    raise Problem(400, "invalid", "Assignee is not a member of the organization.", "assignee")
