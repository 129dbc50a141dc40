"""ScopeAI: REST API v1 (https://github.com/scopeai/slate).

It is sent what customers write, and finds the subjects of it.

Oddities, as of 2026-11; each is explained where it matters:
- There is no key for a create, and what POST answers is not documented: a ticket, or nothing
  (`create`, `find`).
- Listings are windows of creation, silently of 14 days, without an order (listing.py).
- Subjects are found later, and nothing tells when (`changed`).
- Scores and external ids have two spellings and two types (records.py).
- The catalogue of tags hides some of them (tag_names.py).
- A ticket that a listing shows with subjects is shown without any when read alone, and there is no
  call that deletes (`read`).
- No webhooks: the inherited `parse` takes generic hints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from bridge.connectors.contract import Draft, Intent, Page, Record
from bridge.connectors.json_http import JsonHttpConnector
from bridge.connectors.parsing import Row, array_rows, is_row, known_time, row_id
from bridge.connectors.scopeai.capabilities import (
    CAPABILITIES,
    FIND_PATH,
    MESSAGE,
    OPTIONS,
    PROBES,
    TAGS_PATH,
    TICKET,
    TICKETS_PATH,
    read_options,
)
from bridge.connectors.scopeai.external_id_form import ExternalIdForm
from bridge.connectors.scopeai.listing import ScopeaiListing, State
from bridge.connectors.scopeai.records import (
    named_tags,
    record,
    relationships,
    shown_marker,
    tag_name,
)
from bridge.connectors.scopeai.tag_names import TagNames
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Raw
from bridge.errors import NotFound, Refused
from bridge.http.caller import Answer, Caller, Request
from bridge.scrubber import Scrubber

CREATE_WINDOW = timedelta(hours=1)
"""A ticket that was made this long before a create was sent may still be what it made."""


class ScopeaiConnector(JsonHttpConnector):
    """Texts sent to a ScopeAI account, and the subjects that it finds in them."""

    NAME: ClassVar = "scopeai"
    CAPABILITIES: ClassVar = CAPABILITIES
    PROBES: ClassVar = PROBES
    OPTIONS: ClassVar = OPTIONS

    def __init__(self, connection: Connection, http: Caller) -> None:
        super().__init__(connection, http)
        self._options = read_options(connection)
        scrubber = Scrubber(connection.secrets)
        self._listing = ScopeaiListing(connection.name, connection.base_url, self._get, scrubber)
        self._tag_names = TagNames(http.now, self._list_tag_names, self._ask_tag_name)
        self._id_form = ExternalIdForm(self._options.id_type, lambda: self.findings)

    # Reading

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read tickets. Never None: nothing is deleted here, so a 404 raises Unavailable."""
        self._check_entity(entity)
        return {remote_id: self._read(entity, remote_id) for remote_id in ids}

    def _read(self, entity: str, remote_id: str) -> Record:
        try:
            answer = self._call("GET", f"{TICKETS_PATH}/{quote(remote_id, safe='')}")
        except NotFound as error:
            raise self._unavailable(
                f"ticket {remote_id} is not shown, which is no deletion here; check base_url, "
                "the key and its account",
                error.status,
            ) from None
        row = answer.body
        if not isinstance(row, Mapping) or row_id(row) != remote_id:
            raise self._unavailable(
                f"ticket {remote_id} was asked for, the answer is another thing", answer.status
            )
        return self._records(entity, [row], answer)[0]

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Return the tickets of the last days, whether they changed or not.

        Nothing dates a change, and subjects are found some time after the create (2026-11), so
        every poll reads the last days again. Messages cannot be told from tickets: none are given.
        """
        self._check_entity(entity)
        state: State = dict(cursor or {})
        if entity == MESSAGE:
            return Page([], state)
        if "from" not in state:
            since = known_time(state["at"]) - self._options.window if state.get("at") else None
            state = self._listing.begin(since, self._http.now())
        return self._next_page(state) or Page([], {"at": state["at"]})

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything, page by page; of messages nothing."""
        self._check_entity(entity)
        if entity == MESSAGE:
            return Page([], None)
        state = dict(cursor) if cursor else self._listing.begin(None, self._http.now())
        return self._next_page(state) or Page([], None)

    def _next_page(self, state: State) -> Page | None:
        page = self._listing.next_new(state)
        if page is None:
            return None
        rows, answer, after = page
        self._id_form.learn(rows)
        return Page(self._records(TICKET, rows, answer), after)

    # Creating

    def create(self, draft: Draft) -> Record | None:
        """Create once. The subjects are not known yet; None: the answer did not show the ticket."""
        self._check_create(draft)
        # No key is taken, so the external id stands for our marker, and the ticket is found by it.
        answer = self._post(draft.values, draft.marker)
        if not is_row(answer.body):
            return None
        return self._record_without_tags(draft.entity, answer.body, answer, draft.marker)

    def _post(self, values: Mapping[str, Raw], marker: str) -> Answer:
        """Send a create, with the external id in the form that this deployment takes."""
        first, other = self._id_form.ids(marker, self.markers)
        try:
            return self._post_as(values, first)
        except Refused as error:
            if not self._id_form.may_be_refused(error):
                raise
            refusal = error
        try:
            return self._post_as(values, other)
        except Refused:
            self._id_form.both_refused()
            raise refusal from None

    def _post_as(self, values: Mapping[str, Raw], own_id: int | str) -> Answer:
        body = {**values, "external_id": own_id}
        answer = self._call("POST", TICKETS_PATH, json=body, write=True)
        self._id_form.taken(own_id)
        return answer

    def find(self, intent: Intent) -> list[Record]:
        """Return the tickets whose external id stands for the marker, the lowest id first.

        There may be several: the document's own examples share one external id (2026-11).
        """
        entity, marker = intent.draft.entity, intent.draft.marker
        self._check_entity(entity)
        if intent.sent_at is None:
            # Nothing of ours was sent, and nothing in a ticket tells whose it is.
            return []
        wanted = sorted({str(own_id) for own_id in self._id_form.ids(marker, self.markers)})
        tickets: dict[str, Record] = {}
        listing = self._listing.begin(intent.sent_at - CREATE_WINDOW, self._http.now())
        for row, answer in (*self._found_by(wanted), *self._rows(listing)):
            if str(row.get("external_id")) in wanted:
                tickets.setdefault(
                    row_id(row), self._record_without_tags(entity, row, answer, marker)
                )
        return sorted(tickets.values(), key=lambda ticket: (len(ticket.ref.id), ticket.ref.id))

    def _found_by(self, wanted: Sequence[str]) -> Iterator[tuple[Row, Answer]]:
        """Ask for a ticket by its external ids, where that is configured; a 404 proves nothing."""
        for own_id in wanted if self._options.has_find_by else ():
            try:
                answer = self._get(FIND_PATH, {"external_id": own_id})
            except NotFound:
                continue
            if not is_row(answer.body):
                raise self._unavailable("a ticket was asked for, and none is shown", answer.status)
            yield answer.body, answer

    def _rows(self, listing: State) -> Iterator[tuple[Row, Answer]]:
        """Yield the rows of a listing to its last page, for no order is promised."""
        for rows, answer, _state in self._listing.pages(listing):
            yield from ((row, answer) for row in rows)

    # What operators see

    def probe(self) -> dict[str, Any]:
        """Find out the spelling of scores and the type of external ids; None: no telling."""
        rows, _, _ = self._listing.page(self._listing.begin(None, self._http.now()), size=1)
        shown = [
            relationship
            for row in rows
            if isinstance(row.get("tag_relationships"), list)
            for relationship in row["tag_relationships"]
            if isinstance(relationship, Mapping)
        ]
        spellings = (
            name
            for relationship in shown
            for name in ("salience", "salience_score")
            if name in relationship
        )
        ids = (row["external_id"] for row in rows if row.get("external_id") is not None)
        first_id = next(ids, None)
        types = {"int": int, "string": str}
        return {
            "salience": next(spellings, None),
            "external_id": next(
                (name for name, kind in types.items() if isinstance(first_id, kind)), None
            ),
        }

    def ping(self) -> str:
        """Make the cheapest authenticated read; return a line for people."""
        answer = self._listing.get(TAGS_PATH, {"relevant": "true", "per_page": "1"})
        tags = array_rows(self.connection.name, answer)
        return "tags can be listed" if tags else "tags can be listed; there are none yet"

    # Calls and records

    def _get(self, path: str, query: Mapping[str, str]) -> Answer:
        return self._call("GET", path, params=query)

    def _auth(self, request: Request) -> Request:
        # A grammar of its own, and no bearer token (the document's "Authentication", 2026-11).
        key = self.connection.credentials["api_key"].reveal()
        request.headers["Authorization"] = f"Token token={key}"
        return request

    def _list_tag_names(self) -> dict[str, str]:
        return {row_id(row): name for row in self._listing.tags() if (name := tag_name(row))}

    def _ask_tag_name(self, tag_id: str) -> str | None:
        try:
            answer = self._call("GET", f"{TAGS_PATH}/{quote(tag_id, safe='')}")
        except NotFound:
            return None
        row = answer.body
        return tag_name(row) if isinstance(row, Mapping) and row_id(row) == tag_id else None

    def _records(self, entity: str, rows: Sequence[Row], answer: Answer) -> list[Record]:
        """Return records of rows; the names of all their tags are looked up together."""
        shown = [relationships(row) for row in rows]
        names = self._tag_names.of({tag["id"] for tags in shown for tag in tags or ()})
        return [
            record(
                self.connection.name,
                entity,
                row,
                answer,
                None if tags is None else named_tags(tags, names),
                marker=shown_marker(row, self.markers),
            )
            for row, tags in zip(rows, shown, strict=True)
        ]

    def _record_without_tags(self, entity: str, row: Row, answer: Answer, marker: str) -> Record:
        """Return a record of ours, for which the names of its tags need not be asked."""
        return record(self.connection.name, entity, row, answer, None, marker=marker)
