"""Zaia ("Endless"): tickets of its human-support inbox (https://docs.zaia.app, API reference).

Oddities, as of 2026-11; each is explained where it matters:
- A listing is of one status, whose words are not documented (capabilities.py, listing.py).
- A ticket's tags are not shown: `scan` finds them by listing each tag (tag_sweep.py).
- Nothing dates a change, and listings have no order that is promised (`changed`, listing.py).
- A status moves by takeover and complete alone, never back; nobody can be unassigned. Both are done
  in the name of a user (`_take_over`, `_complete`).
- A ticket belongs to a chat, and a create carries nothing of ours (`create`, `find`).
- No webhooks: the inherited `parse` takes generic hints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from bridge.connectors.contract import Draft, Intent, Page, Record
from bridge.connectors.json_http import JsonHttpConnector
from bridge.connectors.parsing import (
    Row,
    array_rows,
    format_time,
    is_uuid,
    known_time,
    parse_time,
    row_count,
    row_id,
)
from bridge.connectors.zaia.capabilities import (
    ATTACH,
    CAPABILITIES,
    COMPLETE,
    DETACH,
    LISTING_PATH,
    OPTIONS,
    PROBES,
    REQUIRED_OPTIONS,
    TAGS_PATH,
    TAKEOVER,
    TICKETS_PATH,
    of_connection,
    read_options,
)
from bridge.connectors.zaia.listing import PAGE_SIZE, START, ZaiaListing
from bridge.connectors.zaia.records import TAGS_NOT_SHOWN, record, written
from bridge.connectors.zaia.tag_ids import TagIds
from bridge.connectors.zaia.tag_sweep import TagSweep
from bridge.core.model.capabilities import EntityCapabilities
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Raw, Ref
from bridge.errors import (
    AlreadyExists,
    Lacking,
    NotFound,
    Refused,
    RemoteError,
    UnknownOutcome,
    Unsupported,
)
from bridge.http.caller import Answer, Caller, Request

CREATE_WINDOW = timedelta(minutes=5)
"""A ticket that was made this long before a create was sent may still be what it made."""
MAX_TAG_PAGES = 50

NO_TAGS_KNOWN = (
    "no tags are known here; name them under `tags`, or set tag_listing where the deployment does "
    "list its tags"
)
NO_TAG_FILTER = "this deployment does not filter by tag"
NEWER_THAN_SWEEP = "the ticket is newer than the listing of tags"


class ZaiaConnector(JsonHttpConnector):
    """Tickets of a Zaia workspace."""

    NAME: ClassVar = "zaia"
    CAPABILITIES: ClassVar = CAPABILITIES
    PROBES: ClassVar = PROBES
    OPTIONS: ClassVar = OPTIONS
    REQUIRED_OPTIONS: ClassVar = REQUIRED_OPTIONS

    @classmethod
    def capabilities_of(cls, connection: Connection) -> Mapping[str, EntityCapabilities]:
        """Return what tickets can do where the statuses are called as the connection says."""
        return of_connection(connection)

    def __init__(self, connection: Connection, http: Caller) -> None:
        super().__init__(connection, http)
        self._options = read_options(connection)
        self._tag_ids = TagIds(self._options.tags)
        self._listing = ZaiaListing(
            connection.name,
            self._options.statuses,
            lambda params: self._call("GET", LISTING_PATH, params=params),
        )

    # Reading

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read tickets one by one; None: the vendor says that there is no such ticket."""
        self._check_entity(entity)
        shown = {remote_id: self._details(remote_id) for remote_id in ids}
        return {remote_id: details and details[1] for remote_id, details in shown.items()}

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Return every ticket, since nothing dates a change; see Connector.changed."""
        self._check_entity(entity)
        window = self._listing.next_window((cursor or {}).get("at", START))
        if window is None:
            return Page([], {})
        return Page([self._record(row, window.answer) for row in window.rows], {"at": window.after})

    # Scanning. First a listing without tags, so that an empty workspace is told from one of unknown
    # tags; then a sweep, whose pages are empty; then a listing with the tags that the sweep found.

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything, page by page, with tags where they can be known."""
        self._check_entity(entity)
        if cursor is None:
            return self._scan_first()
        if "place" in cursor:
            return self._scan_tags(cursor)
        return self._scan_tagged(cursor)

    def _scan_first(self) -> Page:
        window = self._listing.next_window(START)
        if window is None:
            return Page([], None)
        sweep, why = self._begin_sweep(window.status)
        after: dict[str, Any] | None = None
        if sweep is not None:
            after = {"place": START, "sweep": sweep.state}
        elif window.after is not None:
            after = {"at": window.after, "why": why}
        return Page([self._record(row, window.answer, why) for row in window.rows], after)

    def _begin_sweep(self, status: str) -> tuple[TagSweep | None, str]:
        """Begin a sweep where there are tags and listings heed them; else say why not."""
        tag_ids = self._learn_tags()
        if not tag_ids:
            return None, NO_TAGS_KNOWN
        begun_at = format_time(self._http.now())
        if not self._listing.heeds_tags(status):
            return None, NO_TAG_FILTER
        return TagSweep.begin(tag_ids, begun_at), TAGS_NOT_SHOWN

    def _scan_tags(self, cursor: Mapping[str, Any]) -> Page:
        """Read one window of one tag's listing."""
        sweep = TagSweep(cursor["sweep"])
        place = sweep.read_window(self._listing, cursor["place"])
        if sweep.tag is not None:
            return Page([], {"place": place or START, "sweep": sweep.state})
        known = None if sweep.failure else sweep.state
        return Page([], {"at": START, "why": sweep.failure, "sweep": known})

    def _scan_tagged(self, cursor: Mapping[str, Any]) -> Page:
        window = self._listing.next_window(cursor["at"])
        if window is None:
            return Page([], None)
        sweep = TagSweep(cursor["sweep"]) if cursor.get("sweep") else None
        records = [self._tagged(row, window.answer, sweep, cursor["why"]) for row in window.rows]
        return Page(records, None if window.after is None else {**cursor, "at": window.after})

    def _tagged(self, row: Row, answer: Answer, sweep: TagSweep | None, why: str) -> Record:
        """Return a record with its tags as of when the sweep began; or without, and why."""
        if sweep is None:
            return self._record(row, answer, why)
        begun_at, made_at = known_time(sweep.state["at"]), parse_time(row.get("createdAt"))
        if made_at is None or made_at + answer.skew >= begun_at:
            return self._record(row, answer, NEWER_THAN_SWEEP)
        tagged = {**row, "tags": sweep.names_of(row_id(row))}
        return record(
            self.connection.name,
            tagged,
            answer,
            service_user=self._options.service_user,
            tags_as_of=begun_at,
        )

    # Creating

    def create(self, draft: Draft) -> Record | None:
        """Open a ticket on a chat, or return the one that is open on it already.

        No sync ever asks for this: a ticket of another system has no chat here, and no mapping can
        invent one.
        """
        self._check_create(draft)
        values = draft.values
        if not values.get("chatId"):
            raise Unsupported(
                f"{self.NAME} opens tickets on known chats only; the draft has no chatId"
            )
        for ticket in self._of_chat(str(values["chatId"])):
            if not self._is_done(ticket):
                return ticket
        body = {
            "chatId": values["chatId"],
            "ticketingTeamId": values.get("ticketingTeamId"),
            # Not nullable in a create, though that of a ticket is (the reference, 2026-11).
            "assigneeId": values.get("assigneeId") or self._options.service_user,
            "status": values.get("status") or self._options.statuses[0],
        }
        return self._written(self._call("POST", TICKETS_PATH, json=body, write=True))

    def find(self, intent: Intent) -> list[Record]:
        """Return the open tickets of the draft's chat, or those made since the create was sent.

        A create carries nothing of ours. But a chat has one open ticket, so after a create of
        unknown fate the one found counts as carrying the marker.
        """
        self._check_entity(intent.draft.entity)
        chat = intent.draft.values.get("chatId")
        tickets = self._of_chat(str(chat)) if chat else []
        if intent.sent_at is None:
            return [ticket for ticket in tickets if not self._is_done(ticket)]
        since = intent.sent_at - CREATE_WINDOW
        return [
            ticket._replace(marker=intent.draft.marker)
            for ticket in tickets
            if (made_at := parse_time(ticket.data.get("createdAt"))) is not None
            and made_at + ticket.clocks.most >= since
        ]

    def _of_chat(self, chat: str) -> list[Record]:
        tickets: dict[str, Record] = {}
        for status in self._options.statuses:
            rows, answer = self._listing.page(status, 1, PAGE_SIZE, chatIds=chat)
            for row in rows:
                if row.get("chatId") == chat:
                    tickets[row_id(row)] = self._record(row, answer)
        return list(tickets.values())

    def _is_done(self, ticket: Record) -> bool:
        return bool(ticket.data.get("status") == self._options.done)

    # Changing

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Make one call. Takeover and complete read first, and repeat nothing that is done."""
        self._check_update(ref, verb, values)
        if verb in (ATTACH, DETACH):
            before = self._mark(ref, str(values["tags"]), attach=verb == ATTACH)
            # It is certain that the tag is there now, or is not; the rest is as read before.
            return before._replace(proved=frozenset(("tags",)))
        if (
            verb == TAKEOVER
            and values.get("status", self._options.ongoing) == self._options.ongoing
        ):
            return self._take_over(ref, values.get("assigneeId"))
        if verb == COMPLETE and values["status"] == self._options.done:
            return self._complete(ref)
        if verb in (TAKEOVER, COMPLETE):
            raise Unsupported(f"{self.NAME} cannot make a ticket {values['status']} by {verb}")
        return self._patch(ref, "assignee", {"assigneeId": values["assigneeId"]})

    def _take_over(self, ref: Ref, assignee: Raw) -> Record | None:
        row, shown = self._present(ref)
        rank, ongoing = (
            self._options.rank(row.get("status")),
            self._options.rank(self._options.ongoing),
        )
        if rank < 0 or rank > ongoing:
            present = repr(row["status"]) if rank > ongoing else "in no known status"
            why = f"ticket {ref.id} is {present} by now; no takeover was sent"
            raise AlreadyExists(self.connection.name, why)
        if rank == ongoing:
            if assignee in (None, row.get("assigneeId")):
                return shown
            return self._patch(ref, "assignee", {"assigneeId": assignee})
        # It is done in the name of a user: the wanted one, the ticket's own, else the service user.
        user = assignee or row.get("assigneeId") or self._service_user()
        try:
            return self._patch(ref, "takeover", {"assigneeId": user})
        except (AlreadyExists, Refused) as error:
            return self._done_after_all(ref, self._options.ongoing, error)

    def _complete(self, ref: Ref) -> Record | None:
        """Complete a ticket, unless it is done already.

        Completing gives the chat back to the AI agent, which talks to the customer again
        (https://docs.zaia.app, inbox, human support, read 2026-11): so look first.
        """
        row, shown = self._present(ref)
        if row.get("status") == self._options.done:
            return shown
        user = row.get("assigneeId") or self._service_user()
        try:
            return self._patch(ref, "complete", {"userId": user})
        except (AlreadyExists, Refused) as error:
            return self._done_after_all(ref, self._options.done, error)

    def _done_after_all(self, ref: Ref, status: str, error: RemoteError) -> Record:
        """Return the ticket if what was refused has happened already; else raise the refusal."""
        row, shown = self._present(ref)
        if row.get("status") != status:
            raise error
        return shown

    def _service_user(self) -> str:
        if not self._options.service_user:
            raise Refused(
                self.connection.name,
                "this needs a user and nobody is assigned; configure service_user",
            )
        return self._options.service_user

    def _mark(self, ref: Ref, name: str, *, attach: bool) -> Record:
        """Attach or detach a tag unless that is so already; return the ticket as it was before.

        No answer is documented for a tag that is attached twice, or detached where it is not (the
        reference, 2026-11). So an odd answer is looked into, and may mean that it is done.
        """
        tag_id = self._tag_id(name)
        row, before = self._present(ref)
        if self._listing.carries(row, tag_id) is attach:
            return before
        path = f"{_path(ref.id)}/tags"
        try:
            if attach:
                self._call("POST", path, json={"tagId": tag_id}, write=True)
            else:
                self._call("DELETE", f"{path}/{tag_id}", write=True)
        except (AlreadyExists, NotFound, Refused, UnknownOutcome) as error:
            if error.status is None:
                raise
            row, _ = self._present(ref)
            if self._listing.carries(row, tag_id) is not attach:
                raise
        return before

    def _tag_id(self, name: str) -> str:
        tag_id = self._tag_ids.id_of(name)
        if tag_id is None:
            self._learn_tags()
            tag_id = self._tag_ids.id_of(name)
        if tag_id is None:
            raise Lacking(
                self.connection.name,
                f"no tag {name!r} is known; make it at Zaia, or add it under `tags`",
            )
        return tag_id

    # What operators see

    def probe(self) -> dict[str, Any]:
        """Check every status word, and find out whether tags can be known here.

        How many are known, and whether listings heed them; None: there is no ticket to tell by.
        """
        pages = {status: self._listing.page(status, 1, 1)[0] for status in self._options.statuses}
        tag_ids = self._learn_tags()
        used = next((status for status, rows in pages.items() if rows), None)
        return {
            "statuses": list(self._options.statuses),
            "tags": len(tag_ids),
            "tag_filter": None if used is None else self._listing.heeds_tags(used),
        }

    def ping(self) -> str:
        """Read a ticket of every status, which also checks the words; return a line for people."""
        for status in self._options.statuses:
            self._listing.page(status, 1, 1)
        return f"tickets are {', '.join(self._options.statuses)}"

    # Calls and records

    def _auth(self, request: Request) -> Request:
        # The key goes raw, without a scheme.
        request.headers["authorization"] = self.connection.credentials["api_key"].reveal()
        return request

    def _learn_tags(self) -> Mapping[str, str]:
        """Read the catalogue of tags, where there is one; return every known name and UUID.

        It is not in the reference (capabilities.py). Where it is not served after all, the names
        are those of the configuration, and those that were learnt before.
        """
        names: dict[str, str] = {}
        for number in range(1, MAX_TAG_PAGES + 1) if self._options.tag_listing else ():
            try:
                rows, full = self._tag_page(number)
            except (NotFound, Refused):
                return self._tag_ids.all()
            shown = {row_id(row): row["name"] for row in rows if isinstance(row.get("name"), str)}
            new = shown.keys() - names.keys()
            names |= shown
            if not full or not new:
                break
        if self._options.tag_listing:
            self._tag_ids.learn((name, tag_id) for tag_id, name in names.items())
        return self._tag_ids.all()

    def _tag_page(self, number: int) -> tuple[list[Row], bool]:
        """Return the tags of one page, and whether more may follow."""
        params = {"pageNumber": number, "pageSize": PAGE_SIZE}
        answer = self._call("GET", TAGS_PATH, params=params)
        return array_rows(self.connection.name, answer), row_count(answer) >= PAGE_SIZE

    def _details(self, remote_id: str) -> tuple[Row, Record] | None:
        """Read one ticket: its row, and the record of it; None: there is no such ticket."""
        if not is_uuid(remote_id):
            return None
        try:
            answer = self._call("GET", f"{_path(remote_id)}/details")
        except NotFound:
            # It counts when the listing is where it should be: a wrong base_url deletes nothing.
            self._listing.page(self._options.statuses[0], 1, 1)
            return None
        row = answer.body
        if not isinstance(row, Mapping) or row_id(row) != remote_id:
            raise self._unavailable(
                f"ticket {remote_id} was asked for, the answer is another thing", answer.status
            )
        return row, self._record(row, answer)

    def _present(self, ref: Ref) -> tuple[Row, Record]:
        details = self._details(ref.id)
        if details is None:
            raise NotFound(
                self.connection.name, f"there is no ticket {ref.id} any more; nothing was sent"
            )
        return details

    def _patch(self, ref: Ref, verb: str, body: Mapping[str, Raw]) -> Record | None:
        path = f"{_path(ref.id)}/{verb}"
        shown = self._written(self._call("PATCH", path, json=dict(body), write=True))
        return shown if shown and shown.ref.id == ref.id else None

    def _written(self, answer: Answer) -> Record | None:
        return written(self.connection.name, answer, service_user=self._options.service_user)

    def _record(self, row: Row, answer: Answer, no_tags: str = TAGS_NOT_SHOWN) -> Record:
        return record(
            self.connection.name,
            row,
            answer,
            service_user=self._options.service_user,
            no_tags=no_tags,
        )


def _path(remote_id: str) -> str:
    return f"{TICKETS_PATH}/{quote(remote_id, safe='')}"
