"""Switch's conversations and customers, and its catalogues of agents, tags and articles.

A conversation that is a reply and not internal goes to the customer. It is never changed or
deleted. Customers show no time of their last change unless the option says so. Deleting a customer
or a tag, or writing to a catalogue, is journalled as `forbidden: …`.

Notes on sessions are conversations like any other, and nothing here tells them from messages. For
the journal the option `notes` does: `session` or `message`, whichever of the two the bridge mirrors
to this deployment.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from werkzeug.wrappers import Response

from bridge.sandbox import population
from bridge.sandbox.exchange import Event, Problem, ReceivedCall, answer
from bridge.sandbox.journal import Kind
from bridge.sandbox.store import Record, Store, seconds_iso
from bridge.sandbox.vendor_app import Sandbox

MESSAGE, CUSTOMER, SESSION = "message", "customer", "session"
KINDS = {
    "conversations": MESSAGE,
    "customers": CUSTOMER,
    "users": "agent",
    "tags": "tag",
    "articles": "article",
}
"""Path -> entity."""
_PREFIX = {MESSAGE: "conv", CUSTOMER: "cust", "tag": "tag", "article": "art"}
_NOUN = {MESSAGE: "conversation", SESSION: "conversation", CUSTOMER: "customer"}
_FILTERS = ("ticket_id", "type", "email", "phone", "status", "collection_id")
_TYPES = ("reply", "note", "system")
_PROFILE = ("name", "phone", "company")


class SwitchOthers(Sandbox):
    """Everything of a Switch deployment but its tickets."""

    ENTITIES = (CUSTOMER, MESSAGE)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.catalogues = {entity: Store(self.clock) for entity in ("agent", "tag", "article")}
        for agent in population.AGENTS:
            row = {"id": self.agent_id(agent), "name": agent.name, "email": agent.email}
            self.catalogues["agent"].put(row)

    @classmethod
    def agent_id(cls, agent: population.Agent) -> str:
        """Return the id of somebody of the support team."""
        return f"usr_{agent.number}"

    # The API.

    def collection(self, call: ReceivedCall) -> Response:
        """List records, or add one."""
        call.entity = entity = _entity(call)
        if call.request.method == "GET":
            known = self.listed(entity) if entity in self.others else self.catalogues[entity]
            query = call.query
            rows = [row for row in known if _matches(row, query)]
            sorts = (
                ("created_at", "updated_at") if self.options["customers_dated"] else ("created_at",)
            )
            if entity == CUSTOMER:
                return self._page(call, rows, sorts, self._shown)
            oldest_first = entity == MESSAGE and self.options["conversations_first"] == "oldest"
            usual = "asc" if oldest_first else "desc"
            return self._page(call, rows, ("created_at",), self._shown, usual)
        fields = self._writable(call, entity)
        record: Record
        if entity == MESSAGE:
            record = self._new_message(fields)
            if not record["internal"]:
                call.note = "reply: went to the customer"
            elif record["type"] == "note":
                # An internal note may be a mirrored session: only the run knows which.
                entity = self.options["notes"]
        elif entity == CUSTOMER:
            record = self._new_customer(fields)
        else:
            record = {"id": self._id(entity), **fields, "created_at": seconds_iso(self.clock.now())}
            self.catalogues[entity].put(record)
        self.committed(call, "create", None, record, entity=entity)
        call.events += self._events_of("create", entity, record)
        return answer({"data": self._shown(record)}, 201)

    def single(self, call: ReceivedCall, record_id: str) -> Response:
        """Show, change or delete one record."""
        entity = _entity(call)
        call.entity, call.id = entity, record_id
        record = self._store(entity).get(record_id)
        if record is None:
            raise Problem(404, "NOT_FOUND", f"{entity.title()} not found")
        if call.request.method == "GET":
            return answer({"data": self._shown(record)})
        if call.request.method == "DELETE":
            self._writable(call, entity)
            call.note = f"forbidden: a {entity} deleted"
            self._store(entity).drop(record_id)
            self.committed(call, "delete", record, record, entity=entity)
            call.events += self._events_of("delete", entity, record)
            return Response(status=204)
        new = self._changed_record(entity, record, self._writable(call, entity))
        self.committed(call, "write", record, new, entity=entity)
        call.events += self._events_of("edit", entity, new)
        return answer({"data": self._shown(new)})

    # What people do.

    def records(self, entity: str) -> list[Record]:
        """Return every record of an entity; of sessions, the notes that may be about one."""
        if entity == SESSION:
            return [
                row for row in self.records(MESSAGE) if row["type"] == "note" and row["internal"]
            ]
        return super().records(entity)

    def message(self, record_id: str, text: str, seconds_ago: float = 0.0) -> Record:
        """Let the customer reply to a ticket; the API shows no author."""
        with self.lock:
            at = self.clock.now() - timedelta(seconds=seconds_ago)
            given = {"ticket_id": record_id, "content": text, "type": "reply", "internal": False}
            record = self._new_message(given, at=seconds_iso(at))
            return self._emitted("create", None, record, MESSAGE)

    def note(self, record_id: str, text: str, kind: str = "note") -> Record:
        """Let an agent leave words for other agents on a ticket."""
        with self.lock:
            record = self._new_message(
                {"ticket_id": record_id, "content": text, "type": kind, "internal": True}
            )
            return self._emitted("create", None, record, MESSAGE)

    def edit_customer(self, record_id: str, fields: Mapping[str, Any]) -> Record:
        """Let an agent change a customer, custom fields included."""
        with self.lock:
            old = self.others[CUSTOMER].get(record_id)
            if old is None:
                raise Problem(404, "NOT_FOUND", f"Customer {record_id} not found")
            new = {**old, **fields, "updated_at": seconds_iso(self.clock.now())}
            self.others[CUSTOMER].put(new)
            return self._emitted("edit", old, new, CUSTOMER)

    def customer_of(self, email: Any, name: Any) -> Record | None:
        """Return the customer with this address as a ticket shows one, created if unknown."""
        if not email:
            return None
        for customer in self.others[CUSTOMER]:
            if customer["email"] == email:
                return {"id": customer["id"], "email": email}
        return {
            "id": self._new_customer({"email": email, "name": name or ""})["id"],
            "email": email,
        }

    # Records.

    def _new_message(self, fields: Mapping[str, Any], at: str = "") -> Record:
        if not isinstance(fields.get("content"), str) or not fields["content"].strip():
            raise Problem(400, "BAD_REQUEST", "content is required", "content")
        if fields.get("type", "reply") not in _TYPES or not isinstance(
            fields.get("internal", False), bool
        ):
            raise Problem(400, "BAD_REQUEST", "type or internal is not valid", "type")
        record: dict[str, Any] = {
            "id": self._id(MESSAGE),
            "ticket_id": self._present(str(fields.get("ticket_id")))["id"],
            "type": fields.get("type", "reply"),
            "internal": fields.get("internal", False),
            "content_text": fields["content"],
            "created_at": at or seconds_iso(self.clock.now()),
        }
        self.others[MESSAGE].put(record)
        return record

    def _new_customer(self, fields: Mapping[str, Any]) -> Record:
        email = fields.get("email")
        if not isinstance(email, str) or "@" not in email:
            raise Problem(400, "BAD_REQUEST", "email is required", "email")
        if any(row["email"] == email for row in self.others[CUSTOMER]):
            raise Problem(
                self.options["customer_again"],
                "BAD_REQUEST",
                "A customer has this email already",
                "email",
            )
        now = seconds_iso(self.clock.now())
        record: Record = {
            "id": self._id(CUSTOMER),
            "email": email,
            **{name: fields.get(name) for name in _PROFILE},
            "custom_fields": {},
            "created_at": now,
            "updated_at": now,
        }
        self.others[CUSTOMER].put(record)
        return record

    def _changed_record(self, entity: str, record: Record, fields: Mapping[str, Any]) -> Record:
        taken = dict(fields)
        if entity == CUSTOMER:
            if not isinstance(taken.get("custom_fields", {}), dict):
                raise Problem(400, "BAD_REQUEST", "custom_fields is an object", "custom_fields")
            taken["updated_at"] = seconds_iso(self.clock.now())
        new = {**record, **taken, "id": record["id"]}
        self._store(entity).put(new)
        return new

    def _shown(self, record: Record) -> dict[str, Any]:
        shown = dict(record)
        if "custom_fields" in record:
            shown["ticket_count"] = sum(
                (row["customer"] or {}).get("id") == record["id"] for row in self.tickets()
            )
            if not self.options["customers_dated"]:
                del shown["updated_at"]
        return shown

    def _store(self, entity: str) -> Store:
        return self.others[entity] if entity in self.others else self.catalogues[entity]

    def _id(self, entity: str) -> str:
        return f"{_PREFIX[entity]}_{self.rng.getrandbits(48):012x}"

    def _writable(self, call: ReceivedCall, entity: str) -> dict[str, Any]:
        if entity in self.catalogues:
            call.note = f"forbidden: a {entity} written"
        return call.body()

    def _events_of(self, kind: Kind, entity: str, record: Record) -> list[Event]:
        if entity not in _NOUN:
            return []
        what = {"create": "created", "delete": "deleted"}.get(kind, "updated")
        return [Event(f"{_NOUN[entity]}.{what}", str(record["id"]), self._shown(record))]

    def _emitted(self, kind: Kind, old: Record | None, new: Record, entity: str) -> Record:
        record = self._by_human(kind, old, new, entity=entity)
        self._emit(self._events_of(kind, entity, record))
        return record

    @abstractmethod
    def _page(
        self,
        call: ReceivedCall,
        rows: list[Record],
        sorts: Sequence[str],
        show: Any,
        usual: str = "desc",
    ) -> Response:
        """Answer with a page of rows; `usual` is their direction where none is asked for."""


def _entity(call: ReceivedCall) -> str:
    """Return what the first part of a documented path is about."""
    return KINDS[call.path.split("/")[1]]


def _matches(row: Record, query: Mapping[str, str]) -> bool:
    if any(name in query and row.get(name) != query[name] for name in _FILTERS):
        return False
    if query.get("search") and not any(
        query["search"].casefold() in str(row.get(name) or "").casefold()
        for name in ("name", "email", "title")
    ):
        return False
    return "internal" not in query or bool(row.get("internal")) == (query["internal"] == "true")
