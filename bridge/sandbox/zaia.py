"""Zaia's ticket API as its reference documents it, with the traps that it leaves to be found out.

A listing is of one status, a bare array, newest change first, so that rows move while they are
paged. Tags are never shown: a listing filtered by one is the only window on them. A status moves by
verbs, forward; people move it as they like. What happens on a repetition, and what else no document
says, is an option. There are no webhooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from werkzeug.wrappers import Request, Response

from bridge.sandbox import population
from bridge.sandbox.documented_calls import IGNORE, REFUSE, STRICT
from bridge.sandbox.exchange import Problem, ReceivedCall, answer
from bridge.sandbox.store import Record, micros_iso, past, random_uuid
from bridge.sandbox.vendor_app import Sandbox
from bridge.sandbox.zaia_calls import CALLS
from bridge.sandbox.zaia_rows import SERVICE_USER, STATUSES, details, entity, fresh, page, uuid_of


class ZaiaSandbox(Sandbox):
    """A Zaia workspace in memory."""

    SYSTEM = "zaia"
    CARRIES = ("status", "assignee", "tags")
    CHOICES: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "status": {"new": "pending", "open": "ongoing", "resolved": "completed"}
    }
    ASSIGNEE_FIELD = "assigneeId"
    SUBJECT_FIELD = "summary"
    LOSSY: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "status": {"pending": "ongoing", "on_hold": "ongoing", "closed": "completed"}
    }
    BRIDGE_ACCOUNT = "bridge@support.example"
    VOLATILE = frozenset({"updatedAt", "lastViewedAt"})
    ACCOUNT_OPTIONS: ClassVar[Mapping[str, Any]] = {
        "service_user": SERVICE_USER,
        "tag_listing": True,
    }
    OPTIONS: ClassVar[Mapping[str, Any]] = {
        "statuses": STATUSES,
        "shuffled": False,
        "reopen": True,
        "complete_again": "refused",
        "complete_pending": True,
        "attach_again": 409,
        "detach_missing": 404,
        "tag_filter": True,
        "tag_listing": True,
        "error_body": "message",
    }
    DEPLOYMENTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        STRICT: (IGNORE, REFUSE),
        "list_lag": (0.0, 1.0),
        "shuffled": (False, True),
        "complete_again": ("refused", "restamped"),
        "attach_again": (409, 200, 500),
        "detach_missing": (404, 200, 409),
        "tag_listing": (True, False),
        "error_body": ("message", "text", "empty"),
    }
    CALLS = CALLS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.tags: dict[str, str] = {}
        """Name -> id."""
        self.chats: dict[str, Mapping[str, Any]] = {}
        self.users = {
            self.agent_id(agent): {
                "id": self.agent_id(agent),
                "email": agent.email,
                "name": agent.name,
            }
            for agent in population.AGENTS
        }
        self.users[SERVICE_USER] = {
            "id": SERVICE_USER,
            "email": self.BRIDGE_ACCOUNT,
            "name": "Bridge",
        }

    @classmethod
    def agent_id(cls, agent: population.Agent) -> str:
        """Return the id of a user of the workspace."""
        return f"00000000-0000-4000-8000-{agent.number:012d}"

    @classmethod
    def customer_email(cls, record: Record) -> str:
        """Return the address of the chat's owner."""
        return str(record.get("ownerEmail") or "").casefold()

    def unauthorised(self, request: Request) -> Problem | None:
        """Refuse all but the bare key, without any scheme."""
        if request.headers.get("Authorization") == self.api_key:
            return None
        return Problem(401, "UNAUTHORIZED", "Unauthorized")

    def problem(self, problem: Problem) -> Response:
        """Refuse; nobody has described how, but for the message."""
        if self.options["error_body"] == "text":
            return Response(problem.message, status=problem.status, content_type="text/plain")
        if self.options["error_body"] == "empty":
            return Response(status=problem.status)
        return answer({"message": problem.message}, problem.status)

    # The API.

    def list_tickets(self, call: ReceivedCall) -> Response:
        """List the tickets of one status, a page at a time."""
        names = {tag_id: name for name, tag_id in self.tags.items()}
        rows = page(self.listed(), call.query, call.query.getlist, self.options, names, self.rng)
        return answer([details(row) for row in rows])

    def get_ticket(self, call: ReceivedCall, ticket_id: str) -> Response:
        """Show one ticket."""
        call.id = uuid_of(ticket_id, "id")
        return answer(details(self._present(ticket_id)))

    def create_ticket(self, call: ReceivedCall) -> Response:
        """Open a ticket on a chat."""
        record = self.made(call.body())
        same = [
            row
            for row in self.tickets()
            if row["chatId"] == record["chatId"] and row["status"] != self._done
        ]
        if len(same) > 1:
            call.note = "forbidden: a second create on a chat"
        self.committed(call, "create", None, record)
        return answer(entity(record))

    def complete(self, call: ReceivedCall, ticket_id: str) -> Response:
        """Finish a ticket, which gives the chat back to the agent."""
        record = self._to_change(call, ticket_id)
        self._user(call.body().get("userId"), "userId")
        if record["status"] == self._done:
            call.note = "forbidden in this state: complete of a completed ticket"
            if self.options["complete_again"] == "refused":
                raise Problem(400, "BAD_REQUEST", "Ticket is already completed")
        if record["status"] == self.options["statuses"][0] and not self.options["complete_pending"]:
            raise Problem(400, "BAD_REQUEST", "Ticket was not taken over")
        return self._written(call, record, status=self._done)

    def takeover(self, call: ReceivedCall, ticket_id: str) -> Response:
        """Have a human step in."""
        record = self._to_change(call, ticket_id)
        user = self._user(call.body().get("assigneeId"), "assigneeId")
        if record["status"] == self._done:
            call.note = "forbidden in this state: takeover of a completed ticket"
            raise Problem(400, "BAD_REQUEST", "Ticket is already completed")
        return self._written(
            call, record, status=self._ongoing, assignee=user, circumstance="takeover"
        )

    def assign(self, call: ReceivedCall, ticket_id: str) -> Response:
        """Assign a ticket to somebody; nobody is not possible."""
        record = self._to_change(call, ticket_id)
        return self._written(
            call, record, assignee=self._user(call.body().get("assigneeId"), "assigneeId")
        )

    def attach(self, call: ReceivedCall, ticket_id: str) -> Response:
        """Attach a tag."""
        record = self._to_change(call, ticket_id)
        tag_id = uuid_of(call.body().get("tagId"), "tagId")
        name = self._tag(tag_id)
        if name in record["tags"]:
            _odd(self.options["attach_again"], "The tag is attached already")
        self._written(call, record, tags=[*_without(record["tags"], name), name])
        now = micros_iso(self.clock.now())
        return answer({"createdAt": now, "updatedAt": now, "tagId": tag_id, "ticketId": ticket_id})

    def detach(self, call: ReceivedCall, ticket_id: str, tag_id: str) -> Response:
        """Detach a tag."""
        record = self._to_change(call, ticket_id)
        name = self._tag(uuid_of(tag_id, "tagId"))
        if name not in record["tags"]:
            _odd(self.options["detach_missing"], "The tag is not attached")
        self._written(call, record, tags=_without(record["tags"], name))
        return answer({"message": "The tag was removed from the ticket."})

    def list_tags(self, call: ReceivedCall) -> Response:
        """List the workspace's tags, where the deployment does."""
        call.entity = "tag"
        self._lists_tags()
        number, size = int(call.query.get("pageNumber", 1)), int(call.query.get("pageSize", 10))
        rows = [{"id": tag_id, "name": name, "color": "0"} for name, tag_id in self.tags.items()]
        return answer(rows[size * (number - 1) : size * number])

    def create_tag(self, call: ReceivedCall) -> Response:
        """Add a tag to the workspace."""
        self._lists_tags()
        name = call.body().get("name")
        if not isinstance(name, str) or not name.strip():
            raise Problem(400, "BAD_REQUEST", "name is required", "name")
        self._named([name])
        call.kind, call.entity, call.id, call.note = "write", "tag", self.tags[name], "tags"
        call.after = {"name": name}
        return answer({"id": self.tags[name], "name": name, "color": "0"})

    # Tickets.

    def made(self, fields: Mapping[str, Any], *, human: Mapping[str, Any] | None = None) -> Record:
        """Make a ticket.

        The API needs a chat that exists, a user and a status; a human brings a chat along.
        """
        now = micros_iso(self.clock.now())
        if human is None:
            chat = self.chats.get(uuid_of(fields.get("chatId"), "chatId"))
            if chat is None:
                raise Problem(404, "NOT_FOUND", "Chat not found")
            given = {**chat, "chatId": chat["id"], "ticketingTeamId": fields.get("ticketingTeamId")}
            record = fresh(self.rng, given, now, self._status(fields.get("status")))
            record |= {
                "assignee": self._user(fields.get("assigneeId"), "assigneeId"),
                "circumstance": "takeover",
            }
        else:
            record = fresh(
                self.rng, human, now, self._status(human.get("status", self.options["statuses"][0]))
            )
            user = human.get("assigneeId")
            record["assignee"] = self._user(user, "assigneeId") if user else None
            record["tags"] = self._named(human.get("tags") or [])
            self.chats[record["chatId"]] = {
                "id": record["chatId"],
                **{
                    name: record[name]
                    for name in ("summary", "ownerEmail", "ownerIdentifier", "ownerName")
                },
            }
        record |= self._stamps(record["status"], record["createdAt"])
        self.store.put(record)
        return record

    def changed(
        self, record: Record, fields: Mapping[str, Any], *, human: bool
    ) -> tuple[Record, tuple[str, ...]]:
        """Change a ticket as people do at the site: they may move its status back, or unassign."""
        new: dict[str, Any] = dict(record)
        ignored = []
        now = micros_iso(self.clock.now())
        for name, value in fields.items():
            if name == "status":
                status = self._status(value)
                words = self.options["statuses"]
                if (
                    words.index(status) < words.index(record["status"])
                    and not self.options["reopen"]
                ):
                    raise Problem(400, "BAD_REQUEST", "A ticket does not go back")
                new |= {"status": status, **self._stamps(status, now, record)}
            elif name == "assigneeId":
                new["assignee"] = None if value is None and human else self._user(value, name)
            elif name == "tags":
                new["tags"] = self._named(value)
            elif name in ("summary", "ownerEmail", "ownerIdentifier", "ownerName", "chatIsRemoved"):
                new[name] = value
            else:
                ignored.append(name)
        new["updatedAt"] = now
        self.store.put(new)
        return new, tuple(ignored)

    def remove(self, record: Record) -> None:
        """Drop a ticket for good; removing its chat (`chatIsRemoved`) only hides it."""
        self.store.drop(str(record["id"]))

    def seeded(self, draft: population.TicketDraft, index: int, count: int) -> Mapping[str, Any]:
        """Translate a drafted ticket: the summary's first line is what others have as a subject."""
        words = self.CHOICES["status"]
        return {
            "summary": f"{draft.subject}\n{draft.body}",
            "ownerEmail": draft.customer,
            "ownerName": draft.name,
            "status": words.get(draft.status, words["open"]),
            "assigneeId": self.agent_id(draft.agent) if draft.agent else None,
            "tags": list(draft.tags),
            "createdAt": micros_iso(past(self.clock.now(), index, count)),
        }

    def open_chat(self, email: str, summary: str) -> str:
        """Let a customer talk to the agent: a chat without a ticket yet; return its id."""
        with self.lock:
            chat = random_uuid(self.rng)
            self.chats[chat] = {"id": chat, "summary": summary, "ownerEmail": email}
            return chat

    @property
    def _done(self) -> str:
        return str(self.options["statuses"][-1])

    @property
    def _ongoing(self) -> str:
        return str(self.options["statuses"][-2])

    def _to_change(self, call: ReceivedCall, ticket_id: str) -> Record:
        call.id = uuid_of(ticket_id, "id")
        return self._present(ticket_id)

    def _written(self, call: ReceivedCall, record: Record, **values: Any) -> Response:
        now = micros_iso(self.clock.now())
        if "status" in values:
            values |= self._stamps(values["status"], now, record)
        new = {**record, **values, "updatedAt": now}
        self.store.put(new)
        self.committed(call, "write", record, new)
        return answer(entity(new))

    def _stamps(self, status: str, now: str, old: Record | None = None) -> dict[str, Any]:
        """Date what a status means; a repeated complete dates it anew."""
        begun = old["ongoingAt"] if old else None
        if status == self.options["statuses"][0]:
            return {"ongoingAt": None, "completedAt": None}
        return {"ongoingAt": begun or now, "completedAt": now if status == self._done else None}

    def _status(self, value: Any) -> str:
        if value not in self.options["statuses"]:
            raise Problem(
                400,
                "BAD_REQUEST",
                f"status must be one of {', '.join(self.options['statuses'])}",
                "status",
            )
        return str(value)

    def _user(self, value: Any, name: str) -> Mapping[str, Any]:
        user = self.users.get(uuid_of(value, name))
        if user is None:
            raise Problem(404, "NOT_FOUND", "User not found", name)
        return user

    def _tag(self, tag_id: str) -> str:
        for name, known_id in self.tags.items():
            if known_id == tag_id:
                return name
        raise Problem(404, "NOT_FOUND", "Tag not found")

    def _named(self, names: list[str]) -> list[str]:
        for name in names:
            if name not in self.tags:
                self.tags[name] = random_uuid(self.rng)
        return list(dict.fromkeys(names))

    def _lists_tags(self) -> None:
        if not self.options["tag_listing"]:
            raise Problem(404, "NOT_FOUND", "Cannot GET /api/v1/tags")


def _without(tags: Sequence[str], gone: str) -> list[str]:
    return [tag for tag in tags if tag != gone]


def _odd(status: int, message: str) -> None:
    if status >= 400:
        raise Problem(status, "ODD", message)
