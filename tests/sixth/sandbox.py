"""Tinydesk's API over records in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from bridge.core.syncs import Webhook
from bridge.sandbox import population
from bridge.sandbox.app import Sandbox
from bridge.sandbox.exchange import Call, Event, Problem, answer
from bridge.sandbox.journal import Kind
from bridge.sandbox.store import Record
from tests.sixth.connector import STATES


class TinydeskSandbox(Sandbox):
    """A Tinydesk in memory."""

    SYSTEM = "tinydesk"
    CARRIES = ("subject", "status", "tags")
    VOLATILE = frozenset({"changed"})
    SIGNING = Webhook("hmac-sha256", (), header="X-Tiny-Signature", event="event", id="item")
    OPTIONS: ClassVar[Mapping[str, Any]] = {}
    ROUTES = Map(
        [
            Rule("/items", endpoint="many", methods=["GET", "POST"]),
            Rule("/items/<int:number>", endpoint="one", methods=["GET", "PUT"]),
        ]
    )
    count = 0

    def unauthorised(self, request: Request) -> Problem | None:
        """Want the bearer key."""
        good = request.headers.get("Authorization") == f"Bearer {self.api_key}"
        return None if good else Problem(401, "no", "who are you?")

    def problem(self, problem: Problem) -> Response:
        """Refuse in one line."""
        return answer({"error": problem.message}, problem.status)

    def many(self, call: Call) -> Response:
        """List, or make one."""
        if call.request.method == "POST":
            fields = call.body()
            if any(row["ref"] == fields.get("ref") for row in self.store if fields.get("ref")):
                raise Problem(409, "twice", "this ref is taken")
            record = self.made(fields)
            self.committed(call, "create", None, record)
            return answer(record, 201)
        rows = list(self.store)
        for name in ("ref", "asker"):
            if name in call.query:
                rows = [row for row in rows if row[name] == call.query[name]]
        after = int(call.query.get("after", 0))
        return answer(
            {"items": sorted((row for row in rows if row["changed"] > after), key=lambda r: r["changed"])[:5]}
        )

    def one(self, call: Call, number: int) -> Response:
        """Show or change one."""
        call.id = str(number)
        record = self._present(str(number))
        if call.request.method == "PUT":
            new, call.ignored = self.changed(record, call.body(), human=False)
            self.committed(call, "write", record, new)
            return answer(new)
        return answer(record)

    def made(self, fields: Mapping[str, Any], *, human: Mapping[str, Any] | None = None) -> Record:
        """Make an item."""
        given = fields if human is None else human
        record = {"id": len(self.store) + 1, "changed": self._tick(), "ref": given.get("ref"), "owner": None}
        record |= {name: given.get(name) for name in ("title", "text", "asker")}
        record |= {"state": given.get("state", "todo"), "labels": list(given.get("labels") or [])}
        self.store.put(record)
        return record

    def changed(self, record: Record, fields: Mapping[str, Any], *, human: bool) -> tuple[Record, tuple[str, ...]]:
        """Change an item."""
        del human
        if fields.get("state", "todo") not in STATES:
            raise Problem(400, "state", "there is no such state")
        new = {**record, **fields, "changed": self._tick()}
        self.store.put(new)
        return new, ()

    def remove(self, record: Record) -> None:
        """Drop it; only a human at the desk can."""
        self.store.drop(str(record["id"]))

    def seeded(self, draft: population.Draft, index: int, count: int) -> Mapping[str, Any]:
        """Translate a drafted ticket."""
        del index, count
        return {"title": draft.subject, "text": draft.body, "asker": draft.customer, "labels": list(draft.tags)}

    def events(self, kind: Kind, record: Record, before: Mapping[str, Any], sent: Mapping[str, Any]) -> list[Event]:
        """Tell of every change."""
        del kind, before, sent
        return [Event("item.changed", str(record["id"]), {})]

    def envelope(self, event: Event, unique: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Put it in a body."""
        del unique
        return {"event": event.name, "item": event.record_id}, {}

    def _tick(self) -> int:
        self.count += 1
        return self.count
