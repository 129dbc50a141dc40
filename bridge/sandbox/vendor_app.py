"""The base of all sandboxes: admission of calls, faults, journal, webhooks, and what people do.

A subclass for each vendor answers the documented calls (`CALLS`) and says what a record looks like
there. Its facts (vendor_facts.py) are class attributes. What a call has beyond the documents is
journalled (documented_calls.py), and told loudly unless the connector declares that it probes it.
"""

from __future__ import annotations

import logging
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Request, Response

from bridge.clock import Clock
from bridge.sandbox import control, population
from bridge.sandbox.deployments import configured, usual_options
from bridge.sandbox.documented_calls import CallReading, CallTable
from bridge.sandbox.exchange import Event, Problem, ReceivedCall
from bridge.sandbox.faults import AFTER, BEFORE, THROTTLE, Dropped, Faults
from bridge.sandbox.journal import Journal, Kind
from bridge.sandbox.outbox import Outbox, Send, WebhookTarget
from bridge.sandbox.store import Record, Store, difference
from bridge.sandbox.throttle import Throttle
from bridge.sandbox.vendor_facts import VendorFacts

FORBIDDEN = "forbidden"
"""The beginning of the note of a call that no sync may ever make."""

log = logging.getLogger("bridge.sandbox")


class Sandbox(VendorFacts, ABC):
    """A vendor's API as a WSGI app over records in memory; `/_control/` plays its people."""

    CALLS: ClassVar[CallTable]
    """The API as its documents have it; each call names the method that answers."""
    journal: Journal
    outbox: Outbox

    def __init__(
        self,
        clock: Clock,
        rng: random.Random | int = 0,
        *,
        api_key: str = "",
        name: str = "",
        webhook: WebhookTarget | None = None,
        options: Mapping[str, Any] | None = None,
        faults: Mapping[str, float] | None = None,
        sequence: Iterator[int] | None = None,
        send: Send | None = None,
    ) -> None:
        self.clock = clock
        self.rng = random.Random(rng) if isinstance(rng, int) else rng
        self.api_key = api_key or f"sandbox-{self.SYSTEM}-key"
        self.name = name or self.SYSTEM
        self.options: dict[str, Any] = usual_options(self.OPTIONS)
        self.store = Store(clock)
        self.others = {entity: Store(clock) for entity in self.ENTITIES}
        self.lock = threading.RLock()
        self.journal = Journal(self.SYSTEM, self.name, clock, sequence)
        # Faults have a chance of their own: with and without them, ids and records are the same.
        chance = random.Random(self.rng.getrandbits(64))
        self.faults = Faults(chance, faults)
        self.outbox = Outbox(
            clock,
            chance,
            journal=self.journal,
            faults=self.faults,
            send=send or _nowhere,
            target=webhook,
        )
        self._throttle = Throttle()
        self.restricted: set[str] = set()
        """Tickets out of reach of the bridge's key: not listed, and refused where it writes."""
        self._marks: set[tuple[str, str]] = set()
        self.configure(options or {})

    def configure(self, options: Mapping[str, Any]) -> None:
        """Change options. Raises ValueError, naming those that there are."""
        self.options = configured(self.options, options)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Shown one request."""
        request = Request(environ)
        if request.path.startswith("/_control/"):
            return control.answer(self._control(), request)(environ, start_response)
        # Before the lock: a call counts as made when it arrives, not when its turn comes.
        arrived = self.clock.now()
        with self.lock:
            early = self._throttle.early(arrived)
            response = self._answer(request, f"{FORBIDDEN}: {early}" if early else "")
            response.date = self.clock.now()
        return response(environ, start_response)

    # What people do, for the control API and for tests in process.

    def edit(self, record_id: str, fields: Mapping[str, Any]) -> Record:
        """Let a human change fields, given in the system's own words.

        `add_tags` and `remove_tags` are understood as well.
        """
        with self.lock:
            record = self._present(record_id)
            wanted = dict(fields)
            if {"add_tags", "remove_tags"} & set(fields):
                kept = _without(record.get("tags") or [], wanted.pop("remove_tags", ()))
                wanted["tags"] = [*kept, *_without(wanted.pop("add_tags", ()), kept)]
            new, _ = self.changed(record, wanted, human=True)
            return self._by_human("edit", record, new)

    def create(self, fields: Mapping[str, Any]) -> Record:
        """Let a human (an agent or a customer) open a ticket; any of its fields may be given."""
        with self.lock:
            record = self.made({}, human=fields)
            return self._by_human("create", None, record)

    def delete(self, record_id: str) -> None:
        """Let a human delete a ticket."""
        with self.lock:
            record = self._present(record_id)
            self.remove(record)
            self._by_human("delete", record, None)

    def restrict(self, record_id: str, *, restricted: bool = True) -> None:
        """Let an admin take a ticket out of reach of the bridge's key, or give it back."""
        with self.lock:
            key = str(self._present(record_id)["id"])
            (self.restricted.add if restricted else self.restricted.discard)(key)

    def message(self, record_id: str, text: str, seconds_ago: float = 0.0) -> Record:
        """Let the customer write; `seconds_ago` dates the message back."""
        with self.lock:
            record = self._present(record_id)
            at = self.clock.now() - timedelta(seconds=seconds_ago)
            return self._by_human("edit", record, self.written_to(record, text, at))

    def populate(self, count: int, seed: int) -> list[str]:
        """Let humans make realistic tickets; return their ids in order."""
        with self.lock:
            drafts = population.tickets(count, seed)
            return [
                str(self.create(self.seeded(draft, index, count))["id"])
                for index, draft in enumerate(drafts)
            ]

    def tickets(self) -> list[Record]:
        """Return every live ticket, whole, without any side effect."""
        return self.records("ticket")

    def records(self, entity: str) -> list[Record]:
        """Return every live record of an entity, whole, without any side effect."""
        with self.lock:
            store = self.store if entity == "ticket" else self.others[entity]
            return [record for record in store if self.alive(record)]

    def listed(self, entity: str = "ticket") -> list[Record]:
        """Return what a listing shows of an entity: the option `list_lag` keeps it behind."""
        store = self.store if entity == "ticket" else self.others[entity]
        return [
            record
            for record in store.before(timedelta(seconds=self._lag))
            if self.alive(record) and str(record["id"]) not in self.restricted
        ]

    @property
    def _lag(self) -> float:
        return float(self.options["list_lag"])

    def _control(self) -> Mapping[str, control.Verb]:
        """Return what `/_control/` can do, by method and path."""
        return {
            "GET tickets": lambda _: self.tickets(),
            "GET records": lambda given: self.records(given["entity"]),
            "POST tickets": self.create,
            "POST edit": lambda given: self.edit(given["id"], given["fields"]),
            "POST delete": lambda given: self.delete(given["id"]),
            "POST message": lambda given: self.message(
                given["id"], given["text"], float(given.get("seconds_ago", 0))
            ),
            "POST restrict": lambda given: self.restrict(
                given["id"], restricted=bool(given.get("restricted", True))
            ),
            "POST populate": lambda given: self.populate(
                int(given["n"]), int(given.get("seed", 0))
            ),
            "GET journal": self.journal.rows,
            "GET description": lambda _: self.description(),
            "GET faults": lambda _: self.faults.as_dict(),
            "POST faults": self._set_faults,
            "GET options": lambda _: self.options,
            "POST options": self._set_options,
            "GET waiting": lambda _: self.outbox.waiting,
            "POST flush": lambda given: self.outbox.flush(everything=bool(given.get("everything"))),
        }

    def _set_faults(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        if given:
            self.faults.set({} if given == {"none": True} else given)
        return self.faults.as_dict()

    def _set_options(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        self.configure(given)
        return self.options

    # What a vendor's own class says.

    @abstractmethod
    def problem(self, problem: Problem) -> Response:
        """Put a refusal in the system's envelope."""

    @abstractmethod
    def unauthorised(self, request: Request) -> Problem | None:
        """Return the refusal of wrong credentials; None: they are right."""

    @abstractmethod
    def made(self, fields: Mapping[str, Any], *, human: Mapping[str, Any] | None = None) -> Record:
        """Make and store a ticket, from an API call's fields or a human's. Raises Problem."""

    @abstractmethod
    def changed(
        self, record: Record, fields: Mapping[str, Any], *, human: bool
    ) -> tuple[Record, tuple[str, ...]]:
        """Change a ticket and store it. Raises Problem.

        Returns it, and the names of the fields that were not honoured.
        """

    @abstractmethod
    def remove(self, record: Record) -> None:
        """Delete a ticket the way this system does."""

    @abstractmethod
    def seeded(self, draft: population.TicketDraft, index: int, count: int) -> Mapping[str, Any]:
        """Translate a drafted ticket into this system's fields."""

    def events(
        self,
        kind: Kind,  # noqa: ARG002
        record: Record,  # noqa: ARG002
        before: Mapping[str, Any],  # noqa: ARG002
        sent: Mapping[str, Any],  # noqa: ARG002
    ) -> list[Event]:
        """Return the webhooks that a change causes: none, unless the system sends some."""
        return []

    def envelope(self, event: Event, unique: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Return body and headers of a webhook: a generic one, unless the system has its own."""
        return {"entity": "ticket", "id": event.record_id}, {"x-delivery": unique}

    def alive(self, record: Record) -> bool:
        """Return whether a stored record is still there for its API."""
        return record.get("deleted_at") is None

    def written_to(self, record: Record, text: str, at: datetime) -> Record:
        """Store a message of the customer's; return the ticket."""
        raise Problem(
            400, "BAD_REQUEST", f"{self.SYSTEM} has no message for {record['id']}: {text!r} at {at}"
        )

    def committed(
        self,
        call: ReceivedCall,
        kind: Kind,
        old: Record | None,
        new: Record,
        *,
        entity: str = "ticket",
    ) -> None:
        """Note for the journal what a call changed, and queue its webhooks."""
        call.kind, call.entity = kind, entity
        call.id = str(new["id"])
        call.record = new
        call.before, call.after = (
            difference(old, new, self.VOLATILE) if old is not None else ({}, dict(new))
        )
        mark = self.planted_marker(new) if kind == "create" else ""
        if mark and (entity, mark) in self._marks:
            call.note = call.note or f"{FORBIDDEN}: one thing made twice"
        self._marks.add((entity, mark))
        if entity == "ticket":
            call.events += self.events(kind, new, call.before, call.sent)

    def _present(self, record_id: str) -> Record:
        record = self.store.get(record_id)
        if record is None or not self.alive(record):
            raise Problem(404, "NOT_FOUND", f"Ticket {record_id} not found")
        return record

    def _by_human(
        self, kind: Kind, old: Record | None, new: Record | None, *, entity: str = "ticket"
    ) -> Record:
        record = new if new is not None else old
        assert record is not None  # noqa: S101 - one of the two is always given
        before, after = difference(old or {}, new or {}, self.VOLATILE)
        sends = self.outbox.target is not None and entity == "ticket"
        events = self.events(kind, record, before, after) if sends else []
        names = ", ".join(event.name for event in events)
        self.journal.append(
            kind,
            "human",
            entity=entity,
            id=str(record["id"]),
            before=before,
            after=after,
            record=new,
            event=names,
            **self._identity(kind, new),
        )
        self._emit(events)
        return record

    def _identity(self, kind: Kind, record: Record | None) -> dict[str, str]:
        """Return whose marker and whose customer a record that was made has, for the journal."""
        if kind != "create" or record is None:
            return {}
        return {
            "marker": self.planted_marker(record),
            "customer": self.customer_email(record),
            "customer_id": self.customer_id(record),
        }

    def _emit(self, events: Sequence[Event]) -> None:
        if self.outbox.target is None:
            return
        for event in events:
            unique = f"msg_{self.rng.getrandbits(96):024x}"
            body, headers = self.envelope(event, unique)
            self.outbox.emit(event.name, event.record_id, body, headers, unique)

    def _answer(self, request: Request, forbidden: str) -> Response:
        call = ReceivedCall(request)
        reading = self.CALLS.read(call, self.PREFIX, self.options)
        call.undocumented, call.hidden = tuple(reading.undocumented), frozenset(reading.hidden)
        response, fault = self._handle(call, reading)
        call.note = forbidden or call.note
        call.ignored = tuple(sorted({*call.ignored, *(call.hidden & call.sent.keys())}))
        self._record(call, response.status_code, fault)
        if call.note.startswith(FORBIDDEN):
            log.warning("%s: %s (%s)", self.name, call.note, request.method)
        for part in self.unexplained(call.undocumented):
            log.warning("%s: undocumented: %s", self.name, part)
        self._emit(call.events)
        # The call is done and journalled, and its webhooks are on their way; only its caller does
        # not learn it.
        if fault in {"reset-after", "timeout-after"}:
            raise Dropped(fault)
        if fault == "error-after":
            return self.problem(Problem(500, "INTERNAL_SERVER_ERROR", "Something went wrong"))
        return response

    def unexplained(self, undocumented: Iterable[str]) -> list[str]:
        """Return what of a call neither a document nor a probe of the connector's explains."""
        return sorted(set(undocumented) - self.probes()) if undocumented else []

    def _handle(self, call: ReceivedCall, reading: CallReading) -> tuple[Response, str]:
        """Return the answer to a call, and the fault that strikes it before or after it is done."""
        try:
            self._admit(call.request)
            if reading.refusal is not None or reading.call is None:
                raise reading.refusal or NotFound
            call.path = reading.call.path
            response: Response = getattr(self, reading.call.does)(call, **reading.arguments)
        except _Struck as struck:
            call.kind = "error"
            response = self.problem(struck.problem)
            if struck.kind == THROTTLE:
                response.headers["Retry-After"] = self._throttle.refuse(self.clock.now())
            return response, struck.kind
        except (Problem, HTTPException, ValueError) as error:
            call.kind = "error"
            return self.problem(_problem_of(error)), ""
        # A read that fails afterwards would be the same as one that failed before.
        changed = call.kind in {"write", "create", "delete"}
        return response, self.faults.draw(AFTER) if changed else ""

    def _record(self, call: ReceivedCall, status: int, fault: str) -> None:
        """Write a call into the journal."""
        request = call.request
        last_part = request.path.rstrip("/").rpartition("/")[2] if call.kind == "error" else ""
        self.journal.append(
            call.kind,
            "bridge",
            entity=call.entity,
            id=call.id or last_part,
            before=call.before,
            after=call.after,
            record=call.record,
            sent=call.sent,
            ignored=call.ignored,
            undocumented=call.undocumented,
            method=request.method,
            path=request.full_path.rstrip("?"),
            status=status,
            fault=fault,
            note=call.note,
            behind=self._lag if call.kind == "read" and not call.id else 0.0,
            **self._identity(call.kind, call.record),
        )

    def _admit(self, request: Request) -> None:
        """Raise what keeps a call from being answered: its key, the rate, or a fault."""
        refusal = self.unauthorised(request)
        if refusal is not None:
            raise refusal
        if self._throttle.exceeds(self.options["rate"], self.clock.now()):
            raise _Struck(THROTTLE, Problem(429, "TOO_MANY_REQUESTS", "Too many requests"))
        kind = self.faults.draw((THROTTLE, *BEFORE))
        if kind == THROTTLE:
            raise _Struck(kind, Problem(429, "TOO_MANY_REQUESTS", "Too many requests"))
        if kind:
            raise _Struck(kind, Problem(500, "INTERNAL_SERVER_ERROR", "Something went wrong"))


class _Struck(Exception):
    """A fault hit before anything was done."""

    def __init__(self, kind: str, problem: Problem) -> None:
        super().__init__(kind)
        self.kind = kind
        self.problem = problem


def _problem_of(error: Problem | HTTPException | ValueError) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        status = error.code or 500
        code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(status, "BAD_REQUEST")
        return Problem(status, code, error.name)
    return Problem(400, "parse_error", f"Invalid JSON: {error}")


def _without(tags: Iterable[str], gone: Iterable[str]) -> list[str]:
    folded = {tag.casefold() for tag in gone}
    return [tag for tag in tags if tag.casefold() not in folded]


def _nowhere(_url: str, _headers: Mapping[str, str], _body: bytes) -> int:
    return 0
