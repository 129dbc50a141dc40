"""PostHog Conversations (Support): tickets of one project (https://posthog.com/docs/api/conversations).

Oddities, as of 2026-11:
- Reading one ticket marks it as read by the team: we never do. Records come from the listing, by `ids=` where the
  deployment knows it (an unknown parameter is dropped in silence, so the returned ids are compared) or by paging.
- Invalid filters are dropped in silence too: everything that a listing promises is checked on its rows.
- `date_from` compares updated_at, which a message sets to its own time: it lags and may step back.
- Without the tagging licence `tags` reads `[]` and a write of tags does nothing: an empty set says nothing unless
  other tags are shown at the same time (posthog_tags.py).
- POST is documented with 201, deployments answer 500 (issue #71101) or 405 (PR #72997). Both end in `Refused` with
  that status, from which the caller learns that this connection cannot create. `compose` e-mails the customer and is
  never called. The marker of a create is planted in anonymous_traits.
- `assignee` is an object when read and written; events have it in two properties. Here it is `user:<number>`,
  `role:<uuid>` or null. There is no subject.
- Snoozing moves the status; we write neither `snoozed_until` nor `sla_due_at`, so a status of ours moves no alarm.
- unread_count names no scope: where a key may not call it, there is no such figure.
- No event for tags, deletion or snoozing; events can be forged with the project's public key: hints, nothing more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from bridge.connectors.contract import Draft, Hint, Intent, Page, Parsed, Record
from bridge.connectors.json_http import JsonHttpConnector
from bridge.connectors.parsing import (
    event_name,
    format_time,
    generic_hint,
    ignored_event,
    known_time,
    object_rows,
    parse_time,
    record_id,
    row_id,
    row_times,
    same_text,
    value_at,
)
from bridge.connectors.posthog.records import MARKER, TRAITS, is_uuid, record, sent_assignee
from bridge.connectors.posthog.tags import WITNESSES, Tags, silent
from bridge.core.model.capabilities import EntityCapabilities, Support, Verb, Writable
from bridge.core.model.syncs import Connection, Webhook
from bridge.core.model.values import Raw, Ref
from bridge.errors import NotFound, Refused, RemoteError, UnknownOutcome
from bridge.http.client import Answer, Http

PAGE = 100
BACK = 20
"""Rows by which pages counted by offset overlap: as many may vanish between two calls without one being missed."""
OVERLAP = timedelta(minutes=10)
CREATE_WINDOW = timedelta(minutes=5)
FIND_PAGES = 20
PATIENCE = timedelta(seconds=5)
"""Creates that fail all at once are a vendor's bad moment; one that fails again after this long is a refusal."""

STATUSES = ("new", "open", "pending", "on_hold", "resolved")
PRIORITIES = ("low", "medium", "high", "critical", None)
READABLE = (
    "id ticket_number channel_source channel_detail distinct_id status priority assignee anonymous_traits "
    "identity_verified ai_resolved escalation_reason ai_triage created_at updated_at message_count last_message_at "
    "last_message_text unread_team_count unread_customer_count session_id session_context sla_due_at snoozed_until "
    "email_subject email_from cc_participants organization_id person tags"
)
UNUSED = "$conversation_message_sent $conversation_message_received $conversation_incident_detected"

Row = Mapping[str, Any]


class PostHogConnector(JsonHttpConnector):
    """Tickets of a PostHog project."""

    NAME: ClassVar = "posthog"
    CAPABILITIES: ClassVar = {
        "ticket": EntityCapabilities(
            readable=frozenset(READABLE.split()),
            writable={
                "status": Writable(clears=False, default="new"),
                "priority": Writable(default=None),
                "assignee": Writable(on_create=False),
                "tags": Writable(on_create=False, on_update=Support.PROBED, empty_trusted=False),
                "ai_resolved": Writable(clears=False, default=False),
                "escalation_reason": Writable(),
                f"{TRAITS}.name": Writable(on_update=Support.NO),
                f"{TRAITS}.email": Writable(on_update=Support.NO),
                f"{TRAITS}.subject": Writable(on_update=Support.NO),
                f"{TRAITS}.description": Writable(on_update=Support.NO),
            },
            verbs=(
                Verb(
                    "patch",
                    ("status", "priority", "assignee", "tags", "ai_resolved", "escalation_reason"),
                ),
            ),
            creates=Support.PROBED,
            deletes=True,
            values={"status": STATUSES, "priority": PRIORITIES},
            read_batch=PAGE - WITNESSES,
        )
    }
    EVENTS: ClassVar = {
        "$conversation_ticket_created": "ticket",
        "$conversation_ticket_status_changed": "ticket",
        "$conversation_ticket_priority_changed": "ticket",
        "$conversation_ticket_assigned": "ticket",
    }
    IGNORED: ClassVar = frozenset(UNUSED.split())
    SIGNING: ClassVar = Webhook(
        scheme="standard-webhooks", secrets=(), event="event.event", id="event.properties.ticket_id"
    )
    OPTIONS: ClassVar = {
        "project_id": "number of the PostHog project whose tickets these are",
        "tags_licensed": "true when the organisation is known to have the tagging feature",
    }
    REQUIRED_OPTIONS: ClassVar = frozenset(("project_id",))

    def __init__(self, connection: Connection, http: Http) -> None:
        super().__init__(connection, http)
        project = quote(str(connection.options.get("project_id", "")), safe="")
        self._tickets = f"/api/projects/{project}/conversations/tickets/"
        self._lock = threading.Lock()
        self._tags = Tags(declared=connection.options.get("tags_licensed") is True)
        self._counts = True
        self._honours_ids = True
        self._created = False
        self._failed_first: datetime | None = None

    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:
        """Read a verified webhook. Pure; header names are lower-case. Raises Malformed, naming what is wrong."""
        hint = generic_hint(body, self.CAPABILITIES)
        if hint is not None:
            return hint
        own = self.connection.webhook
        event = event_name(body, (own and own.event) or self.SIGNING.event)
        if event not in self.EVENTS:
            return ignored_event(event, self.IGNORED)
        path = (own and own.id) or self.SIGNING.id
        found = record_id(value_at(body, path), path)
        # webhook-id is signed; the event's uuid was chosen by whoever sent the event, so it counts
        # only within its own.
        signed = headers.get("webhook-id", "") if own and own.scheme == "standard-webhooks" else ""
        number = (
            headers.get(own.delivery.lower(), "")
            if own and own.delivery
            else value_at(body, "event.uuid")
        )
        scoped = f"{event}:{found}:{number}"[:250] if isinstance(number, str) and number else ""
        return Parsed(
            hints=(Hint(self.EVENTS[event], found),),
            event=event,
            delivery=signed or scoped,
            projection={"event": event, "id": found},
        )

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read present records from the listing; None: the vendor says there is no such record."""
        self._known(entity)
        found: dict[str, Record | None] = dict.fromkeys(ids)
        wanted = {
            each for each in ids if is_uuid(each)
        }  # anything else cannot be a ticket, and would spoil the call
        if not wanted:
            return found
        if self._honours_ids:
            # Tickets that had tags are asked for together with these: if theirs are shown, an empty
            # set is empty.
            asked = wanted.union(self._tags.witnesses(PAGE - len(wanted)))
            answer, rows = self._list({"ids": ",".join(sorted(asked)), "limit": PAGE})
            if all(row_id(row) in asked for row in rows):
                return found | {
                    one.ref.id: one for one in self._records(rows, answer) if one.ref.id in wanted
                }
            self._honours_ids = False
        offset = 0
        while True:
            answer, rows = self._list({"order_by": "created_at", "limit": PAGE, "offset": offset})
            here = [one for one in self._records(rows, answer) if one.ref.id in wanted]
            found |= {one.ref.id: one for one in here}
            wanted -= {one.ref.id for one in here}
            if not wanted or len(rows) < PAGE:
                return found
            offset += PAGE - BACK

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Give records changed since the cursor's watermark; see Connector.changed.

        The cursor: `from`, the time to list from; `seen`, id -> time of rows given that will come
        again; `offset`, only used where more rows than a page share one time (a bulk edit); `top`,
        the newest time seen.
        """
        self._known(entity)
        state = cursor or {}
        start, offset, top = state.get("from"), state.get("offset", 0), state.get("top")
        seen = dict(state.get("seen", {}))
        while not state.get("done"):
            params: dict[str, Any] = {"order_by": "updated_at", "limit": PAGE}
            answer, rows = self._list(
                params
                | ({"date_from": start} if start else {})
                | ({"offset": offset} if offset else {})
            )
            at = row_times(self.connection.name, rows, "updated_at")
            if start and at and at[0] < known_time(start):
                raise self._odd("the listing ignores date_from, it cannot be polled")
            full = len(rows) >= PAGE
            fresh = [row for row in rows if seen.get(row_id(row)) != row["updated_at"]]
            seen |= {row_id(row): row["updated_at"] for row in fresh}
            if at:
                top = max((each for each in (top, format_time(at[-1])) if each), key=known_time)
            if full and (start is None or at[-1] > known_time(start)):
                # Begin again at the last row: counting on by offset would step over rows when
                # others move away.
                start, offset = format_time(at[-1]), 0
                seen = {key: when for key, when in seen.items() if known_time(when) >= at[-1]}
            elif full:
                offset += PAGE - BACK
            if fresh:
                going = {
                    "from": start,
                    "offset": offset,
                    "seen": seen,
                    "top": top,
                    "done": not full,
                }
                return Page(self._records(fresh, answer), going)
            if not full:
                break
        return Page(
            [], {"from": format_time(known_time(top) - OVERLAP) if top else None, "top": top}
        )

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything by creation, in pages that overlap: a ticket deleted meanwhile moves all later ones up."""
        self._known(entity)
        state = cursor or {}
        offset, seen = state.get("offset", 0), set(state.get("seen", ()))
        answer, rows = self._list({"order_by": "created_at", "limit": PAGE, "offset": offset})
        while offset and seen and not any(row_id(row) in seen for row in rows):
            offset = max(
                0, offset - PAGE
            )  # more went than pages overlap: go back to where we know the rows
            answer, rows = self._list({"order_by": "created_at", "limit": PAGE, "offset": offset})
        fresh = [row for row in rows if row_id(row) not in seen]
        if len(rows) < PAGE:
            return Page(self._records(fresh, answer), None)
        going = {
            "offset": offset + PAGE - BACK,
            "seen": [row_id(row) for row in rows[-2 * BACK :]],
        }
        return Page(self._records(fresh, answer), going)

    def create(self, draft: Draft) -> Record | None:
        """Create once, as documented, with the marker among the traits.

        Raises Refused, with status 405 or a 500 that comes again after a while, where no creates
        are taken at all.
        """
        self._creatable(draft)
        body: dict[str, Any] = {TRAITS: {MARKER: draft.marker}}
        for key, value in draft.values.items():
            into, name = (
                (body[TRAITS], key.partition(".")[2]) if key.startswith(TRAITS) else (body, key)
            )
            into[name] = value
        sent_at = self._http.now()
        try:
            answer = self._call("POST", self._tickets, json=body, write=True)
        except UnknownOutcome as error:
            if error.status != 500 or self._created:
                raise
            with self._lock:
                self._failed_first = self._failed_first or sent_at
            if sent_at - self._failed_first < PATIENCE:
                raise
            here = [
                each for each in self.find(Intent(draft, sent_at)) if each.marker == draft.marker
            ]
            if here:
                self._created = True
                return here[0]
            raise Refused(
                self.connection.name,
                "answers 500 to every create and no ticket appears: it takes none",
                status=500,
                request_id=error.request_id,
            ) from None
        self._created = True
        return self._shown(answer)

    def find(self, intent: Intent) -> list[Record]:
        """Give the tickets that carry the marker, and those of the same customer that nobody marked.

        They are looked for down to the time of the create; on first contact, among the newest page
        alone.
        """
        self._known(intent.draft.entity)
        email = intent.draft.values.get(f"{TRAITS}.email")
        since = intent.sent_at - CREATE_WINDOW if intent.sent_at else None
        found: dict[str, Record] = {}
        offset = 0
        for _ in range(FIND_PAGES):
            answer, rows = self._list({"order_by": "-created_at", "limit": PAGE, "offset": offset})
            last = None
            for one in self._records(rows, answer):
                last = parse_time(one.data.get("created_at"))
                late = since is None or last is None or last + answer.skew >= since
                theirs = value_at(one.data, f"{TRAITS}.email") or value_at(
                    one.data, "person.properties.email"
                )
                natural = one.marker is None and same_text(theirs, email)
                if one.marker == intent.draft.marker or (late and natural):
                    found[one.ref.id] = one
            if len(rows) < PAGE or since is None or last is None or last + answer.skew < since:
                break
            offset += PAGE - BACK
        return list(found.values())

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Write fields by one PATCH. Tags are sent as the whole set."""
        self._changeable(ref, verb, values)
        body = dict(values)
        if "assignee" in body:
            body["assignee"] = sent_assignee(self.connection.name, body["assignee"])
        answer = self._call("PATCH", self._path(ref.id), json=body, write=True)
        shown = self._shown(answer)
        return shown if shown and shown.ref.id == ref.id else None

    def delete(self, ref: Ref) -> None:
        """Delete for good; already gone counts as done."""
        self._known(ref.entity)
        try:
            self._call("DELETE", self._path(ref.id), write=True)
        except NotFound:
            return

    def probe(self) -> dict[str, Any]:
        """Look at the newest tickets: does `ids` work, is tagging licensed (None: no tag seen yet, cannot tell)."""
        _, rows = self._list({"order_by": "-updated_at", "limit": PAGE})
        seen: dict[str, Any] = {"ids": None, "tags": True if self._tags.proved_by(rows) else None}
        if len(rows) > 1:
            one = row_id(rows[-1])
            _, again = self._list({"ids": one, "limit": 2})
            seen["ids"] = self._honours_ids = all(row_id(row) == one for row in again)
        return seen

    def ping(self) -> str:
        """Make the cheapest authenticated read; return a line for people."""
        answer, _ = self._list({"limit": 1})
        count = value_at(answer.body, "count")
        return f"{count} tickets" if isinstance(count, int) else "tickets can be listed"

    def account_metrics(self) -> Mapping[str, float]:
        """Give the number of messages that nobody of the team has read; nothing where this key may not ask."""
        if not self._counts:
            return {}
        try:
            answer = self._http.request(
                "GET",
                f"{self._tickets}unread_count/",
                write=False,
                auth=self._auth,
                errors={403: Refused, 404: Refused},
            )
        except Refused:
            self._counts = False  # a plain store: a missing scope is no reason to stop the connection, or to ask again
            return {}
        count = value_at(answer.body, "count")
        return (
            {"unread_tickets": count}
            if isinstance(count, int) and not isinstance(count, bool)
            else {}
        )

    def _list(self, params: Mapping[str, Any]) -> tuple[Answer, list[Row]]:
        try:
            answer = self._call("GET", self._tickets, params=params)
        except NotFound as error:
            raise self._odd(
                "there is no ticket listing here; check base_url and project_id", error.status
            ) from None
        return answer, object_rows(self.connection.name, answer, "results")

    def _path(self, remote_id: str) -> str:
        return f"{self._tickets}{quote(remote_id, safe='')}/"

    def _shown(self, answer: Answer) -> Record | None:
        """Make a record of what a write answered. Only looking at tags can fail here, and that undoes no write."""
        row = answer.body
        if not isinstance(row, Mapping) or not row_id(row):
            return None
        try:
            return self._records([row], answer)[0]
        except RemoteError:
            return record(self.connection.name, row, answer, proved=False)

    def _records(self, rows: Iterable[Row], answer: Answer) -> list[Record]:
        rows = list(rows)
        proved = self._tags.proved_by(rows)
        if not proved and any(silent(row) for row in rows):
            now = self._http.now()
            proved = self._tags.proved(
                lambda params: self._list(params)[1], now, by_ids=self._honours_ids
            )
        return [record(self.connection.name, row, answer, proved=proved) for row in rows]
