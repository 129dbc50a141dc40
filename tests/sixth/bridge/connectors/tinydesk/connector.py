"""Tinydesk: an imaginary help desk of items, states and one owner.

https://tinydesk.example/api, read on 2026-11-28. Oddities:
- Items are numbered; `changed` is a counter of the whole desk, so that nothing is skipped and no
  clock is needed.
- An item is created with a `ref` of the caller's choice, which is unique: a second one with the
  same ref answers 409.
- There is no delete, and nobody can take an owner away again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from bridge.connectors.contract import Draft, Hint, Intent, Page, Parsed, Record
from bridge.connectors.json_http import JsonHttpConnector
from bridge.connectors.parsing import (
    event_name,
    generic_hint,
    ignored_event,
    is_row,
    record_id,
    value_at,
)
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Raw, Ref
from bridge.errors import NotFound
from bridge.http.caller import Answer
from bridge.http.client import Http
from tests.sixth.bridge.connectors.tinydesk.capabilities import (
    CAPABILITIES,
    EVENTS,
    ITEMS_PATH,
    SIGNING,
    TICKET,
)
from tests.sixth.bridge.connectors.tinydesk.listing import ItemsOfPage, TinydeskListing
from tests.sixth.bridge.connectors.tinydesk.records import record


class TinydeskConnector(JsonHttpConnector):
    """Items of a Tinydesk."""

    NAME: ClassVar = "tinydesk"
    CAPABILITIES: ClassVar = CAPABILITIES
    EVENTS: ClassVar = EVENTS
    SIGNING: ClassVar = SIGNING

    def __init__(self, connection: Connection, http: Http) -> None:
        super().__init__(connection, http)
        self._listing = TinydeskListing(
            connection.name, lambda params: self._call("GET", ITEMS_PATH, params=params)
        )

    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:
        """Read a verified webhook."""
        del headers
        hint = generic_hint(body, self.CAPABILITIES)
        if hint is not None:
            return hint
        event = event_name(body, "event")
        if event not in self.EVENTS:
            return ignored_event(event, self.IGNORED)
        item = record_id(value_at(body, "item"), "item")
        return Parsed(
            (Hint(TICKET, item),),
            event,
            delivery=f"{event}:{item}:{value_at(body, 'change')}"[:250],
            projection={"event": event, "item": item},
        )

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read items one by one."""
        self._check_entity(entity)
        return {remote_id: self._read(remote_id) for remote_id in ids}

    def _read(self, remote_id: str) -> Record | None:
        try:
            return self._shown(self._call("GET", f"{ITEMS_PATH}/{remote_id}"))
        except NotFound:
            return None

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """List by the counter."""
        self._check_entity(entity)
        items = self._listing.after(cursor or 0)
        return Page(self._records(items), items.last)

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything, the oldest change first."""
        page = self.changed(entity, cursor)
        return page if page.records else Page([], None)

    def create(self, draft: Draft) -> Record | None:
        """Create once, with the marker as the item's own ref."""
        self._check_create(draft)
        body = {**draft.values, "ref": draft.marker}
        return self._shown(self._call("POST", ITEMS_PATH, json=body, write=True))

    def find(self, intent: Intent) -> list[Record]:
        """Return the items with the intent's ref, and those of the same asker."""
        records = self._records(self._listing.where("ref", intent.draft.marker))
        asker = intent.draft.values.get("asker")
        if asker:
            records += self._records(self._listing.where("asker", asker))
        return list({item.ref.id: item for item in records}.values())

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Write fields by one PUT."""
        self._check_update(ref, verb, values)
        path = f"{ITEMS_PATH}/{ref.id}"
        return self._shown(self._call("PUT", path, json=dict(values), write=True))

    def probe(self) -> dict[str, Any]:
        """See that it answers; nothing else is uncertain here."""
        self.ping()
        return {}

    def ping(self) -> str:
        """List what comes after everything."""
        self._listing.after(2**31)
        return "answers"

    def _shown(self, answer: Answer) -> Record:
        if not is_row(answer.body):
            raise self._unavailable("an answer without an item", answer.status)
        return record(self.connection.name, answer.body, answer)

    def _records(self, items: ItemsOfPage) -> list[Record]:
        return [record(self.connection.name, row, items.answer) for row in items.rows]
