"""Upscope: screen sharing, by its REST API v1.1 (https://github.com/upscopeio/rest-api).

The API comes with Enterprise plans only.

Oddities, as of 2026-11; each is explained where it matters:
- There are no tickets, and nothing is written (capabilities.py).
- The listing is "the latest ones", and a session is shown only inside its visitor (listing.py).
- Times come in two styles, and e-mail addresses among free texts (records.py).
- No text of an error answer is kept (redacted_errors.py). The bodies of 402 and 404 are not
  documented: the status alone counts, and a 404 only while the API is there (`_confirm_api`).
- The link to a visitor's screen is a secret (watch_url.py).
- The later documents (https://cobrowsingapi.com/docs/rest-api) have other names: both are
  understood. They also have a call that deletes every offline visitor at once: there is no method
  for it here.
- No webhooks: the inherited `parse` takes generic hints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from bridge.connectors.contract import Page, Record
from bridge.connectors.json_http import JsonHttpConnector
from bridge.connectors.parsing import Row, readable, value_at
from bridge.connectors.upscope.capabilities import (
    ACTIONS,
    CAPABILITIES,
    CUSTOMER,
    ERASES,
    LIST_PATH,
    METRICS_OF_PING,
    OPTIONS,
    SESSION,
    SESSION_ID,
    SHORT_ID,
    USAGE_PATH,
    read_options,
)
from bridge.connectors.upscope.listing import UpscopeListing
from bridge.connectors.upscope.records import (
    customer,
    metrics,
    session,
    sessions,
    short_id,
    visitor_email,
)
from bridge.connectors.upscope.redacted_errors import redacted
from bridge.connectors.upscope.watch_url import watch_body, watch_link
from bridge.core.mapping.email_address import same_address
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Ref
from bridge.errors import (
    NotFound,
    Refused,
    RemoteError,
    Unauthorised,
    UnknownOutcome,
    Unsupported,
)
from bridge.http.caller import Answer, Caller, Request


class UpscopeConnector(JsonHttpConnector):
    """Visitors of an Upscope account, and the screens that they have shared."""

    NAME: ClassVar = "upscope"
    CAPABILITIES: ClassVar = CAPABILITIES
    OPTIONS: ClassVar = OPTIONS
    ACTIONS: ClassVar = ACTIONS
    ERASES: ClassVar = ERASES

    def __init__(self, connection: Connection, http: Caller) -> None:
        super().__init__(connection, http)
        self._listing = UpscopeListing(
            connection.name,
            list_visitors=lambda: self._list({}),
            read_visitor=self._visitor,
            now=http.now,
            time_limit=timedelta(seconds=connection.timeout),
            sessions_since=read_options(connection).sessions_since,
        )

    # Reading

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read visitors or sessions one by one.

        None: no such visitor, or a session that is running still or no longer recent.
        """
        self._check_entity(entity)
        read = self._read_session if entity == SESSION else self._read_customer
        return {remote_id: read(remote_id) for remote_id in ids}

    def _read_customer(self, visitor_id: str) -> Record | None:
        shown = self._visitor(visitor_id)
        return customer(self.connection.name, *shown) if shown else None

    def _read_session(self, session_id: str) -> Record | None:
        parts = SESSION_ID.fullmatch(session_id)
        shown = self._visitor(parts[1]) if parts else None
        if parts is None or shown is None:
            return None
        row, answer = shown
        number = parts[2]
        share = dict(sessions(row)).get(number)
        return session(self.connection.name, row, number, share, answer) if share else None

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Return who was there since the cursor's watermark, or the sessions that ended.

        Nothing tells when a visitor was changed, only when it was last there (README, 2026-11). A
        change that no visit goes along with (a tag set by an agent) is found by a full
        reconciliation only. See Connector.changed.
        """
        self._check_entity(entity)
        state = cursor or {}
        if entity == SESSION:
            return self._listing.ended(state)
        if state.get("given"):
            return Page([], {"top": state["top"]})
        rows, answer, top = self._listing.seen_since(state.get("top"))
        records = self._customers(rows, answer)
        return Page(records, {"top": top, "given": True} if records else {"top": top})

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List what the vendor lists: the latest, however many that is."""
        self._check_entity(entity)
        if entity == SESSION and cursor:
            return self._listing.scan(cursor["todo"])
        rows, answer = self._list({})
        if entity == SESSION:
            return self._listing.scan([short_id(row) for row in rows])
        return Page(self._customers(rows, answer), None)

    def _customers(self, rows: Sequence[Row], answer: Answer) -> list[Record]:
        return [customer(self.connection.name, row, answer, listed=True) for row in rows]

    # Erasing a person: for `bridge forget` alone, no sync comes here

    def find_person(self, entity: str, email: str) -> list[Record]:
        """Return the visitors whose one e-mail address is this.

        Exactly this, whatever the vendor's search takes for near.
        """
        if entity != CUSTOMER:
            raise Unsupported(f"{self.NAME} cannot look for a {entity} by e-mail address")
        rows, answer = self._list({"search": email})
        theirs = [row for row in rows if same_address(visitor_email(row), email)]
        return self._customers(theirs, answer)

    def delete(self, ref: Ref) -> None:
        """Erase one visitor for good; one that is gone already counts as done."""
        if ref.entity != CUSTOMER:
            raise Unsupported(f"{self.NAME} cannot delete a {ref.entity}")
        if not SHORT_ID.fullmatch(ref.id):
            raise Refused(self.connection.name, "that is no visitor's id; nothing was deleted")
        try:
            self._call("DELETE", f"/visitors/{ref.id}.json", write=True)
        except NotFound:
            self._confirm_api()

    # What operators see and do

    def account_metrics(self) -> Mapping[str, float]:
        """Return the account's usage."""
        return metrics(self._usage())

    def probe(self) -> dict[str, Any]:
        """Find out which generation of visitors this is; None: there is no visitor to tell by."""
        rows, _ = self._list({})
        names = [name for name in ("first_seen_at", "added_at") if rows and name in rows[0]]
        return {"first_seen": names[0] if names else None, "listed": len(rows)}

    def ping(self) -> str:
        """Make the cheapest authenticated read; return a line for people."""
        numbers = self.account_metrics()
        shown = [
            f"{numbers[name]:g} {what}" for name, what in METRICS_OF_PING.items() if name in numbers
        ]
        return ", ".join(shown) or "usage can be read"

    def perform_action(self, action: str, arguments: Mapping[str, str]) -> str:
        """Ask for the link that opens a visitor's screen: one call, never repeated."""
        name = self.connection.name
        if action not in ACTIONS:
            raise Unsupported(f"{self.NAME} has no action {action}; allowed: {', '.join(ACTIONS)}")
        body = watch_body(name, arguments)
        doubt = "a session may have been opened; look in Upscope before you ask again"
        try:
            answer = self._call(
                "POST", f"/visitors/{arguments['visitor']}/watch_url.json", json=body, write=True
            )
        except NotFound as error:
            raise Refused(
                name, "there is no such visitor; nothing was opened", status=error.status
            ) from None
        except Unauthorised as error:
            if error.status != 402:
                raise
            # Here a 402 is about one session, and no reason to stop the connection.
            raise Refused(
                name,
                "one more session would go beyond the plan's limits; nothing was opened: end one, "
                "or enlarge the plan",
                status=402,
                request_id=error.request_id,
            ) from None
        except UnknownOutcome as error:
            raise UnknownOutcome(
                name, doubt, status=error.status, request_id=error.request_id
            ) from None
        link = watch_link(answer.body)
        if link is None:
            raise UnknownOutcome(name, f"the answer holds no link; {doubt}", status=answer.status)
        return link

    # Calls

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
        except RemoteError as error:
            raise redacted(error) from None

    def _auth(self, request: Request) -> Request:
        request.headers["X-Api-Key"] = self.connection.credentials["api_key"].reveal()
        return request

    def _list(self, params: Mapping[str, str]) -> tuple[list[Row], Answer]:
        try:
            answer = self._call("GET", LIST_PATH, params=params)
        except NotFound as error:
            raise self._unavailable(
                "there is no listing here; check base_url", error.status
            ) from None
        rows = value_at(answer.body, "visitors")
        if not isinstance(rows, list):
            raise self._unavailable("a listing without visitors", answer.status)
        return list({short_id(row): row for row in readable(rows, short_id)}.values()), answer

    def _visitor(self, visitor_id: str) -> tuple[Row, Answer] | None:
        # Another id the vendor cannot have given out, and a call could ask for something else.
        if not SHORT_ID.fullmatch(visitor_id):
            return None
        try:
            answer = self._call("GET", f"/visitors/{visitor_id}.json")
        except NotFound:
            self._confirm_api()
            return None
        row = value_at(answer.body, "visitor")
        if not isinstance(row, Mapping) or short_id(row) != visitor_id:
            raise self._unavailable(
                f"visitor {visitor_id} was asked for, the answer is another thing", answer.status
            )
        return row, answer

    def _confirm_api(self) -> None:
        """Make sure that a 404 was about the visitor: with a wrong base_url, everything is 404."""
        self._usage()

    def _usage(self) -> Mapping[str, Any]:
        try:
            answer = self._call("GET", USAGE_PATH)
        except NotFound as error:
            raise self._unavailable(
                "there is no Upscope API here; check base_url", error.status
            ) from None
        usage = value_at(answer.body, "usage")
        if not isinstance(usage, Mapping):
            raise self._unavailable("usage.json shows no usage; check base_url", answer.status)
        return usage
