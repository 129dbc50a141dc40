"""Tinydesk's API over records in memory, with its traps.

Five rows a page, a counter for a clock, unique refs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from werkzeug.wrappers import Request, Response

from bridge.core.model.syncs import Webhook
from bridge.sandbox import population
from bridge.sandbox.exchange import Event, Problem, ReceivedCall, answer
from bridge.sandbox.journal import Kind
from bridge.sandbox.store import Record
from bridge.sandbox.vendor_app import Sandbox
from tests.sixth.bridge.sandbox.tinydesk_calls import CALLS, STATES

KEPT = {"title": "subject", "text": "text", "state": "status", "labels": "tags"}
"""Name of a field in the API -> the canonical name under which it is kept, for the judge."""


class TinydeskSandbox(Sandbox):
    """A Tinydesk in memory."""

    SYSTEM = "tinydesk"
    CARRIES = ("subject", "status", "assignee", "tags")
    CHOICES: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "status": {"new": "todo", "open": "doing", "resolved": "done"}
    }
    ASSIGNEE_FIELD = "owner"
    LOSSY: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "status": {"pending": "doing", "on_hold": "doing", "closed": "done"}
    }
    VOLATILE = frozenset({"changed"})
    SIGNING = Webhook("hmac-sha256", (), header="X-Tiny-Signature", event="event", id="item")
    CALLS = CALLS
    count = 0

    @classmethod
    def agent_id(cls, agent: population.Agent) -> str:
        """Return the id of somebody of the support team."""
        return f"t-{agent.number}"

    @classmethod
    def planted_marker(cls, record: Record) -> str:
        """Return the ref of an item that came by the API."""
        return record["external_id"] or "" if record["source"] == "api" else ""

    def unauthorised(self, request: Request) -> Problem | None:
        """Want the bearer key."""
        good = request.headers.get("Authorization") == f"Bearer {self.api_key}"
        return None if good else Problem(401, "no", "who are you?")

    def problem(self, problem: Problem) -> Response:
        """Refuse in one line."""
        return answer({"error": problem.message}, problem.status)

    def list_items(self, call: ReceivedCall) -> Response:
        """List what changed after a count, or what has a ref or an asker."""
        rows = [_shown(row) for row in self.listed()]
        for name in ("ref", "asker"):
            if name in call.query:
                rows = [row for row in rows if row[name] == call.query[name]]
        after = int(call.query.get("after", 0))
        rows = sorted(
            (row for row in rows if row["changed"] > after), key=lambda row: row["changed"]
        )
        return answer({"items": rows[:5]})

    def create_item(self, call: ReceivedCall) -> Response:
        """Make one; refs are unique."""
        fields = call.body()
        ref = fields.get("ref")
        if ref and any(row["external_id"] == ref for row in self.store):
            raise Problem(409, "twice", "this ref is taken")
        record = self.made(fields)
        self.committed(call, "create", None, record)
        return answer(_shown(record), 201)

    def get_item(self, call: ReceivedCall, number: str) -> Response:
        """Show one."""
        call.id = number
        return answer(_shown(self._present(call.id)))

    def change_item(self, call: ReceivedCall, number: str) -> Response:
        """Change one."""
        call.id = number
        record = self._present(call.id)
        new, call.ignored = self.changed(record, call.body(), human=False)
        self.committed(call, "write", record, new)
        return answer(_shown(new))

    def made(self, fields: Mapping[str, Any], *, human: Mapping[str, Any] | None = None) -> Record:
        """Make an item."""
        given = fields if human is None else human
        record = {
            "id": len(self.store) + 1,
            "changed": self._tick(),
            "subject": given.get("title"),
            "text": given.get("text"),
            "status": given.get("state", "todo"),
            "assignee": self._owner(given.get("owner")),
            "tags": list(given.get("labels") or []),
            "customer": {"email": given.get("asker")},
            "external_id": given.get("ref"),
            "source": "api" if human is None else "desk",
        }
        self.store.put(record)
        return record

    def changed(
        self, record: Record, fields: Mapping[str, Any], *, human: bool
    ) -> tuple[Record, tuple[str, ...]]:
        """Change an item."""
        del human
        new = {**record, "changed": self._tick()}
        for name, value in fields.items():
            if name == "owner":
                new["assignee"] = self._owner(value)
            else:
                new[KEPT.get(name, name)] = value
        if new["status"] not in STATES:
            raise Problem(400, "state", "there is no such state")
        self.store.put(new)
        return new, ()

    def remove(self, record: Record) -> None:
        """Drop it; only a human at the desk can."""
        self.store.drop(str(record["id"]))

    def seeded(self, draft: population.TicketDraft, index: int, count: int) -> Mapping[str, Any]:
        """Translate a drafted ticket into what a human enters."""
        del index, count
        return {
            "title": draft.subject,
            "text": draft.body,
            "state": self.CHOICES["status"].get(draft.status, "doing"),
            "owner": self.agent_id(draft.agent) if draft.agent else None,
            "asker": draft.customer,
            "labels": list(draft.tags),
        }

    def events(
        self, kind: Kind, record: Record, before: Mapping[str, Any], sent: Mapping[str, Any]
    ) -> list[Event]:
        """Tell of every change."""
        del kind, before, sent
        return [Event("item.changed", str(record["id"]), {})]

    def envelope(self, event: Event, unique: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Put it in a body."""
        return {"event": event.name, "item": event.record_id, "change": unique}, {}

    def _owner(self, wanted: str | None) -> Mapping[str, str] | None:
        found = {self.agent_id(agent): agent.email for agent in population.AGENTS}
        if wanted is not None and wanted not in found:
            raise Problem(400, "owner", "there is no such person")
        return None if wanted is None else {"id": wanted, "email": found[wanted]}

    def _tick(self) -> int:
        self.count += 1
        return self.count


def _shown(record: Record) -> dict[str, Any]:
    owner = record["assignee"] or {}
    rest = {
        "owner": owner.get("id"),
        "asker": record["customer"]["email"],
        "ref": record["external_id"],
    }
    return {
        "id": record["id"],
        "changed": record["changed"],
        **{name: record[KEPT[name]] for name in KEPT},
        **rest,
    }
