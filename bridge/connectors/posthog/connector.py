"""PostHog Conversations (Support): tickets of one project (https://posthog.com/docs/api/conversations).

Oddities, as of 2026-11; each is explained where it matters:
- Reading one ticket marks it as read by the team, so tickets are only read from the listing.
- What a filter or parameter means is dropped in silence where it is unknown (listing.py).
- `updated_at` may step back (listing.py).
- An empty set of tags may be hidden tags (tag_belief.py).
- POST is documented, and refused by many deployments (`create`). `compose` e-mails the customer and
  is never called.
- `assignee` is an object; here it is `user:<number>`, `role:<uuid>` or null (records.py). There is
  no subject.
- Snoozing moves the status. Neither `snoozed_until` nor `sla_due_at` is written here, so a status
  of ours moves no alarm.
- Events can be forged with the project's public key: they are hints and nothing more.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from bridge.connectors.behind_doors import parted, whole
from bridge.connectors.contract import Draft, Hint, Intent, Page, Parsed, Record
from bridge.connectors.json_http import JsonHttpConnector
from bridge.connectors.parsing import (
    Row,
    event_name,
    generic_hint,
    ignored_event,
    is_row,
    is_uuid,
    parse_time,
    record_id,
    row_id,
    value_at,
)
from bridge.connectors.posthog.capabilities import (
    CAPABILITIES,
    CREATE_REFUSAL_DELAY,
    EVENTS,
    IGNORED,
    OPTIONS,
    PAGE_SIZE,
    PROBES,
    REQUIRED_OPTIONS,
    SIGNING,
    TICKET,
    TRAITS,
)
from bridge.connectors.posthog.forbidden import forbidden
from bridge.connectors.posthog.listing import PostHogListing
from bridge.connectors.posthog.records import (
    create_body,
    customer_email,
    record,
    sent_assignee,
)
from bridge.connectors.posthog.tag_belief import TagBelief, may_lack_tags
from bridge.connectors.posthog.ticket_lookup import TicketLookup, is_number
from bridge.connectors.posthog.written_traits import WrittenTraits
from bridge.core.mapping.email_address import same_address
from bridge.core.model.capabilities import creating
from bridge.core.model.counting import counted
from bridge.core.model.markers import Markers
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Raw, Ref
from bridge.errors import NotFound, Refused, RemoteError, Unauthorised, UnknownOutcome
from bridge.http.caller import Answer, Caller

CREATE_WINDOW = timedelta(minutes=5)
"""A record that was made this long before a create was sent may still be what it made."""


class PostHogConnector(JsonHttpConnector):
    """Tickets of a PostHog project."""

    NAME: ClassVar = "posthog"
    CAPABILITIES: ClassVar = CAPABILITIES
    PROBES: ClassVar = PROBES
    EVENTS: ClassVar = EVENTS
    IGNORED: ClassVar = IGNORED
    SIGNING: ClassVar = SIGNING
    OPTIONS: ClassVar = OPTIONS
    REQUIRED_OPTIONS: ClassVar = REQUIRED_OPTIONS
    ACCOUNT_OPTIONS: ClassVar = REQUIRED_OPTIONS

    def __init__(self, connection: Connection, http: Caller) -> None:
        super().__init__(connection, http)
        project = quote(str(connection.options.get("project_id", "")), safe="")
        self._tickets = f"/api/projects/{project}/conversations/tickets/"
        self._listing = PostHogListing(connection.name, self._list)
        self._tag_belief = TagBelief(declared=connection.options.get("tags_licensed") is True)
        self._lookup = TicketLookup(
            connection.name,
            self._listing,
            lambda tickets: self.handles(TICKET, tickets),
            self._list_messages,
        )
        self._written_traits = WrittenTraits()
        # What was learned of this deployment. Plain values, for learning one of them twice does no
        # harm.
        self._tells_unread = True
        self._has_created = False
        self._lock = threading.Lock()
        self._create_failed_at: datetime | None = None

    # Webhooks

    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:
        """Read a verified webhook. Raises Malformed, naming what is wrong."""
        hint = generic_hint(body, self.CAPABILITIES)
        if hint is not None:
            return hint
        configured = self.connection.webhook
        event = event_name(body, (configured and configured.event) or SIGNING.event)
        if event not in EVENTS:
            return ignored_event(event, IGNORED)
        id_path = (configured and configured.id) or SIGNING.id
        ticket = record_id(value_at(body, id_path), id_path)
        beside_it, _, _ = id_path.rpartition(".")
        number = row_id({"id": value_at(body, f"{beside_it}.ticket_number".strip("."))})
        return Parsed(
            hints=(Hint(EVENTS[event], ticket, number if is_number(number) else ""),),
            event=event,
            delivery=self._delivery(headers, body, f"{event}:{ticket}"),
            projection={"event": event, "id": ticket},
        )

    def _delivery(self, headers: Mapping[str, str], body: Any, scope: str) -> str:
        """Return what tells a delivery from all others."""
        configured = self.connection.webhook
        if configured and configured.scheme == "standard-webhooks":
            signed = headers.get("webhook-id", "")
            if signed:
                return signed
        # Whoever sent the event chose its uuid, so that it counts only within its scope.
        if configured and configured.delivery:
            number: Any = headers.get(configured.delivery.lower(), "")
        else:
            number = value_at(body, "event.uuid")
        return f"{scope}:{number}"[:250] if isinstance(number, str) and number else ""

    # Reading. `GET …/tickets/:id` marks the ticket as read by the team, and people would miss
    # their customers' messages (https://posthog.com/docs/api/conversations, read 2026-11). So it is
    # never called: tickets come from the listing.

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read tickets as the listing shows them; None: there is no such ticket."""
        self._check_entity(entity)
        # Anything but a UUID cannot be a ticket, and would spoil the call.
        wanted = {ticket for ticket in ids if is_uuid(ticket)}
        tickets: dict[str, Record | None] = dict.fromkeys(ids)
        if wanted:
            tickets |= {ticket.ref.id: ticket for ticket in self._read(wanted)}
        return tickets

    def _read(self, wanted: set[str]) -> list[Record]:
        # Tickets that had tags come along where they can: if theirs are shown, an empty set is
        # empty.
        witnesses = self._tag_belief.witnesses(PAGE_SIZE - len(wanted))
        pages = self._lookup.find(wanted, witnesses)
        found = [(row, page.answer) for page in pages for row in page.rows if row_id(row) in wanted]
        self._written_traits.note_read((row for row, _ in found), self._http.now())
        believed = self._believes_empty(
            [row for row, _ in found], [row for page in pages for row in page.rows]
        )
        return [
            record(self.connection.name, row, answer, self.markers, tags_believed=believed)
            for row, answer in found
        ]

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Return tickets changed since the cursor's watermark; see Connector.changed."""
        self._check_entity(entity)
        shown, state = self._listing.changed(cursor or {})
        return Page(self._records(shown.rows, shown.answer) if shown else [], state)

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything by creation."""
        self._check_entity(entity)
        shown, state = self._listing.scan(cursor or {})
        return Page(self._records(shown.rows, shown.answer), state)

    def made_since(self, entity: str, since: datetime) -> Sequence[Record]:
        """Return at least the tickets that were made since; see Connector.made_since."""
        self._check_entity(entity)
        name = self.connection.name
        # Whether empty tags are to be believed is no matter here, and might cost a call.
        return [
            record(name, row, shown.answer, self.markers, tags_believed=False)
            for shown in self._listing.made_since(since)
            for row in shown.rows
        ]

    def find(self, intent: Intent) -> list[Record]:
        """Return the tickets that carry the marker, and those of the same customer without any.

        They are looked for down to the time of the create; before it was sent, among the newest
        page alone.
        """
        self._check_entity(intent.draft.entity)
        since = intent.sent_at - CREATE_WINDOW if intent.sent_at else None
        tickets: dict[str, Record] = {}
        markers = self.markers.expecting(intent.draft.marker)
        for shown in self._listing.newest(since):
            for ticket in self._records(shown.rows, shown.answer, markers):
                if self._may_be_created(ticket, intent.draft, since, shown.answer):
                    tickets[ticket.ref.id] = ticket
        return list(tickets.values())

    def _may_be_created(
        self, ticket: Record, draft: Draft, since: datetime | None, answer: Answer
    ) -> bool:
        """Return whether a ticket is ours by its marker, or nobody's and of the same customer."""
        if ticket.marker is not None:
            return ticket.marker == draft.marker
        made_at = parse_time(ticket.data.get("created_at"))
        early = since is not None and made_at is not None and made_at + answer.skew < since
        return not early and same_address(
            customer_email(ticket), draft.values.get(f"{TRAITS}.email")
        )

    # Writing

    def create(self, draft: Draft) -> Record | None:
        """Create once, as documented, with the marker among the traits.

        Raises Refused, with status 405 or a 500 that comes again after a while, where no creates
        are taken at all: from that the caller learns that this connection cannot create.
        """
        self._check_create(draft)
        sent_at = self._http.now()
        try:
            answer = self._call("POST", self._tickets, json=create_body(draft), write=True)
        except UnknownOutcome as error:
            if error.status != 500 or self._creates():
                raise
            created: Record | None = self._after_500(draft, sent_at, error)
        else:
            created = self._shown(answer, self.markers.expecting(draft.marker))
        self._has_created = True
        return created

    def _creates(self) -> bool:
        """Return whether a create has ever worked here, by this worker or another."""
        return self._has_created or self.findings.known().get(creating(TICKET), False)

    def _after_500(self, draft: Draft, sent_at: datetime, error: UnknownOutcome) -> Record:
        """Find out what a 500 to a create means, where no create has ever worked.

        Deployments answer it to everybody (github.com/PostHog/posthog/issues/71101, 2026-07), which
        is a refusal. Once may be a bad moment; that it comes again is none.
        """
        with self._lock:
            self._create_failed_at = first_failed_at = self._create_failed_at or sent_at
        if sent_at - first_failed_at < CREATE_REFUSAL_DELAY:
            raise error
        for ticket in self.find(Intent(draft, sent_at)):
            if ticket.marker == draft.marker:
                return ticket
        raise Refused(
            self.connection.name,
            "answers 500 to every create and no ticket appears: it takes none",
            status=500,
            request_id=error.request_id,
        ) from None

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Write fields by one PATCH. Tags are sent as the whole set, and so are the traits."""
        self._check_update(ref, verb, values)
        body, traits = parted(TRAITS, values)
        if "assignee" in body:
            body["assignee"] = sent_assignee(self.connection.name, body["assignee"])
        if traits:
            body[TRAITS] = self._traits(ref, traits)
        answer = self._call("PATCH", self._path(ref.id), json=body, write=True)
        self._written_traits.keep(answer.body)
        shown = self._shown(answer)
        return shown if shown and shown.ref.id == ref.id else None

    def _traits(self, ref: Ref, own: Mapping[str, Raw]) -> dict[str, Any]:
        """Return a ticket's traits as they are now, our marker included, with these among them."""
        name, row = self.connection.name, self._written_traits.just_read(ref.id, self._http.now())
        if row is None:
            shown = (row for page in self._lookup.find({ref.id}) for row in page.rows)
            row = next((row for row in shown if row_id(row) == ref.id), None)
        if row is None:
            raise NotFound(name, f"there is no ticket {ref.id}", status=404)
        return whole(name, f"ticket {ref.id}", TRAITS, self._written_traits.newest(row), own)

    def delete(self, ref: Ref) -> None:
        """Delete for good; one that is gone already counts as done."""
        self._check_entity(ref.entity)
        try:
            self._call("DELETE", self._path(ref.id), write=True)
        except NotFound:
            return

    # What operators see

    def probe(self) -> dict[str, Any]:
        """Look at the newest tickets: is `ids` known, and is tagging licensed? None: no telling."""
        newest = self._listing.ask({"order_by": "-updated_at", "limit": PAGE_SIZE}).rows
        seen: dict[str, Any] = {
            "ids": None,
            "tags": True if self._tag_belief.shown_by(newest) else None,
        }
        if len(newest) > 1:
            ticket = row_id(newest[-1])
            shown = self._listing.by_ids({ticket})
            seen["ids"] = self._lookup.knows_ids = shown.ids <= {ticket}
        return seen

    def ping(self) -> str:
        """Make the cheapest authenticated read; return a line for people."""
        count = value_at(self._listing.ask({"limit": 1}).answer.body, "count")
        return counted(count, "ticket") if isinstance(count, int) else "tickets can be listed"

    def account_metrics(self) -> Mapping[str, float]:
        """Return how many messages nobody of the team has read; nothing where the key may not ask.

        The page names no scope for unread_count (read 2026-11). A missing one is no reason to stop
        the connection, nor to ask again.
        """
        if not self._tells_unread:
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
            self._tells_unread = False
            return {}
        count = value_at(answer.body, "count")
        if not isinstance(count, int) or isinstance(count, bool):
            return {}
        return {"unread_tickets": count}

    # Calls and records

    def _list(self, params: Mapping[str, Any]) -> Answer:
        try:
            return self._call("GET", self._tickets, params=params)
        except NotFound as error:
            raise self._unavailable(
                "there is no ticket listing here; check base_url and project_id", error.status
            ) from None

    def _list_messages(self, ticket: str) -> None:
        """List a ticket's messages, for what the status of the answer tells of the ticket.

        It marks nothing as read (tickets.py of products/conversations, read 2026-11).
        """
        self._call("GET", f"{self._path(ticket)}messages/", params={"limit": 1})

    def _call(
        self,
        method: str,
        path: str,
        *,
        write: bool = False,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
    ) -> Answer:
        try:
            return super()._call(method, path, write=write, params=params, json=json)
        except Unauthorised as error:
            if error.status != 403 or (method == "GET" and path == self._tickets):
                raise
            raise forbidden(error, of_ticket=path != self._tickets) from None

    def _path(self, remote_id: str) -> str:
        return f"{self._tickets}{quote(remote_id, safe='')}/"

    def _shown(self, answer: Answer, markers: Markers | None = None) -> Record | None:
        """Return the record that a write answered, if it did."""
        row = answer.body
        if not is_row(row):
            return None
        try:
            believed = may_lack_tags(row) and self._look_for_tags()
        except RemoteError:
            # The write is done, whatever became of the look at other tickets' tags.
            believed = False
        return record(
            self.connection.name, row, answer, markers or self.markers, tags_believed=believed
        )

    def _records(
        self, rows: Sequence[Row], answer: Answer, markers: Markers | None = None
    ) -> list[Record]:
        """Return records of the rows of one answer."""
        believed, known = self._believes_empty(rows, rows), markers or self.markers
        return [
            record(self.connection.name, row, answer, known, tags_believed=believed) for row in rows
        ]

    def _believes_empty(self, rows: Sequence[Row], shown: Sequence[Row]) -> bool:
        """Return whether `[]` among the tags of rows means that there are none.

        `shown`: these rows, and others that were shown together with them. Where those leave it in
        doubt, look.
        """
        believed = self._tag_belief.shown_by(shown)
        if believed or not any(may_lack_tags(row) for row in rows):
            return believed
        return self._look_for_tags()

    def _look_for_tags(self) -> bool:
        """Look whether other tickets show tags now, so that `[]` means that there are none."""
        return self._tag_belief.confirm(
            lambda params: self._listing.ask(params).rows,
            self._http.now(),
            by_ids=self._lookup.knows_ids,
        )
