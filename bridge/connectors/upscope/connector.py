"""Upscope: REST API v1.1 (https://github.com/upscopeio/rest-api, read 2026-11), screen sharing, Enterprise plans only.

Oddities, as of 2026-11:
- There are no tickets. A visitor is read as a customer, a finished screen share as a session; nothing is written.
- `list.json` has no pages and no documented order or size: it is taken as "the latest ones". That somebody is not in
  it says nothing, so neither entity is `complete`.
- A session is shown only inside its visitor, among "recent" ones. Its id here is `<short_id>/<number>`.
- Visitors are dated in UTC with milliseconds, sessions with the account's own offset: both are read into UTC.
- `usage.json` has no `status`, the others do. The bodies of 402 and 404 are not documented: the status alone counts.
- The later documents (https://cobrowsingapi.com/docs/rest-api) say `added_at` for `first_seen_at`, give visitors an
  `email`, and know other reasons of a 401: all of them are understood.
- The address that `watch_url` answers with opens a customer's screen to whoever has it, and counts against the limits
  of the plan: asked for once, by a person, shown to that person, kept nowhere. No text of any error answer of this
  API is kept either.
- The later documents also have a call that deletes every offline visitor at once. There is no method for it here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from bridge.connectors.contract import Page, Parsed, Record
from bridge.connectors.json_http import JsonHttpConnector
from bridge.connectors.parsing import (
    event_name,
    format_time,
    generic_hint,
    ignored_event,
    known_time,
    parse_time,
)
from bridge.connectors.upscope import records as upscope_rows
from bridge.connectors.upscope.actions import URL, bare, wish
from bridge.connectors.upscope.records import SESSION_ID, SHORT_ID, Row, finished, short_id
from bridge.core.model.capabilities import EntityCapabilities
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Ref
from bridge.errors import (
    ConfigError,
    NotFound,
    RateLimited,
    Refused,
    RemoteError,
    Unauthorised,
    Unavailable,
    UnknownOutcome,
    Unsupported,
)
from bridge.http.client import Answer, Http, Request

OVERLAP = timedelta(minutes=5)
"""Each poll begins this much before the newest visit of the last one."""
PAGE = 50
"""Sessions of one page; each visitor costs a call."""
SECOND = timedelta(seconds=1)
CUSTOMER, SESSION = "customer", "session"

_TOLD = {
    "visitors_online": "visitors online",
    "sessions_now": "sessions now",
    "sessions_today": "today",
}


class UpscopeConnector(JsonHttpConnector):
    """Visitors of an Upscope account, and the screens that they have shared."""

    NAME: ClassVar = "upscope"
    CAPABILITIES: ClassVar = {
        CUSTOMER: EntityCapabilities(
            readable=frozenset(upscope_rows.VISITOR.split()),
            dated=False,
            complete=False,
        ),
        SESSION: EntityCapabilities(
            readable=frozenset(upscope_rows.SESSION.split()), complete=False
        ),
    }
    ERASES: ClassVar = frozenset({CUSTOMER})
    OPTIONS: ClassVar = {
        "sessions_since": "an ISO time: screen shares that ended before it are not mirrored"
    }
    ACTIONS: ClassVar = {
        "watch_url": "open a screen share with a visitor and give its link (visitor, agent.id, agent.name; optional "
        "branding.naked, branding.no_bottom_bar, branding.retry_url); counts against the plan's limits",
    }

    def __init__(self, connection: Connection, http: Http) -> None:
        super().__init__(connection, http)
        since = connection.options.get("sessions_since")
        self._since = parse_time(str(since)) if since else None
        if since and self._since is None:
            what = f"connections.{connection.name}: sessions_since is {str(since)[:40]!r}; allowed an ISO 8601 time"
            raise ConfigError([what])

    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:
        """Read the generic hint; the vendor itself sends no webhooks. Raises Malformed for anything else."""
        del headers
        hint = generic_hint(body, self.CAPABILITIES)
        return hint if hint is not None else ignored_event(event_name(body, "event"), self.IGNORED)

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read present records. None: no such visitor, or a session that is running still or no longer recent."""
        self._check_entity(entity)
        found: dict[str, Record | None] = {}
        for each in ids:
            if entity == SESSION:
                found[each] = self._session(each)
            else:
                row, answer = self._visitor(each)
                found[each] = (
                    self._customer(row, answer) if row is not None and answer is not None else None
                )
        return found

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Give who was there since the cursor's watermark, or the sessions that ended; see Connector.changed.

        A change that no visit goes along with (a tag set by an agent) is found by a full
        reconciliation only.
        """
        self._check_entity(entity)
        state = cursor or {}
        if entity == SESSION:
            return self._ended(state)
        if state.get("given"):
            return Page([], {"top": state["top"]})
        rows, answer, top = self._seen_since(state.get("top"))
        records = [self._customer(row, answer, listed=True) for row in rows]
        return Page(records, {"top": top, "given": True} if records else {"top": top})

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List what the vendor lists: the latest, however many that is."""
        self._check_entity(entity)
        rows, answer, _ = ([], None, None) if cursor else self._seen_since(None)
        if entity == CUSTOMER:
            return Page(
                [self._customer(row, answer, listed=True) for row in rows if answer is not None],
                None,
            )
        todo = list(cursor["todo"]) if cursor else [short_id(row) for row in rows]
        records: list[Record] = []
        while todo and not records:
            some, todo, _running = self._look(todo)
            records += some
        return Page(records, {"todo": todo} if todo else None)

    def find_person(self, entity: str, email: str) -> list[Record]:
        """Give the visitors whose one e-mail address is this: exactly, whatever the vendor's search thinks is near."""
        if entity != CUSTOMER:
            raise Unsupported(f"{self.NAME} cannot look for a {entity} by e-mail address")
        rows, answer = self._list({"search": email})
        mine = [row for row in rows if upscope_rows.email(row) == email.strip().casefold()]
        return [self._customer(row, answer, listed=True) for row in mine]

    def delete(self, ref: Ref) -> None:
        """Erase one visitor for good; already gone counts as done. For `bridge forget` alone: no sync comes here."""
        if ref.entity != CUSTOMER:
            raise Unsupported(f"{self.NAME} cannot delete a {ref.entity}")
        if not SHORT_ID.fullmatch(ref.id):
            raise Refused(self.connection.name, "that is no visitor's id; nothing was deleted")
        try:
            self._call("DELETE", f"/visitors/{ref.id}.json", write=True)
        except NotFound:
            self._here()

    def account_metrics(self) -> Mapping[str, float]:
        """Give the account's usage."""
        usage = self._usage()
        return upscope_rows.account_metrics(usage)

    def probe(self) -> dict[str, Any]:
        """Find out which generation of visitors this deployment shows; None: there is no visitor to tell by."""
        rows, _ = self._list({})
        names = [name for name in ("first_seen_at", "added_at") if rows and name in rows[0]]
        return {"first_seen": names[0] if names else None, "listed": len(rows)}

    def ping(self) -> str:
        """Make the cheapest authenticated read; return a line for people."""
        seen = self.account_metrics()
        told = [f"{seen[name]:g} {what}" for name, what in _TOLD.items() if name in seen]
        return ", ".join(told) or "usage can be read"

    def perform_action(self, action: str, arguments: Mapping[str, str]) -> str:
        """Ask for the link that opens a visitor's screen: one call, never repeated, its answer kept nowhere."""
        name = self.connection.name
        if action not in self.ACTIONS:
            raise Unsupported(
                f"{self.NAME} has no action {action}; allowed: {', '.join(self.ACTIONS)}"
            )
        body = wish(name, arguments)
        path = f"/visitors/{arguments['visitor']}/watch_url.json"
        doubt = "a session may have been opened; look in Upscope before you ask again"
        try:
            answer = self._call("POST", path, json=body, write=True)
        except NotFound as error:
            raise Refused(
                name, "there is no such visitor; nothing was opened", status=error.status
            ) from None
        except Unauthorised as error:
            if error.status != 402:
                raise
            why = "one more session would go beyond the plan's limits; nothing was opened: end one, or enlarge the plan"
            raise Refused(name, why, status=402, request_id=error.request_id) from None
        except UnknownOutcome as error:
            raise UnknownOutcome(
                name, doubt, status=error.status, request_id=error.request_id
            ) from None
        link = answer.body.get("watch_url") if isinstance(answer.body, Mapping) else None
        if not isinstance(link, str) or not URL.fullmatch(link):
            raise UnknownOutcome(name, f"the answer holds no link; {doubt}", status=answer.status)
        return link

    def _auth(self, request: Request) -> Request:
        request.headers["X-Api-Key"] = self.connection.credentials["api_key"].reveal()
        return request

    def _call(self, method: str, path: str, *, write: bool = False, **rest: Any) -> Answer:
        """Call, and say what went wrong without a word of the vendor's: its texts may hold what must not be kept."""
        try:
            return super()._call(method, path, write=write, **rest)
        except RemoteError as error:
            raise bare(error) from None

    def _visitor(self, visitor_id: str) -> tuple[Row | None, Answer | None]:
        if not SHORT_ID.fullmatch(visitor_id):
            return (
                None,
                None,
            )  # the vendor cannot have given it out, and a call could ask for something else
        try:
            answer = self._call("GET", f"/visitors/{visitor_id}.json")
        except NotFound:
            self._here()
            return None, None
        row = answer.body.get("visitor") if isinstance(answer.body, Mapping) else None
        if not isinstance(row, Mapping) or short_id(row) != visitor_id:
            raise self._unavailable(
                f"visitor {visitor_id} was asked for, the answer is another thing", answer.status
            )
        return row, answer

    def _here(self) -> None:
        """Make sure that a 404 was about the visitor: with a wrong base_url everything is 404, and nothing gone."""
        self._usage()

    def _usage(self) -> Any:
        try:
            answer = self._call("GET", "/usage.json")
        except NotFound as error:
            raise self._unavailable(
                "there is no Upscope API here; check base_url", error.status
            ) from None
        usage = answer.body.get("usage") if isinstance(answer.body, Mapping) else None
        if not isinstance(usage, Mapping):
            raise self._unavailable("usage.json shows no usage; check base_url", answer.status)
        return usage

    def _session(self, session_id: str) -> Record | None:
        parts = SESSION_ID.fullmatch(session_id)
        row, answer = self._visitor(parts[1]) if parts else (None, None)
        if row is None or answer is None or parts is None:
            return None
        found = dict(upscope_rows.sessions(row))
        return self._share(row, parts[2], found[parts[2]], answer) if parts[2] in found else None

    def _list(self, params: Mapping[str, str]) -> tuple[list[Row], Answer]:
        try:
            answer = self._call("GET", "/list.json", params=params)
        except NotFound as error:
            raise self._unavailable(
                "there is no listing here; check base_url", error.status
            ) from None
        rows = answer.body.get("visitors") if isinstance(answer.body, Mapping) else None
        if not isinstance(rows, list) or not all(short_id(row) for row in rows):
            raise self._unavailable("a listing without proper visitors", answer.status)
        return list({short_id(row): row for row in rows}.values()), answer

    def _seen_since(self, top: str | None) -> tuple[list[Row], Answer, str | None]:
        """List who was seen since shortly before the watermark, those of unknown date too; and the new watermark."""
        rows, answer = self._list({})
        at = {short_id(row): parse_time(row.get("last_seen_at")) for row in rows}
        known = [each for each in at.values() if each is not None]
        newest = max([*known, *([known_time(top)] if top else [])], default=None)
        floor = known_time(top) - OVERLAP if top else None
        fresh = [
            row
            for row in rows
            if floor is None or (seen := at[short_id(row)]) is None or seen >= floor
        ]
        return fresh, answer, format_time(newest) if newest else None

    def _ended(self, state: Mapping[str, Any]) -> Page:
        """Give a page of finished sessions.

        The state: `top`, the newest visit; `todo`, visitors still to be looked at; `watch`, those
        whose session was running, to be looked at again whatever their last visit; `going`, in the
        middle of a poll.
        """
        top, todo, watch = (
            state.get("top"),
            list(state.get("todo", ())),
            list(state.get("watch", ())),
        )
        if not state.get("going"):
            rows, _, top = self._seen_since(top)
            todo = list(dict.fromkeys([*todo, *watch, *(short_id(row) for row in rows)]))
            watch = []
        records, todo, running = self._look(todo)
        rest = {"top": top, "todo": todo, "watch": [*watch, *running]}
        return Page(records, rest | {"going": True} if records else rest)

    def _look(self, todo: list[str]) -> tuple[list[Record], list[str], list[str]]:
        """Look at visitors until a page is full or a call's time is over.

        Gives the finished sessions, the visitors not looked at, and those in the middle of a
        session. When a later call fails, what the earlier ones showed counts, and the next page
        begins with the one that failed.
        """
        records: list[Record] = []
        running: list[str] = []
        begun = self._http.now()
        for number, each in enumerate(todo):
            late = self._http.now() - begun > timedelta(seconds=self.connection.timeout)
            if number and (late or len(records) >= PAGE):
                return records, todo[number:], running
            try:
                row, answer = self._visitor(each)
            except (Unavailable, RateLimited):
                if not number:
                    raise
                return records, todo[number:], running
            if row is None or answer is None:
                continue
            shares = [
                self._share(row, key, share, answer) for key, share in upscope_rows.sessions(row)
            ]
            records += [share for share in shares if share is not None and self._wanted(share)]
            if row.get("is_in_session") is True or None in shares:
                running.append(each)
        return records, [], running

    def _wanted(self, share: Record) -> bool:
        ended = parse_time(share.data["ended_at"])
        return self._since is None or ended is None or ended >= self._since

    def _customer(self, row: Row, answer: Answer, *, listed: bool = False) -> Record:
        ref = Ref(self.connection.name, CUSTOMER, short_id(row))
        return Record(ref, upscope_rows.visitor(row), read_at=answer.sent_at, partial=listed)

    def _share(self, of: Row, number: str, row: Row, answer: Answer) -> Record | None:
        """Give a session once it is over: until then its length, its agents and its end are not what they will be."""
        ended = finished(row)
        if ended is None:
            return None
        data = upscope_rows.session(of, number, row)
        before = ended + answer.skew + (timedelta(0) if ended.microsecond else SECOND)
        return Record(
            Ref(self.connection.name, SESSION, data["id"]),
            data,
            answer.sent_at,
            changed_before=before,
        )
