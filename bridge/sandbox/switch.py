"""Switch's REST API as its guide documents it, with the traps that the guide does not mention.

Times and cursors have whole seconds, so rows that share a second can fall between two pages. List
rows lack `description` and `custom_fields`. Priorities are written as `medium` or `normal` and read
as the option says. A delete is soft. What a PATCH of tags, subject or a null assignee does is not
documented: options decide. Everything but tickets is in switch_others.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from werkzeug.wrappers import Request, Response

from bridge.core.model.syncs import Webhook
from bridge.sandbox import population
from bridge.sandbox.documented_calls import IGNORE, REFUSE, STRICT
from bridge.sandbox.exchange import Event, Problem, ReceivedCall, answer
from bridge.sandbox.journal import Kind
from bridge.sandbox.store import Record, from_iso, past, seconds_iso
from bridge.sandbox.switch_calls import CALLS, PRIORITIES, STATUSES
from bridge.sandbox.switch_others import SwitchOthers

TEAMS = ("Billing", "Product", "Infrastructure")
"""What people there choose among, in a field that they have added themselves."""
_ORDER = {"low": 0, "medium": 1, "normal": 1, "high": 2, "urgent": 3}
_SORTS = ("created_at", "updated_at", "priority")
_DETAIL_ONLY = ("description", "custom_fields", "deleted_at")


class SwitchSandbox(SwitchOthers):
    """A Switch deployment in memory."""

    SYSTEM = "switch"
    PREFIX = "/api/v1"
    CARRIES = ("subject", "status", "priority", "assignee", "tags", "team")
    SIGNING = Webhook(
        "hmac-sha256",
        (),
        header="X-Webhook-Signature",
        event="event",
        id="data.id",
        delivery="X-Webhook-Delivery",
    )
    CHOICES: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "status": {
            "new": "new",
            "open": "open",
            "pending": "pending",
            "resolved": "resolved",
            "closed": "closed",
        },
        "priority": {"low": "low", "normal": "medium", "high": "high", "urgent": "urgent"},
        "team": {"billing": "Billing", "product": "Product", "infra": "Infrastructure"},
    }
    PLACES: ClassVar[Mapping[str, tuple[str, str]]] = {"team": ("custom_fields", "team")}
    ASSIGNEE_FIELD = "assignee_id"
    SUBJECT_FIELD = "subject"
    TAKES_REPLIES = True
    ALSO_READS: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "status": {"in_progress": "open"},
        "priority": {"normal": "normal"},
    }
    LOSSY: ClassVar[Mapping[str, Mapping[str, str]]] = {"status": {"on_hold": "pending"}}
    NEVER_EMPTY: ClassVar[Mapping[str, str]] = {"priority": "normal"}
    UNREAD = ({"status": "escalated"},)
    OPTIONS: ClassVar[Mapping[str, Any]] = {
        "priority_word": "medium",
        "other_word": True,  # whether the other one of `medium` and `normal` is taken
        "patch_tags": True,
        "patch_subject": True,
        "null_assignee": True,
        "patch_custom_fields": True,  # the whole object; or merge: names that are left out stay
        "tags_match": "any",
        "delete_status": 204,
        "create": True,  # or the status of the refusal
        "cursor": "exclusive",  # or inclusive: of the row that it names
        "conversations_first": "newest",  # or oldest: no order can be asked for
        "customers_dated": False,
        "customer_again": 400,
        "webhook_data": "record",  # or nested: the record is in it, under its own name
        # The entity under which an internal note is journalled that comes by the API: session, or
        # message.
        "notes": "session",
    }
    DEPLOYMENTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        STRICT: (IGNORE, REFUSE),
        "list_lag": (0.0, 1.0),
        "priority_word": ("medium", "normal"),
        "patch_tags": (True, IGNORE, REFUSE),
        "patch_subject": (True, IGNORE, REFUSE),
        "null_assignee": (True, IGNORE, REFUSE),
        "patch_custom_fields": (True, "merge", IGNORE, REFUSE),
        "tags_match": ("any", "all"),
        "delete_status": (204, 200),
        "create": (True, True, True, 405),
        "cursor": ("exclusive", "inclusive"),
        "conversations_first": ("newest", "oldest"),
        "webhook_data": ("record", "nested"),
    }
    CALLS = CALLS

    def unauthorised(self, request: Request) -> Problem | None:
        """Refuse all but the bearer key."""
        if request.headers.get("Authorization") == f"Bearer {self.api_key}":
            return None
        return Problem(401, "UNAUTHORIZED", "Invalid or missing API key")

    def problem(self, problem: Problem) -> Response:
        """Refuse the way the guide's `Error Format` shows."""
        code = {400: "BAD_REQUEST", 405: "BAD_REQUEST"}.get(problem.status, problem.code)
        details = {"field": problem.field} if problem.field else {}
        return answer(
            {"error": {"code": code, "message": problem.message, "details": details}},
            problem.status,
        )

    # Tickets.

    def list_tickets(self, call: ReceivedCall) -> Response:
        """List live tickets, filtered, sorted, a page at a time."""
        query = call.query
        rows = [row for row in self.listed() if self._matches(row, query)]
        return self._page(call, rows, _SORTS, _listed)

    def _matches(self, row: Record, query: Mapping[str, str]) -> bool:
        """Return whether a ticket passes all filters of a listing."""
        if any(name in query and row[name] != query[name] for name in ("status", "priority")):
            return False
        if query.get("unassigned") == "true" and row["assignee"] is not None:
            return False
        for name, part in (("assignee_id", "assignee"), ("customer_id", "customer")):
            if name in query and (row[part] or {}).get("id") != query[name]:
                return False
        if query.get("tags"):
            wanted = {tag.strip() for tag in query["tags"].split(",")}
            meets = all if self.options["tags_match"] == "all" else any
            if not meets(tag in row["tags"] for tag in wanted):
                return False
        return query.get("search", "").casefold() in row["subject"].casefold()

    def get_ticket(self, call: ReceivedCall, ticket_id: str) -> Response:
        """Show one ticket, whole."""
        call.id = ticket_id
        return answer({"data": _shown(self._present(ticket_id))})

    def create_ticket(self, call: ReceivedCall) -> Response:
        """Open a ticket; an unknown customer is created on the way."""
        fields = call.body()
        if self.options["create"] is not True:
            status = int(self.options["create"] or 403)
            raise Problem(status, "FORBIDDEN", "Insufficient permissions")
        record = self.made(fields)
        self.committed(call, "create", None, record)
        return answer({"data": _shown(record)}, 201)

    def update_ticket(self, call: ReceivedCall, ticket_id: str) -> Response:
        """Change what is documented and what the options add; ignore anything else silently."""
        call.id = ticket_id
        fields = call.body()
        record = self._present(ticket_id)
        new, _ = self.changed(record, fields, human=False)
        self.committed(call, "write", record, new)
        return answer({"data": _shown(new)})

    def delete_ticket(self, call: ReceivedCall, ticket_id: str) -> Response:
        """Delete softly."""
        call.id = ticket_id
        record = self._present(ticket_id)
        self.remove(record)
        self.committed(call, "delete", record, self.store.get(ticket_id) or record)
        status = self.options["delete_status"]
        return (
            Response(status=204) if status == 204 else answer({"data": {"id": ticket_id}}, status)
        )

    def made(self, fields: Mapping[str, Any], *, human: Mapping[str, Any] | None = None) -> Record:
        """Make a ticket: new, medium, unassigned. A human may say more."""
        given = fields if human is None else human
        subject = _subject(given.get("subject"))
        now = seconds_iso(self.clock.now())
        record: dict[str, Any] = {
            "id": f"tkt_{self.rng.getrandbits(56):014x}",
            "subject": subject,
            "status": "new",
            "priority": self._priority(given.get("priority", "medium")),
            "description": given.get("description") or "",
            "customer": self.customer_of(given.get("customer_email"), given.get("customer_name")),
            "assignee": None,
            "tags": self._tags(given.get("tags") or []),
            "custom_fields": {},
            "created_at": now,
            "updated_at": now,
            "deleted_at": None,
        }
        if human is not None:
            record["status"] = human.get("status", "new")
            record["assignee"] = self._agent(human.get("assignee_id"))
            record["custom_fields"] = _own_fields(human.get("custom_fields", {}))
            record |= {name: human[name] for name in ("created_at", "updated_at") if name in human}
        self.store.put(record)
        return record

    def changed(
        self, record: Record, fields: Mapping[str, Any], *, human: bool
    ) -> tuple[Record, tuple[str, ...]]:
        """Change a ticket."""
        new = dict(record)
        merges = human or self.options["patch_custom_fields"] == "merge"
        for name, value in fields.items():
            if name == "custom_fields":
                new[name] = {**(new[name] if merges else {}), **_own_fields(value)}
            else:
                self._set(new, name, value)
        new["updated_at"] = seconds_iso(self.clock.now())
        self.store.put(new)
        return new, ()

    def _set(self, ticket: dict[str, Any], name: str, value: Any) -> None:
        """Set one field of a ticket. Raises Problem."""
        if name == "status":
            if value not in STATUSES:
                raise Problem(400, "BAD_REQUEST", f"Invalid status: {value}", name)
            ticket[name] = value
        elif name == "priority":
            ticket[name] = self._priority(value)
        elif name == "assignee_id":
            ticket["assignee"] = self._agent(value)
        elif name == "tags":
            ticket[name] = self._tags(value)
        elif name == "subject":
            ticket[name] = _subject(value)

    def remove(self, record: Record) -> None:
        """Mark as deleted."""
        now = seconds_iso(self.clock.now())
        self.store.put({**record, "deleted_at": now, "updated_at": now})

    def seeded(self, draft: population.TicketDraft, index: int, count: int) -> Mapping[str, Any]:
        """Translate a drafted ticket."""
        at = seconds_iso(past(self.clock.now(), index, count))
        return {
            "subject": draft.subject,
            "description": draft.body,
            "customer_email": draft.customer,
            "customer_name": draft.name,
            "priority": self.CHOICES["priority"][draft.priority],
            "status": draft.status,
            "tags": list(draft.tags),
            "assignee_id": self.agent_id(draft.agent) if draft.agent else None,
            "custom_fields": {"team": TEAMS[index % len(TEAMS)]} if index % 4 else {},
            "created_at": at,
            "updated_at": at,
        }

    # Webhooks.

    def events(
        self,
        kind: Kind,
        record: Record,
        before: Mapping[str, Any],  # noqa: ARG002
        sent: Mapping[str, Any],  # noqa: ARG002
    ) -> list[Event]:
        """Tell of every create, change and delete, a change of nothing included."""
        name = {"create": "ticket.created", "delete": "ticket.deleted"}.get(kind, "ticket.updated")
        return [Event(name, str(record["id"]), _listed(record))]

    def envelope(self, event: Event, unique: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Wrap an event as the vendor's sibling product does."""
        body = {
            "event": event.name,
            "timestamp": seconds_iso(self.clock.now()),
            "data": event.properties,
        }
        if self.options["webhook_data"] == "nested":
            body["data"] = {event.name.partition(".")[0]: event.properties}
        return body, {
            "x-webhook-event": event.name,
            "x-webhook-delivery": str(uuid.uuid5(uuid.NAMESPACE_OID, unique)),
        }

    def _page(
        self,
        call: ReceivedCall,
        rows: list[Record],
        sorts: Sequence[str],
        show: Any,
        usual: str = "desc",
    ) -> Response:
        query = call.query
        column = query.get("order_by", "created_at")
        direction = query.get("order_dir", usual)
        if column not in sorts or direction not in {"asc", "desc"}:
            raise Problem(400, "BAD_REQUEST", f"Cannot sort by {column} {direction}", "order_by")
        try:
            limit = max(1, min(100, int(query.get("limit", "25"))))
            cursor: datetime | None = from_iso(query["cursor"]) if query.get("cursor") else None
        except ValueError:
            raise Problem(
                400, "BAD_REQUEST", "limit is a number, cursor an ISO timestamp", "cursor"
            ) from None
        total = len(rows)
        # There is no cursor by priority: sorted by that, a page still continues by time.
        dated = column if column != "priority" else "created_at"
        descending = direction == "desc"
        if cursor is not None:
            # Times have whole seconds and the cursor excludes its own: rows that share the last
            # row's second fall between two pages. This is the trap.
            at = seconds_iso(cursor)
            own = at if self.options["cursor"] == "inclusive" else ""
            rows = [
                row
                for row in rows
                if (row.get(dated, "") < at if descending else row.get(dated, "") > at)
                or row.get(dated) == own
            ]
        rows = sorted(rows, key=lambda row: _sort_key(row, column), reverse=descending)
        page = rows[:limit]
        following = page[-1].get(dated) if len(rows) > limit else None
        return answer(
            {
                "data": [show(row) for row in page],
                "meta": {"limit": limit, "total": total, "next_cursor": following},
            }
        )

    def _priority(self, value: Any) -> str:
        if value not in PRIORITIES:
            raise Problem(400, "BAD_REQUEST", f"Invalid priority: {value}", "priority")
        other = {"medium": "normal", "normal": "medium"}[self.options["priority_word"]]
        if value == other and not self.options["other_word"]:
            raise Problem(400, "BAD_REQUEST", f"Invalid priority: {value}", "priority")
        return str(self.options["priority_word"]) if value in {"medium", "normal"} else str(value)

    def _tags(self, value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
            raise Problem(400, "BAD_REQUEST", "tags is a list of strings", "tags")
        return list(dict.fromkeys(value))

    def _agent(self, agent_id: Any) -> Record | None:
        if agent_id is None:
            return None
        agent = self.catalogues["agent"].get(str(agent_id))
        if agent is None:
            raise Problem(400, "BAD_REQUEST", f"Unknown assignee: {agent_id}", "assignee_id")
        return agent


def _listed(record: Record) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in _DETAIL_ONLY}


def _shown(record: Record) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "deleted_at"}


def _own_fields(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Problem(400, "BAD_REQUEST", "custom_fields is an object", "custom_fields")
    return dict(value)


def _subject(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 500:
        raise Problem(400, "BAD_REQUEST", "subject is required, at most 500 characters", "subject")
    return value


def _sort_key(row: Record, column: str) -> Any:
    return _ORDER[row["priority"]] if column == "priority" else row.get(column, "")
