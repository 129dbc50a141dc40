"""ScopeAI: REST API v1 (https://github.com/scopeai/slate), which finds the subjects of what customers write.

Oddities, as of 2026-11:
- What POST answers is not documented: a ticket, or nothing. There is no key for a create either, so `external_id` is
  our marker, by which the ticket is found again. It is not unique (the document's own examples share one) and is a
  number in one revision of the document and a text in the next: an option says which is sent, both are understood.
- A listing without `start_date` silently shows the last 14 days. It is never left out, not on later pages either: the
  documented address of the next page has lost it.
- Listings are by the time of creation and have no order. Subjects are found later, and nothing tells when, so every
  poll reads the last days again.
- Prose says `salience_score` and `sentiment_score`, examples say `salience` and `sentiment`: both are read.
- GET /tags hides what is not relevant, though tickets refer to it: those are asked for one by one.
- A ticket that a listing shows with subjects is shown without any when read alone. Subjects that vanish were not
  removed by anybody, and a 404 is no deletion: there is no call that deletes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Any, ClassVar
from urllib.parse import quote

from bridge.connectors.contract import Draft, Intent, Page, Parsed, Record
from bridge.connectors.json_http import JsonHttpConnector
from bridge.connectors.parsing import (
    event_name,
    format_time,
    generic_hint,
    ignored_event,
    known_time,
    row_id,
)
from bridge.connectors.scopeai.records import Row, external_id, following, relations, rows, ticket
from bridge.connectors.scopeai.tags import TagNames
from bridge.core.model.capabilities import EntityCapabilities, Support, Writable
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Ref
from bridge.errors import ConfigError, NotFound
from bridge.http.client import Answer, Http, Request

TICKET, MESSAGE = "ticket", "message"
PAGE = 100
PAGES = 100_000
"""A listing that goes on beyond so many pages leads round in a circle."""
MARGIN = timedelta(minutes=5)
"""Windows are wider than asked for by this much at both ends: whether the ends belong to them is not documented."""
CREATE_WINDOW = timedelta(hours=1)
WINDOW = timedelta(days=7)
_WINDOW = re.compile(r"(\d{1,4})([hd])")
_ALONE = Writable(on_update=Support.NO, clears=False)

READABLE = "id external_id source original_text cleanest_body tags conversation_id created created_at sender"
_WRITABLE: Mapping[str, Writable] = {
    "original_text": Writable(on_update=Support.NO, clears=False, required=True),
    "original_html": _ALONE,
    "tags": Writable(on_create=False, on_update=Support.NO, clears=False, removes=False),
}


class ScopeaiConnector(JsonHttpConnector):
    """Texts sent to a ScopeAI account, and the subjects that it finds in them."""

    NAME: ClassVar = "scopeai"
    CAPABILITIES: ClassVar = {
        entity: EntityCapabilities(
            readable=frozenset(READABLE.split()),
            writable=_WRITABLE,
            creates=Support.YES,
            dated=False,
            complete=False,
            originates=False,
            settle=10.0,
        )
        for entity in (TICKET, MESSAGE)
    }
    OPTIONS: ClassVar = {
        "external_id": "what is sent as external_id: int (usual) or string",
        "find_by": "true: the deployment has GET /tickets/find_by?external_id=",
        "window": "how far back every poll reads, for subjects that are found later (7d; such as 12h or 30d)",
    }

    def __init__(self, connection: Connection, http: Http) -> None:
        super().__init__(connection, http)
        options, at = connection.options, f"connections.{connection.name}"
        self._kind = str(options.get("external_id", "int"))
        self._find_by = options.get("find_by", False)
        window, wrong = _window(options.get("window", "7d")), list[str]()
        if self._kind not in {"int", "string"}:
            wrong.append(f"{at}.external_id: is {self._kind[:40]!r}; allowed int, string")
        if not isinstance(self._find_by, bool):
            wrong.append(f"{at}.find_by: is {str(self._find_by)[:40]!r}; allowed true, false")
        if window is None:
            wrong.append(
                f"{at}.window: is {str(options['window'])[:40]!r}; allowed hours or days, such as 12h, 7d"
            )
        if wrong:
            raise ConfigError(wrong)
        self._window = window or WINDOW
        self._names = TagNames(http.now, self._all_tags, self._tag)

    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:
        """Read the generic hint; the vendor itself sends no webhooks. Raises Malformed for anything else."""
        del headers
        hint = generic_hint(body, self.CAPABILITIES)
        return hint if hint is not None else ignored_event(event_name(body, "event"), self.IGNORED)

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read present records. Never None: nothing is deleted here, so a 404 raises Unavailable and proves nothing."""
        self._check_entity(entity)
        found: dict[str, Record | None] = {}
        for each in ids:
            try:
                answer = self._call("GET", "/tickets/" + quote(each, safe=""))
            except NotFound as error:
                what = f"ticket {each} is not shown, which is no deletion here; check base_url, the key and its account"
                raise self._unavailable(what, error.status) from None
            row = answer.body
            if not isinstance(row, Mapping) or row_id(row) != each:
                raise self._unavailable(
                    f"ticket {each} was asked for, the answer is another thing", answer.status
                )
            found[each] = self._records(entity, [row], answer)[0]
        return found

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Give the tickets of the last days, whether they changed or not; messages cannot be told from tickets."""
        self._check_entity(entity)
        state = dict(cursor or {})
        if entity == MESSAGE:
            return Page([], state)
        if "from" not in state:
            before = known_time(state["at"]) - self._window if state.get("at") else None
            state = self._begin(before)
        return self._walk(state) or Page([], {"at": state["at"]})

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything, page by page; of messages nothing."""
        self._check_entity(entity)
        if entity == MESSAGE:
            return Page([], None)
        return self._walk(dict(cursor) if cursor else self._begin(None)) or Page([], None)

    def create(self, draft: Draft) -> Record | None:
        """Create once. The subjects are not known yet; None: the answer did not show the ticket."""
        self._check_create(draft)
        body = {**draft.values, "external_id": external_id(draft.marker, self._kind)}
        answer = self._call("POST", "/tickets", json=body, write=True)
        if not isinstance(answer.body, Mapping) or not row_id(answer.body):
            return None
        return self._record(draft.entity, answer.body, answer, None, marker=draft.marker)

    def find(self, intent: Intent) -> list[Record]:
        """Give the tickets whose external id stands for the marker, the lowest id first; there may be several."""
        entity, marker = intent.draft.entity, intent.draft.marker
        self._check_entity(entity)
        if intent.sent_at is None:
            return []  # nothing of ours was sent, and nothing in a ticket tells whose it is
        wanted = str(external_id(marker, self._kind))
        found: dict[str, Record] = {}
        for row, answer in (*self._found_by(wanted), *self._listed(intent.sent_at - CREATE_WINDOW)):
            if str(row.get("external_id")) == wanted:
                found.setdefault(
                    row_id(row), self._record(entity, row, answer, None, marker=marker)
                )
        return sorted(found.values(), key=lambda record: (len(record.ref.id), record.ref.id))

    def probe(self) -> dict[str, Any]:
        """Find out which spelling of scores and which type of external id this deployment shows; None: no telling."""
        seen, _, _ = self._page(self._begin(None), size=1)
        given = [
            each
            for row in seen
            for each in row.get("tag_relationships") or ()
            if isinstance(each, Mapping)
        ]
        spelled = next(
            (name for each in given for name in ("salience", "salience_score") if name in each),
            None,
        )
        kinds = {"int": int, "string": str}
        shown = next(
            (row["external_id"] for row in seen if row.get("external_id") is not None), None
        )
        return {
            "salience": spelled,
            "external_id": next(
                (name for name, kind in kinds.items() if isinstance(shown, kind)), None
            ),
        }

    def ping(self) -> str:
        """Make the cheapest authenticated read; return a line for people."""
        found = rows(
            self.connection.name, self._listing("/tags", {"relevant": "true", "per_page": "1"})
        )
        return "tags can be listed" if found else "tags can be listed; there are none yet"

    def _auth(self, request: Request) -> Request:
        request.headers["Authorization"] = (
            "Token token=" + self.connection.credentials["api_key"].reveal()
        )
        return request

    # Listings. The state of one: `from` and `to` in epoch seconds, `at` when it began, `next` the
    # query of the page to come, `page` its number, `given` the ids of the page before (rows that
    # slip onto the next page come once).

    def _begin(self, since: datetime | None) -> dict[str, Any]:
        now = self._http.now()
        start = max(0, floor((since - MARGIN).timestamp())) if since is not None else 0
        return {
            "from": start,
            "to": ceil((now + MARGIN).timestamp()),
            "at": format_time(now),
            "page": 1,
            "next": {},
        }

    def _walk(self, state: dict[str, Any]) -> Page | None:
        """Give the next page that has rows; None when there are no more."""
        while state["next"] is not None:
            found, answer, after = self._page(state)
            before = set(state.get("given", ()))
            fresh = list({row_id(row): row for row in found if row_id(row) not in before}.values())
            given = [row_id(row) for row in found]
            state = {**state, "next": after, "page": state["page"] + 1, "given": given}
            if fresh:
                return Page(self._records(TICKET, fresh, answer), state)
        return None

    def _page(
        self, state: Mapping[str, Any], size: int = PAGE
    ) -> tuple[list[Row], Answer, dict[str, str] | None]:
        """Get one page, and the query of the one after it. The window is sent with each: `next` may have lost it."""
        window = {"start_date": str(state["from"]), "end_date": str(state["to"])}
        params = {"per_page": str(size), **state["next"], **window}
        answer = self._listing("/tickets", params)
        found = rows(self.connection.name, answer)
        return found, answer, self._next("/tickets", answer, params, state["page"])

    def _next(
        self, path: str, answer: Answer, params: Mapping[str, str], number: int
    ) -> dict[str, str] | None:
        after = following(self.connection.name, self.connection.base_url, path, answer)
        if after is None:
            return None
        if number >= PAGES or all(params.get(name) == value for name, value in after.items()):
            raise self._unavailable(
                "the listing leads round in a circle, it cannot be read to its end", answer.status
            )
        if _number(after) is not None and (_number(after) or 0) <= (_number(params) or 1):
            raise self._unavailable(
                "the next page is said to be an earlier one, the listing has no end", answer.status
            )
        return after

    def _listing(self, path: str, params: Mapping[str, str]) -> Answer:
        try:
            return self._call("GET", path, params=params)
        except NotFound as error:
            raise self._unavailable(
                "there is no listing here; check base_url", error.status
            ) from None

    def _found_by(self, wanted: str) -> list[tuple[Row, Answer]]:
        """Ask for one ticket by its external id, where that is configured; a 404 proves nothing."""
        if not self._find_by:
            return []
        try:
            answer = self._call("GET", "/tickets/find_by", params={"external_id": wanted})
        except NotFound:
            return []
        return (
            [(answer.body, answer)]
            if isinstance(answer.body, Mapping) and row_id(answer.body)
            else []
        )

    def _listed(self, since: datetime) -> list[tuple[Row, Answer]]:
        """List everything made since a time, to the last page: no order is promised."""
        state, found = self._begin(since), list[tuple[Row, Answer]]()
        while state["next"] is not None:
            some, answer, after = self._page(state)
            found += [(row, answer) for row in some]
            state = {**state, "next": after, "page": state["page"] + 1}
        return found

    # Tags.

    def _all_tags(self) -> dict[str, str]:
        found: dict[str, str] = {}
        params: dict[str, str] | None = {}
        number = 1
        while params is not None:
            sent = {"relevant": "true", "per_page": str(PAGE), **params}
            answer = self._listing("/tags", sent)
            found |= {
                row_id(row): name
                for row in rows(self.connection.name, answer)
                if (name := _name(row))
            }
            params, number = self._next("/tags", answer, sent, number), number + 1
        return found

    def _tag(self, tag_id: str) -> str | None:
        try:
            answer = self._call("GET", "/tags/" + quote(tag_id, safe=""))
        except NotFound:
            return None
        row = answer.body
        return _name(row) if isinstance(row, Mapping) and row_id(row) == tag_id else None

    # Records.

    def _records(self, entity: str, found: Sequence[Row], answer: Answer) -> list[Record]:
        """Make records of rows; the names of all their tags are looked up together."""
        related = [relations(row) for row in found]
        names = self._names.of({each["id"] for some in related for each in some or ()})
        records = []
        for row, some in zip(found, related, strict=True):
            tags: list[Row] | None = None
            if some is not None:
                named = [(names[each["id"]], each) for each in some]
                tags = [
                    {"name": name, "salience": each["salience"], "sentiment": each["sentiment"]}
                    for name, each in named
                    if name
                ]
            records.append(self._record(entity, row, answer, tags))
        return records

    def _record(
        self,
        entity: str,
        row: Row,
        answer: Answer,
        tags: list[Row] | None,
        *,
        marker: str | None = None,
    ) -> Record:
        return Record(
            ref=Ref(self.connection.name, entity, row_id(row)),
            data=ticket(row, tags),
            read_at=answer.sent_at,
            marker=marker,
            partial=tags is None,
        )


def _window(given: Any) -> timedelta | None:
    found = _WINDOW.fullmatch(given) if isinstance(given, str) else None
    return timedelta(hours=int(found[1]) * {"h": 1, "d": 24}[found[2]]) or None if found else None


def _number(params: Mapping[str, str]) -> int | None:
    given = params.get("page", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


def _name(row: Row) -> str:
    name = row.get("name")
    return name.strip() if isinstance(name, str) else ""
