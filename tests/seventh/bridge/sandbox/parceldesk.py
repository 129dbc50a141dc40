"""Parcel Desk's API over records in memory, with its traps.

Pages are cut to 50 rows and move when somebody removes a ticket; `total` is up to a minute old; a
filter that an older desk does not know is ignored (an option); rows have no labels, which are added
and removed one at a time; what is done needs a reason; a version counts changes, and no time shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from werkzeug.wrappers import Request, Response

from bridge.core.model.syncs import Webhook
from bridge.sandbox import population
from bridge.sandbox.exchange import Event, Problem, ReceivedCall, answer
from bridge.sandbox.journal import Kind
from bridge.sandbox.store import Record
from bridge.sandbox.vendor_app import FORBIDDEN, Sandbox
from tests.seventh.bridge.sandbox.parceldesk_calls import CALLS, STATUSES

PRIORITIES = ("1", "2", "3")
"""Numbers in the API; kept as text, as the words of CHOICES are."""
MAX_ROWS = 50
MAX_TITLE = 200
TOTAL_AGE = timedelta(minutes=1)
NAMES = {"title": "subject", "body": "description"}
"""Name of a field in the API -> the canonical name under which it is kept, where they differ."""
OURS = {"subject": "title", "tags": "labels"}
"""Canonical name -> the API's, for edits that are drafted for people of any system."""
STAFF = {agent.email for agent in population.AGENTS}


class ParcelDeskSandbox(Sandbox):
    """A Parcel Desk in memory."""

    SYSTEM = "parceldesk"
    CARRIES = ("subject", "status", "priority", "assignee", "tags")
    CHOICES: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "status": {"new": "todo", "open": "doing", "resolved": "done"},
        "priority": {"high": "1", "normal": "2", "low": "3"},
    }
    ASSIGNEE_FIELD = "assignee"
    LOSSY: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "status": {"pending": "doing", "on_hold": "doing", "closed": "done"},
        "priority": {"urgent": "1"},
    }
    NEVER_EMPTY: ClassVar[Mapping[str, str]] = {"priority": "normal"}
    VOLATILE = frozenset({"version"})
    SIGNING = Webhook("hmac-sha256", (), header="X-Parcel-Signature", event="event", id="ticket.id")
    OPTIONS: ClassVar[Mapping[str, Any]] = {"requester_filter": True}
    CALLS = CALLS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._last_id = 0
        self._counted: tuple[datetime, int] | None = None

    @classmethod
    def agent_id(cls, agent: population.Agent) -> str:
        """Return the address of somebody of the support team, by which the desk knows them."""
        return agent.email

    @classmethod
    def planted_marker(cls, record: Record) -> str:
        """Return the reference, where the bridge gave it."""
        reference = str(record["reference"] or "")
        return reference if reference.startswith("bridge-") else ""

    def unauthorised(self, request: Request) -> Problem | None:
        """Want the bearer key."""
        good = request.headers.get("Authorization") == f"Bearer {self.api_key}"
        return None if good else Problem(401, "unauthorised", "the key is not known")

    def problem(self, problem: Problem) -> Response:
        """Refuse, and name the field where it is one field's fault."""
        body = {"message": problem.message}
        return answer(body | ({"field": problem.field} if problem.field else {}), problem.status)

    # The API.

    def list_tickets(self, call: ReceivedCall) -> Response:
        """List a page of tickets by id, without labels."""
        rows = self.listed()
        if "requester" in call.query and self.options["requester_filter"]:
            asked = call.query["requester"].casefold()
            rows = [row for row in rows if self.customer_email(row) == asked]
        size = min(int(call.query.get("per_page", 20)), MAX_ROWS)
        start = (max(int(call.query.get("page", 1)), 1) - 1) * size
        page = [_shown(row) for row in rows[start : start + size]]
        return answer({"tickets": page, "total": self._total()})

    def create_ticket(self, call: ReceivedCall) -> Response:
        """Open a ticket."""
        record = self.made(call.body())
        self.committed(call, "create", None, record)
        return answer(_shown(record), 201)

    def get_ticket(self, call: ReceivedCall, number: str) -> Response:
        """Show a ticket without labels."""
        return answer(_shown(self._asked(call, number)))

    def patch_ticket(self, call: ReceivedCall, number: str) -> Response:
        """Change the fields that are sent."""
        record = self._asked(call, number)
        new, call.ignored = self.changed(record, call.body(), human=False)
        self.committed(call, "write", record, new)
        return answer(_shown(new))

    def delete_ticket(self, call: ReceivedCall, number: str) -> Response:
        """Refuse: only people remove tickets."""
        self._asked(call, number)
        call.note = f"{FORBIDDEN}a ticket is never deleted by the API"
        raise Problem(405, "not_allowed", "tickets are removed at the desk")

    def list_labels(self, call: ReceivedCall, number: str) -> Response:
        """Show a ticket's labels."""
        return answer({"labels": list(self._asked(call, number)["tags"])})

    def add_label(self, call: ReceivedCall, number: str) -> Response:
        """Add one label; one that is there is a conflict."""
        record = self._asked(call, number)
        name = call.body().get("name")
        if not isinstance(name, str) or not name.strip():
            raise Problem(422, "refused", "a label needs a name", "name")
        if name in record["tags"]:
            raise Problem(409, "conflict", "the label is there")
        self._relabelled(call, record, [*record["tags"], name])
        return answer({"name": name}, 201)

    def remove_label(self, call: ReceivedCall, number: str, name: str) -> Response:
        """Remove one label, spelled as it is."""
        record = self._asked(call, number)
        if name not in record["tags"]:
            raise Problem(404, "not_found", "there is no such label")
        self._relabelled(call, record, [label for label in record["tags"] if label != name])
        return Response(status=204)

    # Tickets.

    def made(self, fields: Mapping[str, Any], *, human: Mapping[str, Any] | None = None) -> Record:
        """Make a ticket."""
        given = fields if human is None else human
        if not given.get("requester"):
            raise Problem(422, "refused", "who asks?", "requester")
        fresh: dict[str, Any] = {
            "id": self._last_id + 1,
            "version": 0,
            "subject": "",
            "description": given.get("body"),
            "status": "todo",
            "reason": None,
            "priority": "2",
            "assignee": None,
            "customer": {"email": given["requester"]},
            "tags": [],
            "reference": given.get("reference"),
        }
        settable = {"title", "status", "reason", "priority", "assignee"}
        settable |= {"labels"} if human is not None else set()
        values = {name: given[name] for name in settable & given.keys()}
        record, _ = self.changed(fresh, {"title": None, **values}, human=human is not None)
        self._last_id += 1
        return record

    def changed(
        self, record: Record, fields: Mapping[str, Any], *, human: bool
    ) -> tuple[Record, tuple[str, ...]]:
        """Change a ticket; people at the desk need give no reason and may set labels."""
        new: dict[str, Any] = dict(record)
        ignored = []
        for given_name, value in fields.items():
            name = OURS.get(given_name, given_name) if human else given_name
            if name in CHECKS:
                new[NAMES.get(name, name)] = CHECKS[name](value)
            elif human and name == "labels":
                new["tags"] = list(dict.fromkeys(value))
            else:
                ignored.append(name)
        if new["status"] != "done":
            new["reason"] = None
        elif human:
            new["reason"] = new["reason"] or "closed at the desk"
        elif not new["reason"]:
            raise Problem(422, "refused", "what is done needs a reason", "reason")
        return self._put(new), tuple(ignored)

    def remove(self, record: Record) -> None:
        """Drop a ticket; only people can."""
        self.store.drop(str(record["id"]))

    def seeded(self, draft: population.TicketDraft, index: int, count: int) -> Mapping[str, Any]:
        """Translate a drafted ticket into what a human enters; every third has an order number."""
        del count
        return {
            "title": draft.subject,
            "body": draft.body,
            "status": self.CHOICES["status"].get(draft.status, "doing"),
            "priority": self.CHOICES["priority"].get(draft.priority, "1"),
            "assignee": draft.agent.email if draft.agent else None,
            "requester": draft.customer,
            "labels": list(draft.tags),
            "reference": None if index % 3 else f"order {index}",
        }

    def events(
        self, kind: Kind, record: Record, before: Mapping[str, Any], sent: Mapping[str, Any]
    ) -> list[Event]:
        """Tell of every change, those by the API too."""
        del before, sent
        name = {"create": "ticket.opened", "delete": "ticket.removed"}.get(kind, "ticket.changed")
        return [Event(name, str(record["id"]), {"version": record["version"]})]

    def envelope(self, event: Event, unique: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Put the time into the body, in whole seconds."""
        del unique
        # A forged webhook may be of an id that no desk has: it goes as it is.
        number = int(event.record_id) if event.record_id.isdigit() else event.record_id
        ticket = {"id": number, **event.properties}
        sent_at = int(self.clock.now().timestamp())
        return {"event": event.name, "sent_at": sent_at, "ticket": ticket}, {}

    def _asked(self, call: ReceivedCall, number: str) -> Record:
        call.id = number
        return self._present(call.id)

    def _relabelled(self, call: ReceivedCall, record: Record, labels: list[str]) -> None:
        self.committed(call, "write", record, self._put({**record, "tags": labels}))

    def _put(self, record: Mapping[str, Any]) -> Record:
        new = {**record, "version": record["version"] + 1}
        self.store.put(new)
        return new

    def _total(self) -> int:
        """Return how many tickets there were up to a minute ago."""
        now = self.clock.now()
        if self._counted is None or self._counted[0] + TOTAL_AGE <= now:
            self._counted = (now, len(self.tickets()))
        return self._counted[1]


def _title(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TITLE:
        raise Problem(422, "refused", f"a title has 1 to {MAX_TITLE} characters", "title")
    return value


def _status(value: Any) -> str:
    if value not in STATUSES:
        raise Problem(422, "refused", f"allowed: {', '.join(STATUSES)}", "status")
    return str(value)


def _priority(value: Any) -> str:
    if str(value) not in PRIORITIES:
        raise Problem(422, "refused", "allowed: 1, 2, 3", "priority")
    return str(value)


def _assignee(value: Any) -> Mapping[str, str] | None:
    if value is None:
        return None
    if value not in STAFF:
        raise Problem(422, "refused", "nobody has this address", "assignee")
    return {"email": value}


def _reason(value: Any) -> str | None:
    return None if value is None else str(value)


CHECKS = {
    "title": _title,
    "status": _status,
    "priority": _priority,
    "assignee": _assignee,
    "reason": _reason,
}
"""Name of a field in the API that can be changed -> what turns a value into how it is kept."""


def _shown(record: Record) -> dict[str, Any]:
    return {
        "id": record["id"],
        "version": record["version"],
        "title": record["subject"],
        "body": record["description"],
        "status": record["status"],
        "reason": record["reason"],
        "priority": int(record["priority"]),
        "assignee": record["assignee"] and record["assignee"]["email"],
        "requester": record["customer"]["email"],
        "reference": record["reference"],
    }
