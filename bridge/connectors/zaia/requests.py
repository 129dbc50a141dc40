"""How Zaia is called: listings, one ticket, its tags; and a row as we give it. What is asked for when, is in `zaia`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

from bridge.connectors.contract import Person, Record
from bridge.connectors.json_http import JsonHttpConnector
from bridge.connectors.parsing import row_id
from bridge.connectors.zaia.capabilities import UUID, Facts, capabilities, facts
from bridge.connectors.zaia.listing import PAGE, Place, Tags, following, joined
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Raw, Ref
from bridge.errors import NotFound, Refused, Unauthorised
from bridge.http.client import Answer, Http, Request

TICKETS = "/api/v1/tickets"
DETAILS = f"{TICKETS}/details"
TAG_LISTING = "/api/v1/tags"
TAG_PAGES = 50
NO_TAG = "00000000-0000-4000-8000-000000000000"
"""A tag that no deployment has: whoever lists tickets for it does not look at the filter."""
UNSEEN = "a ticket's tags are not shown; the next full listing reads them"

Row = Mapping[str, Any]


class ZaiaCalls(JsonHttpConnector):
    """The calls of a Zaia connection, and what they need to know about it."""

    CAPABILITIES: ClassVar = capabilities(Facts())

    def __init__(self, connection: Connection, http: Http) -> None:
        super().__init__(connection, http)
        self._facts = facts(connection)
        # The words of a status are the connection's own, and with them what its tickets can do.
        vars(self)["CAPABILITIES"] = capabilities(self._facts)
        self._tags = Tags(self._facts.tags)
        self._filters: bool | None = None

    # Listings.

    def _list(
        self, status: str, number: int, size: int, **filters: str
    ) -> tuple[list[Row], Answer]:
        params = {
            "status": status,
            "pageNumber": number,
            "pageSize": size,
            "includeRemoved": "true",
            **filters,
        }
        try:
            answer = self._call("GET", DETAILS, params=params)
        except NotFound as error:
            if filters:
                raise
            raise self._unavailable(
                "there is no ticket listing here; check base_url", error.status
            ) from None
        except Refused as error:
            if filters:
                raise
            why = f"the status {status!r} is refused; name this deployment's words under `statuses`"
            raise Unauthorised(
                self.connection.name, why, status=error.status, detail=error.detail
            ) from None
        return self._rows(answer), answer

    def _rows(self, answer: Answer) -> list[Row]:
        rows = answer.body
        if not isinstance(rows, list) or not all(
            isinstance(row, Mapping) and row_id(row) for row in rows
        ):
            raise self._unavailable("a listing without proper rows", answer.status)
        return rows

    def _window(
        self, legs: Sequence[str], place: Place, **filters: str
    ) -> tuple[list[Row], Answer, Place | None, bool]:
        """Read one window; also give the place after it, and whether it fits the window before."""
        leg, _count, size, number, before = place
        rows, answer = self._list(legs[leg], number, size, **filters)
        ids = [row_id(row) for row in rows]
        try:
            then = following(place, len(legs), ids)
        except ValueError as error:
            raise self._unavailable(f"the listing of {legs[leg]} {error}", answer.status) from None
        return rows, answer, then, joined(before, ids)

    def _of_chat(self, chat: str) -> list[Record]:
        found: dict[str, Record] = {}
        for status in self._facts.statuses:
            rows, answer = self._list(status, 1, PAGE, chatIds=chat)
            found |= {
                row_id(row): self._record(row, answer) for row in rows if row.get("chatId") == chat
            }
        return list(found.values())

    # Tags.

    def _learn_tags(self) -> Mapping[str, str]:
        if self._facts.tag_listing:
            listed: dict[str, str] = {}
            for number in range(1, TAG_PAGES + 1):
                params = {"pageNumber": number, "pageSize": PAGE}
                try:
                    rows = self._rows(self._call("GET", TAG_LISTING, params=params))
                except NotFound as error:
                    raise self._unavailable(
                        "there is no listing of tags here; set tag_listing: false", error.status
                    ) from None
                fresh = {
                    row_id(row): row["name"] for row in rows if isinstance(row.get("name"), str)
                }
                news = fresh.keys() - listed.keys()
                listed |= fresh
                if len(rows) < PAGE or not news:
                    break
            self._tags.learn((name, tag_id) for tag_id, name in listed.items())
        return self._tags.all()

    def _heeds_tags(self, status: str, **filters: str) -> bool:
        """Tell whether a listing of a status that has rows looks at the tag asked for; asked once."""
        if self._filters is None:
            try:
                self._filters = not self._list(status, 1, 1, tagIds=NO_TAG, **filters)[0]
            except (Refused, NotFound):
                self._filters = True  # an unknown tag is refused, so it was looked at
        return self._filters

    def _carries(self, row: Row, tag_id: str) -> bool | None:
        """Tell whether a ticket carries a tag; None where listings do not say."""
        if not self._heeds_tags(str(row["status"]), chatIds=str(row.get("chatId"))):
            return None
        rows, _answer = self._list(
            str(row["status"]), 1, PAGE, tagIds=tag_id, chatIds=str(row.get("chatId"))
        )
        return row_id(row) in {row_id(each) for each in rows}

    # One ticket.

    def _details(self, remote_id: str) -> tuple[Row, Record | None]:
        """Read one ticket, as it is and as we give it; a 404 counts when the listing is where it should be."""
        if not UUID.fullmatch(remote_id):
            return {}, None
        try:
            answer = self._call("GET", f"{path_of(remote_id)}/details")
        except NotFound:
            self._list(self._facts.statuses[0], 1, 1)
            return {}, None
        row = answer.body
        if not isinstance(row, Mapping) or row_id(row) != remote_id:
            raise self._unavailable(
                f"ticket {remote_id} was asked for, the answer is another thing", answer.status
            )
        return row, self._record(row, answer)

    def _present(self, ref: Ref) -> tuple[Row, Record]:
        row, record = self._details(ref.id)
        if record is None:
            raise NotFound(
                self.connection.name, f"there is no ticket {ref.id} any more; nothing was sent"
            )
        return row, record

    def _patch(self, ref: Ref, verb: str, body: Mapping[str, Raw]) -> Record | None:
        shown = self._entity(
            self._call("PATCH", f"{path_of(ref.id)}/{verb}", json=dict(body), write=True)
        )
        return shown if shown and shown.ref.id == ref.id else None

    def _entity(self, answer: Answer) -> Record | None:
        row = answer.body
        whole = isinstance(row, Mapping) and row_id(row) and {"status", "assigneeId"} <= row.keys()
        return replace(self._record(row, answer), partial=True, unreadable={}) if whole else None

    def _record(
        self, row: Row, answer: Answer, why: str = UNSEEN, *, at: datetime | None = None
    ) -> Record:
        data, people = dict(row), tuple[Person, ...]()
        who, email = row.get("assigneeId"), row.get("assigneeEmail")
        if who is not None and who == self._facts.service_user:
            data |= {name: None for name in row if name.startswith("assignee")}
        elif isinstance(who, str) and isinstance(email, str) and email:
            people = (Person(who, email, str(row.get("assigneeName") or "")),)
        return Record(
            ref=Ref(self.connection.name, "ticket", row_id(row)),
            data=data,
            read_at=at or answer.sent_at,
            unreadable={} if at else {"tags": why},
            people=people,
        )

    def _auth(self, request: Request) -> Request:
        request.headers["authorization"] = self.connection.credentials["api_key"].reveal()
        return request


def path_of(remote_id: str) -> str:
    """Give the path of one ticket."""
    return f"{TICKETS}/{quote(remote_id, safe='')}"
