"""Parcel Desk: tickets over a JSON API (https://parceldesk.example/api, read 2026-11; made up).

- Paging: numbered pages of 50, sorted by id, with a `total` that may be stale (listing.py).
- Time: none is shown; `version` counts the changes of a ticket, labels included.
- Unique: `id`, a number. Nothing makes a create unique: `reference` is free text (`find`).
- A write answers with the ticket; neither it nor a listing's row shows labels, which have calls of
  their own (`scan`, `update`).
- A value that is refused is answered with 422, which names the field.
- Webhooks: HMAC-SHA256 of the body in one header, the time in the body (`parse`).
- Undocumented: what a filter does that an older desk does not know. It is ignored, so every row is
  checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from bridge.connectors.contract import Draft, Hint, Intent, Page, Parsed, Record
from bridge.connectors.json_http import JsonHttpConnector
from bridge.connectors.parsing import (
    Row,
    event_name,
    generic_hint,
    ignored_event,
    is_row,
    record_id,
    row_id,
    same_text,
    value_at,
)
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Raw, Ref
from bridge.errors import AlreadyExists, NotFound
from bridge.http.caller import Answer
from bridge.http.client import Http
from tests.seventh.bridge.connectors.parceldesk.capabilities import (
    CAPABILITIES,
    EVENTS,
    IGNORED,
    LABEL,
    MARKER_PREFIX,
    PATCH,
    SIGNING,
    TICKETS_PATH,
)
from tests.seventh.bridge.connectors.parceldesk.listing import NumberedPage, ParcelDeskListing
from tests.seventh.bridge.connectors.parceldesk.records import record, sent_fields


class ParcelDeskConnector(JsonHttpConnector):
    """Tickets of a Parcel Desk."""

    NAME: ClassVar = "parceldesk"
    CAPABILITIES: ClassVar = CAPABILITIES
    EVENTS: ClassVar = EVENTS
    IGNORED: ClassVar = IGNORED
    SIGNING: ClassVar = SIGNING

    def __init__(self, connection: Connection, http: Http) -> None:
        super().__init__(connection, http)
        self._listing = ParcelDeskListing(
            connection.name, lambda params: self._call("GET", TICKETS_PATH, params=params)
        )

    # Webhooks

    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:  # noqa: ARG002 - all is in the body
        """Read a verified webhook. Raises Malformed, naming what is wrong."""
        hint = generic_hint(body, self.CAPABILITIES)
        if hint is not None:
            return hint
        configured = self.connection.webhook
        event = event_name(body, (configured and configured.event) or SIGNING.event)
        if event not in EVENTS:
            return ignored_event(event, IGNORED)
        path = (configured and configured.id) or SIGNING.id
        ticket = record_id(value_at(body, path), path)
        version = value_at(body, "ticket.version")
        return Parsed(
            hints=(Hint(EVENTS[event], ticket),),
            event=event,
            # Not by `sent_at`: it has whole seconds, and a repetition is dated anew.
            delivery=f"{event}:{ticket}:{version}" if isinstance(version, int) else "",
            projection={"event": event, "id": ticket},
        )

    # Reading

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read tickets one by one, each with its labels."""
        self._check_entity(entity)
        return {remote_id: self._read(remote_id) for remote_id in ids}

    def _read(self, remote_id: str) -> Record | None:
        try:
            answer = self._call("GET", _path(remote_id))
        except NotFound:
            # It counts when the listing is where it should be: a wrong base_url deletes nothing.
            self._listing.page(1)
            return None
        row = answer.body
        if not is_row(row) or row_id(row) != remote_id:
            raise self._unavailable(f"ticket {remote_id} was asked for, the answer is another")
        labels = self._labels(remote_id)
        if labels is None:
            raise self._unavailable(f"ticket {remote_id} went while it was read")
        return self._record(row, answer, labels)

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Return every ticket without labels, since nothing dates a change."""
        page = self._page(entity, cursor)
        if page is None:
            return Page([], {})
        records = [self._record(row, page.answer) for row in page.rows]
        return Page(records, {"page": page.number - 1})

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """Return every ticket with its labels: a change of them is seen in no other listing."""
        page = self._page(entity, cursor)
        if page is None:
            return Page([], None)
        records = [self._record(row, page.answer, self._labels(row_id(row))) for row in page.rows]
        return Page(records, {"page": page.number - 1} if page.number > 1 else None)

    def _page(self, entity: str, cursor: Any | None) -> NumberedPage | None:
        self._check_entity(entity)
        number = (cursor or {}).get("page")
        return self._listing.last() if number is None else self._listing.at_most(number)

    def _labels(self, remote_id: str) -> list[str] | None:
        """Return a ticket's labels; None: there is no such ticket."""
        try:
            answer = self._call("GET", f"{_path(remote_id)}/labels")
        except NotFound:
            return None
        labels = answer.body.get("labels") if isinstance(answer.body, Mapping) else None
        if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
            raise self._unavailable(f"ticket {remote_id} has no proper labels", answer.status)
        return labels

    # Writing

    def create(self, draft: Draft) -> Record | None:
        """Create once, with the marker as the reference. A create takes no labels."""
        self._check_create(draft)
        body = {**draft.values, "reference": f"{MARKER_PREFIX}{draft.marker}"}
        return self._shown(self._call("POST", TICKETS_PATH, json=body, write=True), labels=[])

    def find(self, intent: Intent) -> list[Record]:
        """Return the ticket with the marker, and those of the same requester without any."""
        self._check_entity(intent.draft.entity)
        requester = intent.draft.values.get("requester")
        if not isinstance(requester, str):
            return []
        tickets: dict[str, Record] = {}
        page = self._listing.last(requester=requester)
        while page is not None:
            for row in page.rows:
                if not same_text(row.get("requester"), requester):
                    continue
                ticket = self._record(row, page.answer, self._labels(row_id(row)))
                if ticket.marker in (None, intent.draft.marker):
                    tickets[ticket.ref.id] = ticket
            page = self._listing.at_most(page.number - 1, requester=requester)
        return list(tickets.values())

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Write fields by one PATCH, or one label by a call of its own."""
        self._check_update(ref, verb, values)
        if verb == PATCH:
            body = sent_fields(values)
            shown = self._shown(self._call("PATCH", _path(ref.id), json=body, write=True))
            return shown if shown and shown.ref.id == ref.id else None
        self._mark(ref, str(values["labels"]), add=verb == LABEL)
        return None

    def _mark(self, ref: Ref, name: str, *, add: bool) -> None:
        """Add or remove a label; what is so already counts as done."""
        path = f"{_path(ref.id)}/labels"
        try:
            if add:
                self._call("POST", path, json={"name": name}, write=True)
            else:
                self._call("DELETE", f"{path}/{quote(name, safe='')}", write=True)
        except (AlreadyExists, NotFound):
            labels = self._labels(ref.id)
            if labels is None or (name in labels) is not add:
                raise

    # What operators see

    def probe(self) -> dict[str, Any]:
        """Count the tickets as the vendor does; it may be a minute late."""
        return {"tickets": self._listing.page(1).answer.body.get("total")}

    def ping(self) -> str:
        """Read one page; return a line for people."""
        return "tickets can be listed" if self._listing.page(1).rows else "there are no tickets yet"

    def _shown(self, answer: Answer, labels: Sequence[str] | None = None) -> Record | None:
        return self._record(answer.body, answer, labels) if is_row(answer.body) else None

    def _record(self, row: Row, answer: Answer, labels: Sequence[str] | None = None) -> Record:
        return record(self.connection.name, row, answer, labels)


def _path(remote_id: str) -> str:
    return f"{TICKETS_PATH}/{quote(remote_id, safe='')}"
