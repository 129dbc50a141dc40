"""What the sandboxes have in common: admission, faults, journal, webhooks and the hands of a human."""

from __future__ import annotations

import logging
import random
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map
from werkzeug.wrappers import Request, Response

from bridge.clock import Clock
from bridge.sandbox import control, population
from bridge.sandbox.exchange import Event, Problem, ReceivedCall
from bridge.sandbox.faults import AFTER, BEFORE, THROTTLE, Dropped, Faults
from bridge.sandbox.journal import Journal, Kind
from bridge.sandbox.outbox import Outbox, Send, WebhookTarget
from bridge.sandbox.store import Record, Store, difference
from bridge.sandbox.throttle import Throttle
from bridge.sandbox.vendor_facts import VendorFacts

FORBIDDEN = "forbidden: "
"""How the note of a call begins that no sync may ever make."""

log = logging.getLogger("bridge.sandbox")


class Sandbox(VendorFacts, ABC):
    """A vendor's API as a WSGI app over records in memory; `/_control/` is the hand behind it."""

    ROUTES: ClassVar[Map]
    """Endpoint = method name."""
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
        self.options: dict[str, Any] = dict(self.OPTIONS)
        self.store = Store()
        self.others = {entity: Store() for entity in self.ENTITIES}
        self.lock = threading.RLock()
        self.journal = Journal(self.SYSTEM, self.name, clock, sequence)
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
        self._calls: deque[datetime] = deque()
        self._throttle = Throttle()
        self._marks: set[tuple[str, str]] = set()
        self.configure(options or {})

    def configure(self, options: Mapping[str, Any]) -> None:
        """Change options. Raises ValueError, naming those that there are."""
        unknown = sorted(set(options) - set(self.options) - {"rate"})
        if unknown:
            raise ValueError(
                f"unknown option {', '.join(unknown)}; allowed: {', '.join(sorted(self.options))}, rate"
            )
        self.options.update(options)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        if request.path.startswith("/_control/"):
            return control.answer(self, request)(environ, start_response)
        arrived = self.clock.now()  # not the time at which its turn comes
        with self.lock:
            early = self._throttle.early(arrived)
            response = self._answer(request, f"{FORBIDDEN}{early}" if early else "")
        return response(environ, start_response)

    # The hands of a human, used by the control API and by tests in process.

    def edit(self, record_id: str, fields: Mapping[str, Any]) -> Record:
        """Let a human change fields, given in the system's own space; `add_tags` and `remove_tags` are understood."""
        with self.lock:
            record = self._present(record_id)
            wanted = dict(fields)
            tags = list(record.get("tags") or [])
            for tag in wanted.pop("remove_tags", ()):
                tags = [one for one in tags if one.casefold() != tag.casefold()]
            tags += [
                tag
                for tag in wanted.pop("add_tags", ())
                if tag.casefold() not in {t.casefold() for t in tags}
            ]
            if {"add_tags", "remove_tags"} & set(fields):
                wanted["tags"] = tags
            new, _ = self.changed(record, wanted, human=True)
            return self._by_human("edit", record, new)

    def create(self, fields: Mapping[str, Any]) -> Record:
        """Let a human (an agent or a customer) open a ticket; any field of a record may be given."""
        with self.lock:
            record = self.made({}, human=fields)
            return self._by_human("create", None, record)

    def delete(self, record_id: str) -> None:
        """Let a human delete a ticket."""
        with self.lock:
            record = self._present(record_id)
            self.remove(record)
            self._by_human("delete", record, None)

    def message(self, record_id: str, text: str, seconds_ago: float = 0.0) -> Record:
        """Let the customer write; `seconds_ago` dates the message back."""
        with self.lock:
            record = self._present(record_id)
            at = self.clock.now() - timedelta(seconds=seconds_ago)
            return self._by_human("edit", record, self.written_to(record, text, at))

    def populate(self, count: int, seed: int) -> list[str]:
        """Fill with realistic tickets that humans have made; give their ids in order."""
        with self.lock:
            drafts = population.tickets(count, seed)
            return [
                str(self.create(self.seeded(draft, index, count))["id"])
                for index, draft in enumerate(drafts)
            ]

    def tickets(self) -> list[Record]:
        """Give every live ticket, whole, without any side effect."""
        return self.records("ticket")

    def records(self, entity: str) -> list[Record]:
        """Give every live record of an entity, whole, without any side effect."""
        with self.lock:
            store = self.store if entity == "ticket" else self.others[entity]
            return [record for record in store if self.alive(record)]

    # What each system says.

    @abstractmethod
    def problem(self, problem: Problem) -> Response:
        """Put a refusal in the system's envelope."""

    @abstractmethod
    def unauthorised(self, request: Request) -> Problem | None:
        """Look at the credentials; None: welcome."""

    @abstractmethod
    def made(self, fields: Mapping[str, Any], *, human: Mapping[str, Any] | None = None) -> Record:
        """Make and store a ticket from an API call's fields or a human's. Raises Problem."""

    @abstractmethod
    def changed(
        self, record: Record, fields: Mapping[str, Any], *, human: bool
    ) -> tuple[Record, tuple[str, ...]]:
        """Make and store the changed ticket; also name the fields that were not honoured. Raises Problem."""

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
        """Give the webhooks that a change causes: none, unless the system sends some."""
        return []

    def envelope(self, event: Event, unique: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Give the body and the headers of a webhook: the generic hint, unless the system has its own."""
        return {"entity": "ticket", "id": event.record_id}, {"x-delivery": unique}

    def alive(self, record: Record) -> bool:
        """Tell whether a stored record is still there for its API."""
        return record.get("deleted_at") is None

    def written_to(self, record: Record, text: str, at: datetime) -> Record:
        """Store that the customer wrote."""
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
            call.note = call.note or f"{FORBIDDEN}one thing made twice"
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
        told = self.outbox.target is not None and entity == "ticket"
        events = self.events(kind, record, before, after) if told else []
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
        """Return by what the judge tells copies of one ticket, for the journal of what was made."""
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
        fault = ""
        try:
            fault = self._admit(request)
            endpoint, arguments = self.ROUTES.bind_to_environ(request.environ).match()
            response: Response = getattr(self, endpoint)(call, **arguments)
            if call.kind in {"write", "create", "delete"}:
                fault = self.faults.draw(AFTER)
        except _Struck as struck:
            fault, response, call.kind = struck.kind, self.problem(struck.problem), "error"
            if struck.kind == THROTTLE:
                response.headers["Retry-After"] = self._throttle.refuse(self.clock.now())
        except Problem as problem:
            response, call.kind = self.problem(problem), "error"
        except HTTPException as refused:
            response, call.kind = self.problem(_from_http(refused)), "error"
        except ValueError as error:
            response, call.kind = (
                self.problem(Problem(400, "parse_error", f"Invalid JSON: {error}")),
                "error",
            )
        call.note = forbidden or call.note
        self.journal.append(
            call.kind,
            "bridge",
            entity=call.entity,
            id=call.id
            or str(
                (request.path.rstrip("/").rsplit("/", 1) or [""])[-1]
                if call.kind == "error"
                else ""
            ),
            before=call.before,
            after=call.after,
            record=call.record,
            sent=call.sent,
            ignored=call.ignored,
            method=request.method,
            path=request.full_path.rstrip("?"),
            status=response.status_code,
            fault=fault,
            note=call.note,
            **self._identity(call.kind, call.record),
        )
        if call.note.startswith(FORBIDDEN):
            log.warning("%s: %s (%s)", self.name, call.note, request.method)
        self._emit(call.events)
        if fault in {"reset-after", "timeout-after"}:
            raise Dropped(fault)
        if fault == "error-after":
            return self.problem(Problem(500, "INTERNAL_SERVER_ERROR", "Something went wrong"))
        return response

    def _admit(self, request: Request) -> str:
        refusal = self.unauthorised(request)
        if refusal is not None:
            raise refusal
        self._keep_rate()
        kind = self.faults.draw((THROTTLE, *BEFORE))
        if kind == THROTTLE:
            raise _Struck(kind, Problem(429, "TOO_MANY_REQUESTS", "Too many requests"))
        if kind:
            raise _Struck(kind, Problem(500, "INTERNAL_SERVER_ERROR", "Something went wrong"))
        return ""

    def _keep_rate(self) -> None:
        rate = self.options.get("rate")
        if not rate:
            return
        calls, seconds = rate
        now = self.clock.now()
        while self._calls and self._calls[0] <= now - timedelta(seconds=seconds):
            self._calls.popleft()
        if len(self._calls) >= calls:
            raise _Struck(THROTTLE, Problem(429, "TOO_MANY_REQUESTS", "Too many requests"))
        self._calls.append(now)


class _Struck(Exception):
    """A fault hit before anything was done."""

    def __init__(self, kind: str, problem: Problem) -> None:
        super().__init__(kind)
        self.kind = kind
        self.problem = problem


def _from_http(refused: HTTPException) -> Problem:
    code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(refused.code or 500, "BAD_REQUEST")
    return Problem(refused.code or 500, code, refused.name)


def _nowhere(_url: str, _headers: Mapping[str, str], _body: bytes) -> int:
    return 0
