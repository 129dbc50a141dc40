"""Upscope's REST API v1.1 as its README documents it, with the traps that stand between the lines.

The listing shows the newest visitors only, and their sessions only where an option says so.
Visitors are dated in UTC, sessions with an offset. usage.json has no `status`. The search finds
whatever contains the words. Deleting, and asking twice for a link, are journalled as `forbidden:
…`: no sync may do either.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from werkzeug.wrappers import Request, Response

from bridge.sandbox import population, upscope_people
from bridge.sandbox.documented_calls import IGNORE, REFUSE, STRICT
from bridge.sandbox.exchange import Problem, ReceivedCall, answer
from bridge.sandbox.store import Record, past
from bridge.sandbox.upscope_calls import CALLS
from bridge.sandbox.upscope_people import iso, share
from bridge.sandbox.vendor_app import Sandbox

CUSTOMER, SESSION = "customer", "session"
MIN_LINK_INTERVAL = timedelta(minutes=1)
"""Two links for one visitor within this time are one too many."""
_HAND = ("identities", "tags", "unique_id", "is_online", "seen", "finish_session", "start_session")


class UpscopeSandbox(Sandbox):
    """An Upscope account in memory: visitors, and the screens that they share."""

    SYSTEM = "upscope"
    PREFIX = "/v1.1"
    CUSTOMERS_OF = "switch"
    ENTITIES = (CUSTOMER,)
    VOLATILE = frozenset({"last_seen_at"})
    OPTIONS: ClassVar[Mapping[str, Any]] = {
        "refusal": "",  # e.g. subscription_expired: every call is a 401 with this code
        "over_limits": False,
        "listed": 100,
        "recent": 20,
        "listed_sessions": False,
        "added_at": False,
        "delete_status": 200,
        "zone": 1,  # hours that the sessions' times are ahead of UTC
    }
    DEPLOYMENTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        STRICT: (IGNORE, REFUSE),
        "list_lag": (0.0, 1.0),
        "added_at": (False, True),
        "listed_sessions": (False, True),
        "zone": (1, -7, 0),
    }
    CALLS = CALLS
    PLAYED = "customer"

    @classmethod
    def tagging(cls, record: Record, name: str) -> dict[str, Any]:
        """Return the edit that gives a visitor one more tag."""
        return {"tags": [*(record.get("tags") or ()), f"#{name}"]}

    @classmethod
    def title(cls, record: Record) -> str:
        """Return who the visitor is, as far as that is known."""
        return ", ".join(map(str, record.get("identities") or ()))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._numbers = 0
        self._watched: dict[str, datetime] = {}

    def unauthorised(self, request: Request) -> Problem | None:
        """Refuse all but the key in its own header; an option plays other reasons of a refusal."""
        if self.options["refusal"]:
            return Problem(401, self.options["refusal"], "")
        return (
            None
            if request.headers.get("X-Api-Key") == self.api_key
            else Problem(401, "invalid_api_key", "")
        )

    def problem(self, problem: Problem) -> Response:
        """Refuse the way the README shows for 401."""
        return answer({"status": "error", "error": problem.code.lower()}, problem.status)

    # The API.

    def usage(self, call: ReceivedCall) -> Response:
        """Count, in an answer that has no `status`."""
        call.entity = CUSTOMER
        return answer({"usage": upscope_people.usage(self.visitors(), self.clock.now())})

    def list_visitors(self, call: ReceivedCall) -> Response:
        """List the newest visitors, or those that the search finds."""
        call.entity = CUSTOMER
        rows = self.listed(CUSTOMER)
        needle = call.query.get("search", "").casefold()
        if needle:
            rows = [row for row in rows if needle in upscope_people.words(row)]
        rows = sorted(rows, key=lambda row: str(row["last_seen_at"]), reverse=True)[
            : self.options["listed"]
        ]
        whole = bool(self.options["listed_sessions"])
        return answer({"status": "ok", "visitors": [self._shown(row, whole=whole) for row in rows]})

    def get_visitor(self, call: ReceivedCall, visitor_id: str) -> Response:
        """Show one visitor with recent sessions."""
        call.entity, call.id = CUSTOMER, visitor_id
        return answer(
            {"status": "ok", "visitor": self._shown(self._present(visitor_id), whole=True)}
        )

    def delete_visitor(self, call: ReceivedCall, visitor_id: str) -> Response:
        """Delete one visitor for good."""
        call.note = "forbidden: a visitor deleted"
        record = self._present(visitor_id)
        self.remove(record)
        self.committed(call, "delete", record, {**record, "deleted": True}, entity=CUSTOMER)
        call.record = None
        status = self.options["delete_status"]
        return Response(status=204) if status == 204 else answer({"status": "ok"}, status)

    def delete_everybody(self, call: ReceivedCall) -> Response:
        """Delete every offline visitor, as the later documents have it."""
        if call.query.get("all") != "true":
            raise Problem(404, "not_found", "")
        call.kind, call.entity, call.note = "delete", CUSTOMER, "forbidden: everybody deleted"
        for record in self.visitors():
            if not record["is_online"]:
                self.remove(record)
        return answer({"status": "ok"})

    def watch_url(self, call: ReceivedCall, visitor_id: str) -> Response:
        """Shown with a link that opens the visitor's screen."""
        call.entity, call.id = SESSION, visitor_id
        agent = call.body().get("agent")
        record = self._present(visitor_id)
        if not isinstance(agent, dict) or not all(
            isinstance(agent.get(name), str) for name in ("id", "name")
        ):
            raise Problem(400, "agent_missing", "agent.id and agent.name are required")
        if self.options["over_limits"]:
            raise Problem(402, "over_limits", "")
        now = self.clock.now()
        if visitor_id in self._watched and now - self._watched[visitor_id] < MIN_LINK_INTERVAL:
            # Each link opens the visitor's screen to somebody.
            call.note = "forbidden: a second link for one visitor"
        self._watched[visitor_id] = now
        call.kind, call.id = "create", str(record["id"])
        return answer({"watch_url": f"https://o.upscope.io?{self.rng.getrandbits(96):024x}"})

    # What people do.

    def create(self, fields: Mapping[str, Any]) -> Record:
        """Let somebody come to the website; any field of a visitor may be given."""
        with self.lock:
            record = self.made({}, human=fields)
            return self._by_human("create", None, record, entity=CUSTOMER)

    def edit(self, record_id: str, fields: Mapping[str, Any]) -> Record:
        """Let a human do something with a visitor: see `changed`."""
        with self.lock:
            record = self._present(record_id)
            new, _ = self.changed(record, fields, human=True)
            return self._by_human("edit", record, new, entity=CUSTOMER)

    def delete(self, record_id: str) -> None:
        """Let a human delete a visitor in Upscope's own pages."""
        with self.lock:
            record = self._present(record_id)
            self.remove(record)
            self._by_human("delete", record, None, entity=CUSTOMER)

    def start(self, visitor_id: str) -> int:
        """Let an agent look at a visitor's screen; gives the session's number."""
        return int(self.edit(visitor_id, {"start_session": True})["sessions"][0]["id"])

    def finish(self, visitor_id: str, number: int) -> Record:
        """Let a session end."""
        return self.edit(visitor_id, {"finish_session": number})

    def populate(self, count: int, seed: int) -> list[str]:
        """Have the customers of the drafted tickets visit; every fifth visitor is nobody known.

        Every third has shared a screen, and the second one is just doing so.
        """
        with self.lock:
            drafts = population.tickets(count, seed)
            return [
                str(self.create(self.seeded(draft, index, count))["id"])
                for index, draft in enumerate(drafts)
            ]

    def visitors(self) -> list[Record]:
        """Return every visitor, whole."""
        return list(self.others[CUSTOMER])

    def records(self, entity: str) -> list[Record]:
        """Return every record of an entity; sessions, over or not, are taken from the visitors."""
        if entity != SESSION:
            return super().records(entity)
        with self.lock:
            return [
                {**session, "id": f"{row['id']}/{session['id']}", "identities": row["identities"]}
                for row in self.visitors()
                for session in row["sessions"]
            ]

    def made(self, fields: Mapping[str, Any], *, human: Mapping[str, Any] | None = None) -> Record:
        """Store a visitor. The API itself makes none."""
        if human is None:
            raise Problem(400, "bad_request", f"nothing is created with {sorted(fields)}")
        given = dict(human)
        now = self.clock.now()
        record = upscope_people.visitor(self.rng, now) | {
            name: given.pop(name) for name in list(given) if name in upscope_people.FIELDS
        }
        minutes = given.pop("shared", ())
        if given:
            raise Problem(400, "bad_request", f"a visitor has no {', '.join(sorted(given))}")
        record["id"] = record["short_id"]  # the store knows records by `id`, the API does not
        if self.others[CUSTOMER].get(str(record["id"])) is not None:
            raise Problem(400, "bad_request", "there is such a visitor")
        for ago in minutes:
            record["sessions"] = [self._session(record["id"], now, ago), *record["sessions"]]
        record["is_in_session"] = _is_sharing(record)
        self.others[CUSTOMER].put(record)
        return record

    def changed(
        self, record: Record, fields: Mapping[str, Any], *, human: bool
    ) -> tuple[Record, tuple[str, ...]]:
        """Change a visitor: identities, tags, unique_id, is_online.

        `seen`: the visitor is there again. `start_session` (true) and `finish_session` (a number)
        begin and end a screen share.
        """
        unknown = sorted(set(fields) - set(_HAND))
        if unknown or not human:
            raise Problem(
                400,
                "bad_request",
                f"no {', '.join(unknown)} to change; allowed: {', '.join(_HAND)}",
            )
        new, now = dict(record), self.clock.now()
        for name, value in fields.items():
            if name == "start_session":
                new["sessions"] = [self._session(record["id"], now, None), *new["sessions"]]
            elif name == "finish_session":
                new["sessions"] = self._finished(new["sessions"], value, now)
            elif name != "seen":
                new[name] = value
        if {"seen", "start_session", "finish_session"} & set(fields):
            new["last_seen_at"] = iso(now)
        new["is_in_session"] = _is_sharing(new)
        self.others[CUSTOMER].put(new)
        return new, ()

    def remove(self, record: Record) -> None:
        """Forget a visitor for good."""
        self.others[CUSTOMER].drop(str(record["id"]))

    def seeded(self, draft: population.TicketDraft, index: int, count: int) -> Mapping[str, Any]:
        """Translate a drafted ticket into the visit of its customer."""
        at = past(self.clock.now(), index, count)
        known = index % 5 != 4
        fields: dict[str, Any] = {
            "identities": [draft.name, draft.customer] if known else None,
            "unique_id": f"user-{index}" if known else None,
            "tags": [f"#{tag}" for tag in draft.tags] if known else [],
            "first_seen_at": iso(at - timedelta(days=30)),
            "last_seen_at": iso(at),
            "is_online": index == 1,
        }
        return fields | {"shared": _shared_before(index)}

    def _present(self, record_id: str) -> Record:
        record = self.others[CUSTOMER].get(record_id)
        if record is None:
            raise Problem(404, "not_found", f"there is no visitor {record_id}")
        return record

    def _session(self, visitor_id: str, now: datetime, ago: int | None) -> Record:
        """Return a session that began so many minutes ago and is over, or (None) one that runs."""
        self._numbers += 1
        agent = population.AGENTS[self._numbers % len(population.AGENTS)]
        begun = now - timedelta(minutes=ago or 0)
        made = share(self._numbers, visitor_id, agent.name, begun, self.options["zone"])
        if ago is None:
            return made
        return upscope_people.ended(
            made, begun + timedelta(seconds=91 + self._numbers), self.options["zone"]
        )

    def _finished(self, sessions: list[Record], number: int, now: datetime) -> list[Record]:
        running = [row for row in sessions if row["id"] == number and row["ended_at"] is None]
        if not running:
            raise Problem(400, "bad_request", f"no session {number} is running")
        over = upscope_people.ended(running[0], now, self.options["zone"])
        return [over if row["id"] == number else row for row in sessions]

    def _shown(self, record: Record, *, whole: bool) -> dict[str, Any]:
        shown = {name: value for name, value in record.items() if name not in {"id", "sessions"}}
        if self.options["added_at"]:
            shown["added_at"] = shown.pop("first_seen_at")
        if whole:
            shown["sessions"] = record["sessions"][: self.options["recent"]]
        return shown


def _is_sharing(record: Record) -> bool:
    return any(session["ended_at"] is None for session in record["sessions"])


def _shared_before(index: int) -> list[int | None]:
    """Return how many minutes ago a visitor of a population shared a screen; None: now."""
    if index == 1:
        return [None]
    if index % 6 == 0:
        return [90, 40]
    return [40] if index % 3 == 0 else []
