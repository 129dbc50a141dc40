"""Switch Labs CRM: REST API v1 of a customer's own host (https://crm.switchlabs.dev/guide/api/rest).

Oddities, as of 2026-11:
- Every listing pages by a timestamp cursor, exclusive and in whole seconds: rows that share the boundary second are
  skipped by a client that follows `next_cursor`. We step back a second and leave out what we have already given.
- Rows of a listing have no description and no custom_fields; `assignee` and `customer` are objects when read, written
  as `assignee_id` and `customer_email`.
- Priority is shown as `medium` by the REST guide and as `normal` by the product's other API: both are read.
- PATCH documents status, priority and assignee_id. That it takes tags and subject is probed by writing and reading.
- No create takes a key: a tag `bridge-<marker>` is planted, by which the ticket is found again. Tags that begin with
  `bridge-` are ours, hidden on read, and go when the ticket's tags are next written.
- The vendor's page on webhooks is not public: names and paths are those of a sibling product, and configurable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from bridge.connectors import hints
from bridge.connectors.base import Draft, Hint, Intent, Page, Parsed, Record
from bridge.connectors.rest import RestConnector
from bridge.connectors.rows import identity, moment, objects, past, same_text, stamp, times
from bridge.core.capabilities import EntityCapabilities, Support, Verb, Writable
from bridge.core.syncs import Webhook
from bridge.core.values import Raw, Ref
from bridge.errors import NotFound
from bridge.http import Answer

PAGE = 100
SECOND = timedelta(seconds=1)
OVERLAP = timedelta(minutes=5)
"""Each poll begins this much before the newest row of the last one."""
CREATE_WINDOW = timedelta(minutes=5)
FIND_PAGES = 20
MARKER = re.compile(r"bridge-([a-z0-9-]{1,40})")

STATUSES = ("new", "open", "pending", "in_progress", "resolved", "closed")
PRIORITIES = ("low", "medium", "normal", "high", "urgent")
READABLE = (
    "id number subject description status priority type customer assignee tags custom_fields created_at updated_at "
    "resolved_at"
)
UNUSED = (
    "conversation.created conversation.updated conversation.deleted customer.created customer.updated "
    "customer.deleted tag.created tag.updated tag.deleted article.published"
)

Row = Mapping[str, Any]


class SwitchConnector(RestConnector):
    """Tickets of a Switch host."""

    NAME: ClassVar = "switch"
    BACKOFF: ClassVar = 30.0
    CAPABILITIES: ClassVar = {
        "ticket": EntityCapabilities(
            readable=frozenset(READABLE.split()),
            writable={
                "subject": Writable(on_update=Support.PROBED, clears=False, max_length=500, required=True),
                "description": Writable(on_update=Support.NO, clears=False),
                "customer_email": Writable(on_update=Support.NO, clears=False),
                "status": Writable(on_create=False, clears=False, default="new"),
                "priority": Writable(clears=False, default="medium"),
                "assignee_id": Writable(on_create=False),
                "tags": Writable(on_update=Support.PROBED),
            },
            verbs=(Verb("patch", writes=("status", "priority", "assignee_id", "tags", "subject")),),
            creates=Support.YES,
            deletes=True,
            values={"status": STATUSES, "priority": PRIORITIES},
        )
    }
    EVENTS: ClassVar = {
        "ticket.created": "ticket",
        "ticket.updated": "ticket",
        "ticket.deleted": "ticket",
        "ticket.assigned": "ticket",
        "ticket.status_changed": "ticket",
        "ticket.priority_changed": "ticket",
        "ticket.tagged": "ticket",
    }
    IGNORED: ClassVar = frozenset(UNUSED.split())
    SIGNING: ClassVar = Webhook(
        scheme="hmac-sha256",
        secrets=(),
        header="X-Webhook-Signature",
        event="event",
        id="data.id",
        delivery="X-Webhook-Delivery",
    )

    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:
        """Read a verified webhook. Pure; header names are lower-case. Raises Malformed, naming what is wrong."""
        hint = hints.generic(body, self.CAPABILITIES)
        if hint is not None:
            return hint
        own = self.connection.webhook
        event = hints.event_name(body, (own and own.event) or self.SIGNING.event)
        if event not in self.EVENTS:
            return hints.ignored(event, self.IGNORED)
        path = (own and own.id) or self.SIGNING.id
        value = hints.at(body, path)
        if value is None and path == self.SIGNING.id:
            value = hints.at(body, "data.ticket.id")
        found = hints.record_id(value, path)
        number = headers.get(((own and own.delivery) or self.SIGNING.delivery).lower(), "")
        return Parsed(
            hints=(Hint(self.EVENTS[event], found),),
            event=event,
            # The delivery number is not signed, so it only counts together with what is.
            delivery=f"{event}:{found}:{number}"[:250] if number else "",
            projection={"event": event, "id": found},
        )

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read present records; None: the vendor says there is no such record."""
        self._known(entity)
        found: dict[str, Record | None] = {}
        for each in ids:
            try:
                answer = self._call("GET", _path(each))
            except NotFound as error:
                if "NOT_FOUND" not in error.detail:  # a proxy's 404 or a wrong base_url deletes nothing
                    raise self._odd("a 404 that is not the API's own; check base_url", error.status) from None
                found[each] = None
                continue
            row = self._row(answer)
            if row is None or identity(row) != each:
                raise self._odd(f"ticket {each} was asked for, the answer is another thing", answer.status)
            found[each] = self._record(row, answer)
        return found

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Give records changed since the cursor's watermark; see Connector.changed."""
        self._known(entity)
        return self._walk("updated_at", cursor or {}, then=OVERLAP)

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything, page by page; `cursor` None starts, a page whose cursor is None was the last."""
        self._known(entity)
        return self._walk("created_at", cursor or {}, then=None)

    def create(self, draft: Draft) -> Record | None:
        """Create once, with the marker among the tags."""
        self._creatable(draft)
        body = {**draft.values, "tags": [*(draft.values.get("tags") or ()), f"bridge-{draft.marker}"]}
        answer = self._call("POST", "/tickets", json=body, write=True)
        return self._shown(answer)

    def find(self, intent: Intent) -> list[Record]:
        """Give the tickets that carry the marker, and those of the same customer and subject that nobody marked."""
        self._known(intent.draft.entity)
        marker = intent.draft.marker
        since = intent.sent_at - CREATE_WINDOW if intent.sent_at else None
        found: dict[str, Record] = {}
        # The filter narrows, our own look at the tags decides: how the vendor reads several tags is not documented,
        # and if it ignored the filter the newest tickets would come, down to the time of the create.
        for record in self._newest({"tags": f"bridge-{marker}"}, since):
            if record.marker == marker:
                found[record.ref.id] = record
        for record in self._natural(intent.draft, since):
            if record.marker is None:
                found.setdefault(record.ref.id, record)
        return list(found.values())

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Write fields by one PATCH. Tags are sent as the whole set."""
        self._changeable(ref, verb, values)
        answer = self._call("PATCH", _path(ref.id), json=dict(values), write=True)
        shown = self._shown(answer)
        return shown if shown and shown.ref.id == ref.id else None

    def delete(self, ref: Ref) -> None:
        """Delete (the vendor keeps it out of sight); already gone counts as done."""
        self._known(ref.entity)
        try:
            self._call("DELETE", _path(ref.id), write=True)
        except NotFound:
            return

    def probe(self) -> dict[str, Any]:
        """Find out whether a listing can begin at any time, as the polls do; None: too few tickets to tell."""
        newest = self._list({"order_by": "updated_at", "order_dir": "desc", "limit": 1})
        at = [moment(row.get("updated_at")) for row in objects(self.connection.name, newest, "data")]
        if not at or at[0] is None:
            return {"cursor": None}
        start = at[0] - SECOND
        again = self._list({"order_by": "updated_at", "order_dir": "asc", "limit": 1, "cursor": stamp(start)})
        rows = objects(self.connection.name, again, "data")
        return {"cursor": all(seen >= start for seen in times(self.connection.name, rows, "updated_at"))}

    def ping(self) -> str:
        """Make the cheapest authenticated read; return a line for people."""
        total = hints.at(self._list({"limit": 1}).body, "meta.total")
        return f"{total} tickets" if isinstance(total, int) else "tickets can be listed"

    def _walk(self, column: str, state: Mapping[str, Any], *, then: timedelta | None) -> Page:
        """Give the next page in ascending order of a column.

        The state: `from`, the cursor to send; `seen`, id -> time of rows given that may come again; `top`, the newest
        time seen. `then` is the overlap of the next poll; None for a listing that simply ends.
        """
        name = self.connection.name
        start, seen, top = state.get("from"), dict(state.get("seen", {})), state.get("top")
        while not state.get("done"):
            params = {"order_by": column, "order_dir": "asc", "limit": PAGE} | ({"cursor": start} if start else {})
            answer = self._list(params)
            rows = objects(name, answer, "data")
            at = times(name, rows, column)
            begun = moment(start)
            if begun is not None and at and at[0] < begun - SECOND:
                raise self._odd("the listing ignores its cursor, it cannot be polled", answer.status)
            full = len(rows) >= PAGE
            if full:
                rewound = at[-1].replace(microsecond=0) - SECOND
                if begun is not None and rewound <= begun:
                    rows, start = self._crowd(column, start, rows, at[-1]), stamp(at[-1])
                else:
                    start = stamp(rewound)
            fresh = [row for row in rows if seen.get(identity(row)) != row[column]]
            top = max(filter(None, (top, stamp(at[-1]) if at else None)), key=past, default=None)
            if fresh:
                seen |= {identity(row): row[column] for row in fresh}
                edge = moment(start)
                kept = {key: at for key, at in seen.items() if edge is None or past(at) >= edge}
                done = not full and not hints.at(answer.body, "meta.next_cursor")
                next_state = {"from": start, "seen": kept, "top": top, "done": done}
                return Page([self._record(row, answer, listed=True) for row in fresh], next_state)
            if not full:
                break
        if then is None:
            return Page([], None)
        back = stamp((past(top) - then).replace(microsecond=0)) if top else None
        return Page([], {"from": back, "top": top})

    def _crowd(self, column: str, start: str | None, rows: list[Row], end: datetime) -> list[Row]:
        """List a second that holds more rows than a page, by status and then priority; the cursor cannot pass it."""
        found = {identity(row): row for row in rows}
        parts: list[dict[str, str]] = [{"status": status} for status in STATUSES]
        for part in parts:
            params = {"order_by": column, "order_dir": "asc", "limit": PAGE, "cursor": start} | part
            some = objects(self.connection.name, self._list(params), "data")
            at = times(self.connection.name, some, column)
            found |= {identity(row): row for row in some}
            if len(some) >= PAGE and at[-1] < end.replace(microsecond=0) + SECOND:
                if "priority" in part:
                    raise self._odd(f"more than {PAGE} tickets share the second {stamp(end)}, no listing shows all")
                parts.extend(part | {"priority": priority} for priority in PRIORITIES)
        return list(found.values())

    def _newest(self, params: Mapping[str, Any], since: datetime | None) -> list[Record]:
        """List newest first: down to the given time, or one page when there is none."""
        found: dict[str, Record] = {}
        before: str | None = None
        for _ in range(FIND_PAGES):
            window = {"order_by": "created_at", "order_dir": "desc", "limit": PAGE, **params}
            answer = self._list(window | ({"cursor": before} if before else {}))
            rows = objects(self.connection.name, answer, "data")
            found |= {identity(row): self._record(row, answer, listed=True) for row in rows}
            last = moment(rows[-1].get("created_at")) if rows else None
            if len(rows) < PAGE or last is None or since is None or last + answer.skew < since:
                break
            after = stamp(last.replace(microsecond=0) + SECOND)
            if after == before:
                break
            before = after
        return list(found.values())

    def _natural(self, draft: Draft, since: datetime | None) -> list[Record]:
        email, subject = draft.values.get("customer_email"), draft.values.get("subject")
        if not isinstance(email, str) or not isinstance(subject, str):
            return []
        people: list[Row] = []
        for name in ("email", "search"):  # whether the first one minds the case is not documented
            answer = self._call("GET", "/customers", params={name: email, "limit": PAGE})
            some = objects(self.connection.name, answer, "data")
            people = [row for row in some if same_text(row.get("email"), email)]
            if people:
                break
        found: list[Record] = []
        for person in people:
            for record in self._newest({"customer_id": identity(person)}, since):
                made = moment(record.data.get("created_at"))
                late = since is None or (made is not None and made + answer.skew >= since)
                theirs = hints.at(record.data, "customer.email")
                if late and same_text(record.data.get("subject"), subject) and same_text(theirs, email):
                    found.append(record)
        return found

    def _list(self, params: Mapping[str, Any]) -> Answer:
        try:
            return self._call("GET", "/tickets", params=params)
        except NotFound as error:
            raise self._odd("there is no ticket listing here; check base_url", error.status) from None

    def _shown(self, answer: Answer) -> Record | None:
        row = self._row(answer)
        return self._record(row, answer, listed="description" not in row) if row else None

    def _row(self, answer: Answer) -> Row | None:
        row = answer.body.get("data") if isinstance(answer.body, Mapping) else None
        return row if isinstance(row, Mapping) and identity(row) else None

    def _record(self, row: Row, answer: Answer, *, listed: bool = False) -> Record:
        data, marker = dict(row), None
        tags = row.get("tags")
        if isinstance(tags, list):
            ours = [match[1] for tag in tags if isinstance(tag, str) and (match := MARKER.fullmatch(tag))]
            marker = ours[0] if ours else None
            data["tags"] = [tag for tag in tags if not (isinstance(tag, str) and MARKER.fullmatch(tag))]
        at = moment(row.get("updated_at"))
        if at is not None:
            at += answer.skew + (timedelta(0) if at.microsecond else SECOND)
        return Record(
            ref=Ref(self.connection.name, "ticket", identity(row)),
            data=data,
            read_at=answer.sent_at,
            changed_before=at,
            marker=marker,
            partial=listed,
        )


def _path(remote_id: str) -> str:
    return "/tickets/" + quote(remote_id, safe="")
