"""Zaia ("Endless"): tickets of its human-support inbox (https://docs.zaia.app, API reference, alpha).

Oddities, as of 2026-11:
- A listing is of one status, which must be named; what the words are is not documented, so they are configuration and
  checked: a refused word stops the connection, lest an empty system be believed in.
- Neither a listing nor a direct read shows a ticket's tags. Which tickets carry a tag is known by listing that tag;
  `scan` does so for every known name and gives rows with `tags`, true as of the moment that it began.
- Nothing dates a change. Listings have no order that is promised, no total and no end but a short page.
- A status moves by takeover and complete alone, never back; nobody can be unassigned. Completing gives the chat back
  to the AI agent, so it is sent only after reading that it isn't done. It is done in the name of a user, and so is a
  takeover: the ticket's own, else `service_user`, who reads as nobody.
- A ticket belongs to a chat, and a create carries nothing of ours: the open ticket of the chat is the one.
- No webhooks are known. `POST /webhooks/<connection>` takes the generic hint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from bridge.connectors.contract import Draft, Intent, Page, Parsed, Record
from bridge.connectors.parsing import (
    event_name,
    format_time,
    generic_hint,
    ignored_event,
    known_time,
    parse_time,
    row_id,
)
from bridge.connectors.zaia.capabilities import ATTACH, COMPLETE, DETACH, TAKEOVER
from bridge.connectors.zaia.listing import START, Place, Sweep, there_and_back
from bridge.connectors.zaia.requests import TICKETS, UNSEEN, Row, ZaiaCalls, path_of
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
from bridge.http.client import Answer

CREATE_WINDOW = timedelta(minutes=5)
UNNAMED = "no tags are known here; name them under `tags`, or set tag_listing where the deployment lists its tags"
UNFILTERED = "this deployment does not filter by tag"
DRIFTED = "the pages of a tag's listing did not fit together"
LATER = "the ticket is newer than the listing of tags"


class ZaiaConnector(ZaiaCalls):
    """Tickets of a Zaia workspace."""

    NAME: ClassVar = "zaia"
    OPTIONS: ClassVar = {
        "statuses": "the deployment's status words, in the order of a ticket's life (pending, ongoing, completed)",
        "service_user": "UUID of the Zaia user who takes over and completes what nobody is assigned to",
        "tags": "tag names and their UUIDs",
        "tag_listing": "true where the deployment answers GET /api/v1/tags: names and UUIDs are learnt there",
    }
    REQUIRED_OPTIONS: ClassVar = frozenset(("service_user",))

    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:  # noqa: ARG002 - no event of theirs is known
        """Read a generic hint, the only thing that is sent to us. Raises Malformed, naming what is wrong."""
        hint = generic_hint(body, self.CAPABILITIES)
        return hint or ignored_event(event_name(body, "event"), ())

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read present records; None: the vendor says there is no such record."""
        self._check_entity(entity)
        return {each: self._details(each)[1] for each in ids}

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Give every ticket, since nothing dates a change; see Connector.changed."""
        self._check_entity(entity)
        place: Place | None = (cursor or {}).get("at", START)
        while place is not None:
            rows, answer, place, _fits = self._window(self._facts.statuses, place)
            if rows:
                return Page([self._record(row, answer) for row in rows], {"at": place})
        return Page([], {})

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything, page by page, with tags where they can be known.

        The first page is a listing without tags, so that an empty workspace is told from one of
        unknown tags.
        """
        self._check_entity(entity)
        if cursor is None:
            return self._first()
        if "place" in cursor:
            return self._sweep(cursor)
        place: Place | None = cursor["at"]
        sweep = Sweep(cursor["sweep"]) if cursor.get("sweep") else None
        while place is not None:
            rows, answer, place, _fits = self._window(self._facts.statuses, place)
            if rows:
                tagged = [self._tagged(row, answer, sweep, cursor["why"]) for row in rows]
                return Page(tagged, None if place is None else {**cursor, "at": place})
        return Page([], None)

    def create(self, draft: Draft) -> Record | None:
        """Open a ticket on a chat, or give the one that is open on it already.

        No sync ever asks for this: a ticket of another system has no chat here, and no mapping can
        invent one.
        """
        self._check_create(draft)
        values = draft.values
        if not values.get("chatId"):
            raise Unsupported(
                f"{self.NAME} opens tickets on known chats only; the draft has no chatId"
            )
        there = [each for each in self._of_chat(str(values["chatId"])) if not self._is_done(each)]
        if there:
            return there[0]
        body = {
            "chatId": values["chatId"],
            "ticketingTeamId": values.get("ticketingTeamId"),
            "assigneeId": values.get("assigneeId") or self._facts.service_user,
            "status": values.get("status") or self._facts.statuses[0],
        }
        return self._entity(self._call("POST", TICKETS, json=body, write=True))

    def find(self, intent: Intent) -> list[Record]:
        """Give the open tickets of the draft's chat, and those that were made since the create was sent.

        A chat has one open ticket, so after a create of unknown fate the one found counts as
        carrying the marker.
        """
        self._check_entity(intent.draft.entity)
        chat = intent.draft.values.get("chatId")
        found = self._of_chat(str(chat)) if chat else []
        if intent.sent_at is None:
            return [each for each in found if not self._is_done(each)]
        since = intent.sent_at - CREATE_WINDOW
        fresh = [
            each
            for each in found
            if (made := parse_time(each.data.get("createdAt"))) is not None and made >= since
        ]
        return [replace(each, marker=intent.draft.marker) for each in fresh]

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Make one call. Takeover and complete first read how things stand, and repeat nothing that is done."""
        self._check_update(ref, verb, values)
        if verb in (ATTACH, DETACH):
            return replace(
                self._mark(ref, str(values["tags"]), attach=verb == ATTACH),
                proved=frozenset(("tags",)),
            )
        if verb == TAKEOVER and values.get("status", self._facts.ongoing) == self._facts.ongoing:
            return self._take_over(ref, values.get("assigneeId"))
        if verb == COMPLETE and values["status"] == self._facts.done:
            return self._complete(ref)
        if verb in (TAKEOVER, COMPLETE):
            raise Unsupported(f"{self.NAME} cannot make a ticket {values['status']} by {verb}")
        return self._patch(ref, "assignee", {"assigneeId": values["assigneeId"]})

    def probe(self) -> dict[str, Any]:
        """Check every status word, and find out whether tags can be known here: how many, and if listings heed them."""
        told = [self._list(status, 1, 1)[0] for status in self._facts.statuses]
        names = self._learn_tags()
        shown = next(
            (status for status, rows in zip(self._facts.statuses, told, strict=True) if rows), None
        )
        filters = None if shown is None else self._heeds_tags(shown)
        return {"statuses": list(self._facts.statuses), "tags": len(names), "tag_filter": filters}

    def ping(self) -> str:
        """Read a ticket of every status, which also checks the words; return a line for people."""
        for status in self._facts.statuses:
            self._list(status, 1, 1)
        return f"tickets are {', '.join(self._facts.statuses)}"

    # Sweeps.

    def _first(self) -> Page:
        place: Place | None = START
        while place is not None:
            status = self._facts.statuses[place[0]]
            rows, answer, place, _fits = self._window(self._facts.statuses, place)
            if rows:
                sweep, why = self._begin(status)
                then: dict[str, Any] | None = None
                if sweep is not None:
                    then = {"place": START, "sweep": sweep.state}
                elif place is not None:
                    then = {"at": place, "why": why}
                return Page([self._record(row, answer, why) for row in rows], then)
        return Page([], None)

    def _begin(self, status: str) -> tuple[Sweep | None, str]:
        """Begin a sweep of tags where there are any and listings heed them; else say why not."""
        known = self._learn_tags()
        if not known:
            return None, UNNAMED
        at = format_time(self._http.now())
        return (Sweep.begin(known, at), UNSEEN) if self._heeds_tags(status) else (None, UNFILTERED)

    def _sweep(self, cursor: Mapping[str, Any]) -> Page:
        """Read one window of one tag's listing; the rows are given when all tags are through."""
        sweep, place, legs = (
            Sweep(cursor["sweep"]),
            cursor["place"],
            there_and_back(self._facts.statuses),
        )
        then: Place | None = None
        try:
            rows, _answer, then, fits = self._window(legs, place, tagIds=str(sweep.tag))
        except (Refused, NotFound) as error:
            sweep.fail(f"a listing by tag was refused: {error}")
        else:
            sweep.found(row_id(row) for row in rows)
            if not fits:
                sweep.fail(DRIFTED)
            turned = len(self._facts.statuses)
            if then is not None and place[0] == turned - 1 and then[0] == turned and not place[1]:
                then = [turned + 1, *START[1:]]  # one page cannot move under our eyes
            if then is None:
                sweep.next()
        if sweep.tag is not None:
            return Page([], {"place": then or START, "sweep": sweep.state})
        known = {key: sweep.state[key] for key in ("at", "names", "ids", "of", "bad", "tag")}
        return Page(
            [],
            {
                "at": START,
                "why": sweep.state["bad"],
                "sweep": None if sweep.state["bad"] else known,
            },
        )

    def _tagged(self, row: Row, answer: Answer, sweep: Sweep | None, why: str) -> Record:
        """Give a row with its tags, as of the moment that the sweep began; or without, and why."""
        if sweep is None:
            return self._record(row, answer, why)
        at, made = known_time(sweep.state["at"]), parse_time(row.get("createdAt"))
        if made is None or made + answer.skew >= at:
            return self._record(row, answer, LATER)
        return self._record({**row, "tags": sweep.names(row_id(row))}, answer, at=at)

    # Writes.

    def _mark(self, ref: Ref, name: str, *, attach: bool) -> Record:
        """Attach or detach a tag unless that is so already; an odd answer is looked into, and may mean it is done.

        Afterwards it is certain that the tag is there, or is not. Gives the ticket as it was read
        before.
        """
        tag_id = self._tags.id_of(name)
        if tag_id is None:
            self._learn_tags()
            tag_id = self._tags.id_of(name)
        if tag_id is None:
            raise Lacking(
                self.connection.name,
                f"no tag {name!r} is known; make it at Zaia, or add it under `tags`",
            )
        row, record = self._present(ref)
        if self._carries(row, tag_id) is attach:
            return record
        path = f"{path_of(ref.id)}/tags"
        try:
            if attach:
                self._call("POST", path, json={"tagId": tag_id}, write=True)
            else:
                self._call("DELETE", f"{path}/{tag_id}", write=True)
        except (AlreadyExists, NotFound, Refused, UnknownOutcome) as error:
            if error.status is None or self._carries(self._present(ref)[0], tag_id) is not attach:
                raise
        return record

    def _take_over(self, ref: Ref, assignee: Raw) -> Record | None:
        row, record = self._present(ref)
        now, ongoing = self._facts.rank(row["status"]), self._facts.rank(self._facts.ongoing)
        if now < 0 or now > ongoing:
            why = f"ticket {ref.id} is {row['status']!r} by now; no takeover was sent"
            raise AlreadyExists(self.connection.name, why)
        if now == ongoing:
            if assignee in (None, row.get("assigneeId")):
                return record
            return self._patch(ref, "assignee", {"assigneeId": assignee})
        user = assignee or row.get("assigneeId") or self._someone()
        try:
            return self._patch(ref, "takeover", {"assigneeId": user})
        except (AlreadyExists, Refused) as error:
            return self._done_after_all(ref, self._facts.ongoing, error)

    def _complete(self, ref: Ref) -> Record | None:
        row, record = self._present(ref)
        if row["status"] == self._facts.done:
            return record
        try:
            return self._patch(
                ref, "complete", {"userId": row.get("assigneeId") or self._someone()}
            )
        except (AlreadyExists, Refused) as error:
            return self._done_after_all(ref, self._facts.done, error)

    def _done_after_all(self, ref: Ref, status: str, error: RemoteError) -> Record:
        """Give the ticket if what was refused has happened already; else raise the refusal."""
        row, record = self._present(ref)
        if row["status"] != status:
            raise error
        return record

    def _someone(self) -> str:
        if not self._facts.service_user:
            raise Refused(
                self.connection.name,
                "this needs a user and nobody is assigned; configure service_user",
            )
        return self._facts.service_user

    def _is_done(self, record: Record) -> bool:
        return bool(record.data.get("status") == self._facts.done)
