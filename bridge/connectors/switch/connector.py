"""Switch Labs CRM: REST API v1 of a customer's own host (https://crm.switchlabs.dev/guide/api/rest).

Oddities, as of 2026-11; each is explained where it matters:
- Every listing pages by a time cursor that skips rows (listing.py). That customers sort by
  `created_at` when asked is checked. Conversations cannot be asked for an order
  (conversation_listing.py).
- Rows of a listing have no description and no custom_fields (records.py).
- `assignee` and `customer` are objects when read, written as `assignee_id` and `customer_email`;
  what is sent as `content` is read as `content_text`.
- What PATCH takes is documented in part, so tags, subject and custom_fields are probed by writing
  and reading (capabilities.py, `update`).
- No create takes a key (`create`, `find`).
- Customers show no time of their last change, as documented (`_customer_column`).
- The vendor's page on webhooks is not public (`parse`).
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from bridge.connectors.behind_doors import parted
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
    CONVERSATIONS,
    CROWD_FILTERS,
    CUSTOM_FIELDS,
    CUSTOMER,
    EVENT_NOUNS,
    EVENTS,
    IGNORED,
    MARKER_PREFIX,
    MESSAGE,
    PAGE_SIZE,
    PATHS,
    PROBES,
    RATE_LIMIT_BACKOFF,
    SESSION,
    SIGNING,
    TICKET,
)
from bridge.connectors.switch.conversation_listing import ConversationListing
from bridge.connectors.switch.listing import RowOfAnswer, SwitchListing
from bridge.connectors.switch.priority_word import PriorityWord
from bridge.connectors.switch.records import (
    SECOND,
    as_created,
    body_row,
    conversation_body,
    custom_fields,
    made_since,
    record,
    same_note,
    window_start,
)
from bridge.core.mapping.email_address import same_address
from bridge.core.model.capabilities import Support
from bridge.core.model.counting import counted
from bridge.core.model.markers import Markers
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Raw, Ref
from bridge.errors import NotFound, Refused, Unsupported
from bridge.http.caller import Answer, Caller

POLL_OVERLAP = timedelta(minutes=5)
"""Each poll begins this much before the newest row of the last one."""


class SwitchConnector(JsonHttpConnector):
    """Tickets, conversations and customers of a Switch host, and its catalogues."""

    NAME: ClassVar = "switch"
    CAPABILITIES: ClassVar = CAPABILITIES
    PROBES: ClassVar = PROBES
    EVENTS: ClassVar = EVENTS
    IGNORED: ClassVar = IGNORED
    SIGNING: ClassVar = SIGNING
    BACKOFF: ClassVar = RATE_LIMIT_BACKOFF

    def __init__(self, connection: Connection, http: Caller) -> None:
        super().__init__(connection, http)
        self._priority_word = PriorityWord(lambda: self.findings)

    # Webhooks

    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:
        """Read a verified webhook. Raises Malformed, naming what is wrong."""
        hint = generic_hint(body, self.CAPABILITIES)
        if hint is not None:
            return hint
        configured = self.connection.webhook
        event = event_name(body, (configured and configured.event) or SIGNING.event)
        noun, dot, _ = event.partition(".")
        # The list of events is not public, so every event whose name begins with one of these nouns
        # counts as a hint.
        if not dot or noun not in EVENT_NOUNS:
            return ignored_event(event, IGNORED)
        remote_id = self._hinted_id(body, noun)
        header = (configured and configured.delivery) or SIGNING.delivery
        number = headers.get(header.lower(), "")
        return Parsed(
            hints=(Hint(EVENT_NOUNS[noun], remote_id),),
            event=event,
            # It is not signed, so it is joined with the event and the id, which are.
            delivery=f"{event}:{remote_id}:{number}"[:250] if number else "",
            projection={"event": event, "id": remote_id},
        )

    def _hinted_id(self, body: Any, noun: str) -> str:
        configured = self.connection.webhook
        path = (configured and configured.id) or SIGNING.id
        value = value_at(body, path)
        if value is None and path == SIGNING.id:
            value = value_at(body, f"data.{noun}.id")
        return record_id(value, path)

    # Reading

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read records one by one; None: the vendor says that there is no such record."""
        return {remote_id: self._read(entity, remote_id) for remote_id in ids}

    def _read(self, entity: str, remote_id: str) -> Record | None:
        shown = self._get(entity, remote_id)
        return self._records(entity, [shown], listed=False)[0] if shown else None

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Return records changed since the cursor's watermark; see Connector.changed.

        Sessions are written by us alone: none are given.
        """
        self._check_entity(entity)
        state = cursor or {}
        if entity == SESSION:
            return Page([], {})
        if entity == TICKET:
            return self._walk(entity, "updated_at", state, POLL_OVERLAP)
        if entity == MESSAGE:
            return self._walk_conversations(state, POLL_OVERLAP)
        column = state.get("column") or self._customer_column()
        page = self._walk(entity, column or "created_at", state, POLL_OVERLAP)
        return replace(page, cursor={**(page.cursor or {}), "column": column})

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything, page by page; of sessions nothing."""
        if entity == SESSION:
            return Page([], None)
        if entity in CATALOGUES:
            return self._catalogue(entity, (cursor or {}).get("next"))
        self._check_entity(entity)
        if entity == MESSAGE:
            return self._walk_conversations(cursor or {}, None)
        return self._walk(entity, "created_at", cursor or {}, None)

    def made_since(self, entity: str, since: datetime) -> Sequence[Record]:
        """Return at least the tickets that were made since; see Connector.made_since."""
        self._check_entity(entity)
        return self._records(entity, self._listing(entity).made_since(since))

    def _walk(
        self, entity: str, column: str, state: Mapping[str, Any], overlap: timedelta | None
    ) -> Page:
        rows, after = self._listing(entity).walk(column, state, overlap)
        if entity == TICKET:
            self._priority_word.learn(row for row, _ in rows)
        return Page(self._records(entity, rows), after)

    def _walk_conversations(self, state: Mapping[str, Any], overlap: timedelta | None) -> Page:
        rows, after = self._conversations().walk(state, overlap)
        return Page(self._records(MESSAGE, rows), after)

    def _records(
        self, entity: str, rows: Iterable[RowOfAnswer], *, listed: bool | None = None
    ) -> list[Record]:
        name, markers = self.connection.name, self.markers
        return [record(name, entity, row, answer, markers, listed=listed) for row, answer in rows]

    def _customer_column(self) -> str | None:
        """Return what customers can be polled by; None: there is no customer to tell by.

        The guide shows no time of their last change (2026-11). A deployment that shows one can be
        polled by it. Elsewhere a poll finds new customers only, and a change is seen by webhook or
        by the next full comparison.
        """
        order = {"order_by": "updated_at", "order_dir": "asc", "limit": 1}
        try:
            answer = self._list(CUSTOMER, order)
        except Refused:
            return "created_at"
        rows = object_rows(self.connection.name, answer, "data")
        if not rows:
            return None
        return "updated_at" if parse_time(rows[0].get("updated_at")) else "created_at"

    def _catalogue(self, entity: str, start: str | None) -> Page:
        answer = self._list(entity, {"limit": PAGE_SIZE} | ({"cursor": start} if start else {}))
        rows = object_rows(self.connection.name, answer, "data")
        following = value_at(answer.body, "meta.next_cursor") if rows else None
        if following and following == start:
            raise self._unavailable(
                f"the listing of {PATHS[entity]} does not get past {start}", answer.status
            )
        records = self._records(entity, [(row, answer) for row in rows])
        return Page(records, {"next": following} if following else None)

    # Creating

    def create(self, draft: Draft) -> Record | None:
        """Create once: a ticket with the marker among the tags, a conversation as an internal note.

        No create takes a key (2026-11). The tag of a ticket goes when its tags are next written: by
        then the ticket is linked, and agents need not look at it any longer. A conversation and a
        customer carry no marker, for people read them: `find` knows them by what they are.
        """
        self._check_create(draft)
        body: dict[str, Any] = dict(draft.values)
        if draft.entity == TICKET:
            body["tags"] = [*(body.get("tags") or ()), f"{MARKER_PREFIX}{draft.marker}"]
        elif draft.entity in CONVERSATIONS:
            body = conversation_body(draft.entity, body)
        answer = self._send("POST", draft.entity, PATHS[draft.entity], body)
        return self._shown(draft.entity, answer, self.markers.expecting(draft.marker))

    def find(self, intent: Intent) -> list[Record]:
        """Return what the create has made, or what could be the same thing."""
        entity = intent.draft.entity
        self._check_entity(entity)
        if entity == CUSTOMER:
            return self._find_customers(intent)
        if entity in CONVERSATIONS:
            return self._find_conversation(intent)
        tickets = {ticket.ref.id: ticket for ticket in self._find_marked(intent)}
        for ticket in self._find_alike(intent):
            if ticket.marker is None:
                tickets.setdefault(ticket.ref.id, ticket)
        return list(tickets.values())

    def _find_marked(self, intent: Intent) -> Iterator[Record]:
        """Find the tickets that carry the marker; none before the create was sent."""
        since = window_start(intent)
        if since is None:
            return
        markers = self.markers.expecting(marker := intent.draft.marker)
        # The filter narrows, our own look at the tags decides: how several tags are read is not
        # documented (2026-11), and if the filter were ignored the newest tickets would come, down
        # to the time of the create.
        rows = self._listing(TICKET).newest({"tags": f"{MARKER_PREFIX}{marker}"}, since)
        for row, answer in rows:
            ticket = record(self.connection.name, TICKET, row, answer, markers, listed=True)
            if ticket.marker == marker:
                yield ticket

    def _find_alike(self, intent: Intent) -> Iterator[Record]:
        """Find tickets of the same customer.

        Before the create was sent: those of the newest page. Afterwards: those of its time and
        subject.
        """
        email = intent.draft.values.get("customer_email")
        subject = intent.draft.values.get("subject")
        if not isinstance(email, str) or not isinstance(subject, str):
            return
        since = window_start(intent)
        for customer, _ in self._customers(email):
            rows = self._listing(TICKET).newest({"customer_id": row_id(customer)}, since)
            for row, answer in rows:
                of_customer = same_address(value_at(row, "customer.email"), email)
                of_subject = since is None or same_text(row.get("subject"), subject)
                if of_customer and of_subject and made_since(since, row, answer):
                    yield from self._records(TICKET, [(row, answer)], listed=True)

    def _find_conversation(self, intent: Intent) -> list[Record]:
        """Find the ticket's newest conversation that says just this, since the create."""
        draft, since = intent.draft, window_start(intent)
        values = conversation_body(draft.entity, draft.values)
        ticket = draft.values.get("ticket_id")
        if not isinstance(ticket, str) or not ticket:
            return []
        rows = self._conversations().newest({"ticket_id": ticket}, since)
        for row, answer in rows:
            in_time = made_since(since, row, answer, resolution=SECOND)
            if in_time and row.get("ticket_id") == ticket and same_note(row, values):
                (conversation,) = self._records(draft.entity, [(row, answer)])
                return [as_created(conversation, intent)]
        return []

    def _find_customers(self, intent: Intent) -> list[Record]:
        """Find customers by the address, which says who they are."""
        email = intent.draft.values.get("email")
        if not isinstance(email, str):
            return []
        customers = self._records(CUSTOMER, self._customers(email))
        return [as_created(customer, intent) for customer in customers]

    def _customers(self, email: str) -> list[RowOfAnswer]:
        """Return the customers of an e-mail address, however it is spelled."""
        # Whether the filter `email` minds case or Unicode form is not documented (2026-11).
        forms = dict.fromkeys((email, unicodedata.normalize("NFD", email)))
        for parameter, form in itertools.product(("email", "search"), forms):
            answer = self._list(CUSTOMER, {parameter: form, "limit": PAGE_SIZE})
            rows = object_rows(self.connection.name, answer, "data")
            customers = [(row, answer) for row in rows if same_address(row.get("email"), email)]
            if customers:
                return customers
        return []

    # Changing

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Write fields by one PATCH. Tags are sent as the whole set, and so are custom fields."""
        self._check_update(ref, verb, values)
        body, own = parted(CUSTOM_FIELDS, values)
        if own:
            body[CUSTOM_FIELDS] = self._custom_fields(ref, own)
        answer = self._send("PATCH", ref.entity, self._path(ref.entity, ref.id), body)
        shown = self._shown(ref.entity, answer)
        return shown if shown and shown.ref.id == ref.id else None

    def _custom_fields(self, ref: Ref, own: Mapping[str, Raw]) -> Mapping[str, Any]:
        """Return a record's custom fields, as they are now, with these among them."""
        shown = self._get(ref.entity, ref.id)
        if shown is None:
            raise NotFound(self.connection.name, f"there is no {ref.entity} {ref.id}", status=404)
        return custom_fields(ref, shown[0], own)

    def delete(self, ref: Ref) -> None:
        """Delete a ticket, which the vendor keeps out of sight. Nothing else, ever.

        One that is gone already counts as done.
        """
        self._check_entity(ref.entity)
        if CAPABILITIES[ref.entity].deletes is Support.NO:
            raise Unsupported(f"{self.NAME} cannot delete a {ref.entity}")
        try:
            self._call("DELETE", self._path(ref.entity, ref.id), write=True)
        except NotFound:
            return

    # What operators see

    def probe(self) -> dict[str, Any]:
        """Find out whether a listing can begin at any time; None: no ticket to tell by."""
        order = {"order_by": "updated_at", "limit": 1}
        newest = object_rows(
            self.connection.name, self._list(TICKET, {**order, "order_dir": "desc"}), "data"
        )
        changed_at = parse_time(newest[0].get("updated_at")) if newest else None
        if changed_at is None:
            return {"cursor": None}
        start = changed_at - SECOND
        answer = self._list(TICKET, {**order, "order_dir": "asc", "cursor": format_time(start)})
        rows = object_rows(self.connection.name, answer, "data")
        times = row_times(self.connection.name, rows, "updated_at", answer)
        return {"cursor": all(time >= start for time in times)}

    def ping(self) -> str:
        """Make the cheapest authenticated read; return a line for people."""
        total = value_at(self._list(TICKET, {"limit": 1}).body, "meta.total")
        return counted(total, "ticket") if isinstance(total, int) else "tickets can be listed"

    # Calls

    def _listing(self, entity: str) -> SwitchListing:
        return SwitchListing(
            self.connection.name,
            PATHS[entity].strip("/"),
            lambda params: self._list(entity, params),
            CROWD_FILTERS.get(entity, ()),
        )

    def _send(self, method: str, entity: str, path: str, body: Mapping[str, Any]) -> Answer:
        """Make a write; where the deployment has another word for a priority, in that word."""
        if entity != TICKET:
            return self._call(method, path, json=dict(body), write=True)
        body = self._priority_word.spell(body)
        try:
            return self._call(method, path, json=body, write=True)
        except Refused as error:
            other = self._priority_word.after_refusal(body, error)
            if other is None:
                raise
        answer = self._call(method, path, json=other, write=True)
        self._priority_word.taken(other)
        return answer

    def _conversations(self) -> ConversationListing:
        return ConversationListing(
            self.connection.name,
            lambda params: self._list(MESSAGE, params),
            CROWD_FILTERS[MESSAGE],
        )

    def _list(self, entity: str, params: Mapping[str, Any]) -> Answer:
        try:
            return self._call("GET", PATHS[entity], params=params)
        except NotFound as error:
            raise self._unavailable(
                f"there is no {entity} listing here; check base_url", error.status
            ) from None

    def _get(self, entity: str, remote_id: str) -> RowOfAnswer | None:
        try:
            answer = self._call("GET", self._path(entity, remote_id))
        except NotFound as error:
            # A proxy's 404 or that of a wrong base_url deletes nothing.
            if "NOT_FOUND" not in error.detail:
                raise self._unavailable(
                    "a 404 that is not the API's own; check base_url", error.status
                ) from None
            return None
        row = body_row(answer)
        if row is None or row_id(row) != remote_id:
            raise self._unavailable(
                f"{entity} {remote_id} was asked for, the answer is another thing", answer.status
            )
        if entity == TICKET:
            self._priority_word.learn([row])
        return row, answer

    def _shown(self, entity: str, answer: Answer, markers: Markers | None = None) -> Record | None:
        name, row = self.connection.name, body_row(answer)
        if row and entity == TICKET:
            self._priority_word.learn([row])
        return record(name, entity, row, answer, markers or self.markers) if row else None

    def _path(self, entity: str, remote_id: str) -> str:
        if entity not in PATHS:
            raise Unsupported(f"{self.NAME} has no {entity}")
        return f"{PATHS[entity]}/{quote(remote_id, safe='')}"
