"""Switch Labs CRM: REST API v1 of a customer's own host (https://crm.switchlabs.dev/guide/api/rest).

Oddities, as of 2026-11:
- Every listing pages by a timestamp cursor that skips rows: see switch_listing.py. That conversations and customers
  sort by `created_at` when asked is assumed and looked at; where they do not, the poll stops and says so.
- Rows of a listing have no description and no custom_fields; `assignee` and `customer` are objects when read, written
  as `assignee_id` and `customer_email`. What is sent as `content` is read as `content_text`.
- Priority is shown as `medium` by the REST guide and as `normal` by the product's other API: both are read.
- PATCH documents status, priority and assignee_id. That it takes tags and subject is probed by writing and reading, as
  is that a customer's PATCH takes custom_fields, where the tags of customers go.
- No create takes a key. A ticket gets a tag `bridge-<marker>`, by which it is found again; tags that begin with
  `bridge-` are ours and hidden on read. The marker goes when the ticket's tags are next written: by then the ticket is
  linked, and its agents need not look at it any longer. A conversation carries no marker, for agents read its text:
  it is found by its text, within its ticket and the time of its create. A customer is found by its e-mail address.
- A conversation of type reply that is not internal goes to the customer: ours are internal notes by default.
- Customers show no time of their last change, as documented. Where they do, polls go by it, else by created_at: then a
  change is seen by webhook or by the next full comparison.
- The vendor's page on webhooks is not public: names and paths are those of a sibling product, and configurable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
    object_rows,
    parse_time,
    record_id,
    row_id,
    row_times,
    same_text,
    value_at,
)
from bridge.connectors.switch.capabilities import (
    CAPABILITIES,
    CATALOGUES,
    CUSTOMER,
    EVENTS,
    IGNORED,
    MESSAGE,
    NOUNS,
    PARTS,
    PATHS,
    PRIORITIES,
    SESSION,
    STATUSES,
    TAGS,
    TICKET,
)
from bridge.connectors.switch.listing import PAGE, Listing
from bridge.connectors.switch.records import (
    MARKED,
    SECOND,
    Row,
    made_as,
    record,
    same_note,
    tags_of,
)
from bridge.core.model.syncs import Webhook
from bridge.core.model.values import Raw, Ref
from bridge.errors import NotFound, Refused, Unsupported
from bridge.http.client import Answer

__all__ = ["PRIORITIES", "STATUSES", "SwitchConnector"]

OVERLAP = timedelta(minutes=5)
"""Each poll begins this much before the newest row of the last one."""
CREATE_WINDOW = timedelta(minutes=5)


class SwitchConnector(JsonHttpConnector):
    """Tickets, conversations and customers of a Switch host; its agents, tags and articles as catalogues."""

    NAME: ClassVar = "switch"
    BACKOFF: ClassVar = 30.0
    CAPABILITIES: ClassVar = CAPABILITIES
    EVENTS: ClassVar = EVENTS
    IGNORED: ClassVar = IGNORED
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
        hint = generic_hint(body, self.CAPABILITIES)
        if hint is not None:
            return hint
        own = self.connection.webhook
        event = event_name(body, (own and own.event) or self.SIGNING.event)
        noun, dot, _ = event.partition(".")
        if (
            not dot or noun not in NOUNS
        ):  # the list of names is not public: whatever is said of these nouns is a hint
            return ignored_event(event, self.IGNORED)
        path = (own and own.id) or self.SIGNING.id
        value = value_at(body, path)
        if value is None and path == self.SIGNING.id:
            value = value_at(body, f"data.{noun}.id")
        found = record_id(value, path)
        number = headers.get(((own and own.delivery) or self.SIGNING.delivery).lower(), "")
        return Parsed(
            hints=(Hint(NOUNS[noun], found),),
            event=event,
            # The delivery number is not signed, so it only counts together with what is.
            delivery=f"{event}:{found}:{number}"[:250] if number else "",
            projection={"event": event, "id": found},
        )

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read present records; None: the vendor says there is no such record."""
        found: dict[str, Record | None] = {}
        for each in ids:
            got = self._get(entity, each)
            found[each] = record(self.connection.name, entity, *got, listed=False) if got else None
        return found

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Give records changed since the cursor's watermark; see Connector.changed. Sessions are ours alone: none."""
        self._check_entity(entity)
        state = cursor or {}
        if entity == SESSION:
            return Page([], {})
        if entity == CUSTOMER and not state.get("column"):
            state = {**state, "column": self._customers_by()}
        column = "updated_at" if entity == TICKET else state.get("column") or "created_at"
        page = self._walk(entity, column, state, OVERLAP)
        return (
            Page(page.records, {**(page.cursor or {}), "column": state["column"]})
            if entity == CUSTOMER
            else page
        )

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything, page by page; `cursor` None starts, a page whose cursor is None was the last."""
        if entity == SESSION:
            return Page([], None)
        if entity in CATALOGUES:
            return self._catalogue(entity, (cursor or {}).get("next"))
        self._check_entity(entity)
        return self._walk(entity, "created_at", cursor or {}, None)

    def create(self, draft: Draft) -> Record | None:
        """Create once: a ticket with the marker among the tags, a conversation as an internal note."""
        self._check_create(draft)
        body: dict[str, Any] = dict(draft.values)
        if draft.entity == TICKET:
            body["tags"] = [*(body.get("tags") or ()), f"{MARKED}{draft.marker}"]
        elif draft.entity in {MESSAGE, SESSION}:
            body = made_as(draft.entity, body)
        return self._shown(
            draft.entity, self._call("POST", PATHS[draft.entity], json=body, write=True)
        )

    def find(self, intent: Intent) -> list[Record]:
        """Give what carries the marker, or is what the create would have made, and what could be the same thing."""
        entity = intent.draft.entity
        self._check_entity(entity)
        if entity == CUSTOMER:
            return self._customers(intent)
        if entity in {MESSAGE, SESSION}:
            return self._notes(intent)
        found = {one.ref.id: one for one in self._tagged(intent.draft.marker, intent.sent_at)}
        for one in self._natural(intent):
            if one.marker is None:
                found.setdefault(one.ref.id, one)
        return list(found.values())

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Write fields by one PATCH. Tags are sent as the whole set; a customer's other custom fields are kept."""
        self._check_update(ref, verb, values)
        body: dict[str, Any] = dict(values)
        if TAGS in body:
            tags = list(body.pop(TAGS) or ())
            body["custom_fields"] = {**self._custom_fields(ref), "tags": tags}
        answer = self._call("PATCH", self._path(ref.entity, ref.id), json=body, write=True)
        shown = self._shown(ref.entity, answer)
        return shown if shown and shown.ref.id == ref.id else None

    def delete(self, ref: Ref) -> None:
        """Delete a ticket (the vendor keeps it out of sight); already gone counts as done. Nothing else, ever."""
        self._check_entity(ref.entity)
        if not self.CAPABILITIES[ref.entity].deletes:
            raise Unsupported(f"{self.NAME} is never told to delete a {ref.entity}")
        try:
            self._call("DELETE", self._path(ref.entity, ref.id), write=True)
        except NotFound:
            return

    def probe(self) -> dict[str, Any]:
        """Find out whether a listing can begin at any time, as the polls do; None: too few tickets to tell."""
        newest = self._list(TICKET, {"order_by": "updated_at", "order_dir": "desc", "limit": 1})
        at = [
            parse_time(row.get("updated_at"))
            for row in object_rows(self.connection.name, newest, "data")
        ]
        if not at or at[0] is None:
            return {"cursor": None}
        start = at[0] - SECOND
        again = self._list(
            TICKET,
            {
                "order_by": "updated_at",
                "order_dir": "asc",
                "limit": 1,
                "cursor": format_time(start),
            },
        )
        rows = object_rows(self.connection.name, again, "data")
        return {
            "cursor": all(
                seen >= start for seen in row_times(self.connection.name, rows, "updated_at")
            )
        }

    def ping(self) -> str:
        """Make the cheapest authenticated read; return a line for people."""
        total = value_at(self._list(TICKET, {"limit": 1}).body, "meta.total")
        return f"{total} tickets" if isinstance(total, int) else "tickets can be listed"

    # Listings.

    def _walk(
        self, entity: str, column: str, state: Mapping[str, Any], then: timedelta | None
    ) -> Page:
        rows, after = self._listing(entity).walk(column, state, then)
        return Page(
            [record(self.connection.name, entity, row, answer) for row, answer in rows], after
        )

    def _customers_by(self) -> str | None:
        """Find out what customers can be polled by: whether they show when they were changed is not documented."""
        try:
            answer = self._list(
                CUSTOMER, {"order_by": "updated_at", "order_dir": "asc", "limit": 1}
            )
        except Refused:
            return "created_at"
        rows = object_rows(self.connection.name, answer, "data")
        return (
            None
            if not rows
            else "updated_at"
            if parse_time(rows[0].get("updated_at"))
            else "created_at"
        )

    def _catalogue(self, entity: str, start: str | None) -> Page:
        answer = self._list(entity, {"limit": PAGE} | ({"cursor": start} if start else {}))
        rows = object_rows(self.connection.name, answer, "data")
        following = value_at(answer.body, "meta.next_cursor") if rows else None
        if following and following == start:
            raise self._unavailable(
                f"the listing of {PATHS[entity]} does not get past {start}", answer.status
            )
        found = [record(self.connection.name, entity, row, answer) for row in rows]
        return Page(found, {"next": following} if following else None)

    def _listing(self, entity: str) -> Listing:
        what = PATHS[entity].strip("/")
        return Listing(
            self.connection.name,
            what,
            lambda params: self._list(entity, params),
            PARTS.get(entity, ()),
        )

    def _list(self, entity: str, params: Mapping[str, Any]) -> Answer:
        try:
            return self._call("GET", PATHS[entity], params=params)
        except NotFound as error:
            raise self._unavailable(
                f"there is no {entity} listing here; check base_url", error.status
            ) from None

    # Looking things up.

    def _tagged(self, marker: str, sent_at: datetime | None) -> list[Record]:
        """Find the tickets that carry the marker; none on first contact, when nothing was sent that could."""
        if sent_at is None:
            return []
        # The filter narrows, our own look at the tags decides: how the vendor reads several tags is
        # not documented, and if it ignored the filter the newest tickets would come, down to the
        # time of the create.
        rows = self._listing(TICKET).newest({"tags": f"{MARKED}{marker}"}, sent_at - CREATE_WINDOW)
        seen = (
            record(self.connection.name, TICKET, row, answer, listed=True) for row, answer in rows
        )
        return [one for one in seen if one.marker == marker]

    def _natural(self, intent: Intent) -> list[Record]:
        """Find tickets of the same customer: on first contact the newest page, after a create those of its subject."""
        email, subject = (
            intent.draft.values.get("customer_email"),
            intent.draft.values.get("subject"),
        )
        since = intent.sent_at - CREATE_WINDOW if intent.sent_at else None
        if not isinstance(email, str) or not isinstance(subject, str):
            return []
        found: list[Record] = []
        for person, _ in self._people(email):
            for row, answer in self._listing(TICKET).newest({"customer_id": row_id(person)}, since):
                made = parse_time(row.get("created_at"))
                late = since is None or (made is not None and made + answer.skew >= since)
                theirs = value_at(row, "customer.email")
                alike = since is None or same_text(row.get("subject"), subject)
                if late and alike and same_text(theirs, email):
                    found.append(record(self.connection.name, TICKET, row, answer, listed=True))
        return found

    def _notes(self, intent: Intent) -> list[Record]:
        """Find the newest conversation of the ticket that says just this: ours, if it came at the create's time."""
        draft = intent.draft
        since = intent.sent_at - CREATE_WINDOW if intent.sent_at else None
        ticket, values = draft.values.get("ticket_id"), made_as(draft.entity, draft.values)
        if not isinstance(ticket, str) or not ticket:
            return []
        for row, answer in self._listing(draft.entity).newest({"ticket_id": ticket}, since):
            made = parse_time(row.get("created_at"))
            late = since is None or (made is not None and made + answer.skew + SECOND >= since)
            if late and row.get("ticket_id") == ticket and same_note(row, values):
                return [
                    self._marked(record(self.connection.name, draft.entity, row, answer), intent)
                ]
        return []

    def _customers(self, intent: Intent) -> list[Record]:
        """Find customers by the address, which says who they are."""
        email = intent.draft.values.get("email")
        if not isinstance(email, str):
            return []
        found = [
            record(self.connection.name, CUSTOMER, row, answer)
            for row, answer in self._people(email)
        ]
        return [self._marked(each, intent) for each in found]

    def _marked(self, one: Record, intent: Intent) -> Record:
        """Take a record for the intent's own, once that has been sent."""
        return one if intent.sent_at is None else replace(one, marker=intent.draft.marker)

    def _people(self, email: str) -> list[tuple[Row, Answer]]:
        for name in ("email", "search"):  # whether the first one minds the case is not documented
            answer = self._list(CUSTOMER, {name: email, "limit": PAGE})
            some = object_rows(self.connection.name, answer, "data")
            people = [(row, answer) for row in some if same_text(row.get("email"), email)]
            if people:
                return people
        return []

    # Single records.

    def _get(self, entity: str, remote_id: str) -> tuple[Row, Answer] | None:
        try:
            answer = self._call("GET", self._path(entity, remote_id))
        except NotFound as error:
            if "NOT_FOUND" not in error.detail:  # a proxy's 404 or a wrong base_url deletes nothing
                raise self._unavailable(
                    "a 404 that is not the API's own; check base_url", error.status
                ) from None
            return None
        row = _row(answer)
        if row is None or row_id(row) != remote_id:
            raise self._unavailable(
                f"{entity} {remote_id} was asked for, the answer is another thing", answer.status
            )
        return row, answer

    def _custom_fields(self, ref: Ref) -> Mapping[str, Any]:
        """Read what else a customer carries, for a PATCH may well replace the whole object."""
        got = self._get(ref.entity, ref.id)
        if got is None:
            raise NotFound(self.connection.name, f"there is no customer {ref.id}", status=404)
        if tags_of(got[0]) is None:
            raise Refused(
                self.connection.name,
                f"customer {ref.id} has something else in {TAGS}; rename that field",
            )
        kept = got[0].get("custom_fields")
        return kept if isinstance(kept, Mapping) else {}

    def _shown(self, entity: str, answer: Answer) -> Record | None:
        row = _row(answer)
        return record(self.connection.name, entity, row, answer) if row else None

    def _path(self, entity: str, remote_id: str) -> str:
        if entity not in PATHS:
            raise Unsupported(f"{self.NAME} has no {entity}")
        return f"{PATHS[entity]}/{quote(remote_id, safe='')}"


def _row(answer: Answer) -> Row | None:
    row = answer.body.get("data") if isinstance(answer.body, Mapping) else None
    return row if isinstance(row, Mapping) and row_id(row) else None
