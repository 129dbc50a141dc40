"""Tinydesk: an imaginary help desk of items, states and one owner.

https://tinydesk.example/api, read on 2026-11-28.

Oddities: - Items are numbered; `changed` is a counter of the whole desk, so that nothing is skipped
and no clock is needed. - An item is created with a `ref` of the caller's choice, which is unique: a
second one with the same ref answers 409. - There is no delete, and nobody can take an owner away
again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from bridge.connectors.contract import Draft, Hint, Intent, Page, Parsed, Record
from bridge.connectors.json_http import JsonHttpConnector
from bridge.connectors.parsing import (
    event_name,
    generic_hint,
    ignored_event,
    object_rows,
    record_id,
    value_at,
)
from bridge.core.model.capabilities import EntityCapabilities, Support, Verb, Writable
from bridge.core.model.syncs import Webhook
from bridge.core.model.values import Raw, Ref
from bridge.errors import NotFound
from bridge.http.client import Answer

STATES = ("todo", "doing", "done")


class TinydeskConnector(JsonHttpConnector):
    """Items of a Tinydesk."""

    NAME: ClassVar = "tinydesk"
    CAPABILITIES: ClassVar = {
        "ticket": EntityCapabilities(
            readable=frozenset(
                ("id", "title", "text", "state", "owner", "asker", "labels", "changed")
            ),
            writable={
                "title": Writable(required=True, clears=False),
                "text": Writable(on_update=Support.NO),
                "state": Writable(clears=False, default="todo"),
                "owner": Writable(on_create=False, clears=False),
                "asker": Writable(on_update=Support.NO),
                "labels": Writable(),
            },
            verbs=(Verb("put", ("title", "state", "owner", "labels")),),
            creates=Support.YES,
            values={"state": STATES},
            dated=False,
        )
    }
    EVENTS: ClassVar = {"item.changed": "ticket"}
    SIGNING: ClassVar = Webhook(
        "hmac-sha256", (), header="X-Tiny-Signature", event="event", id="item"
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
        found = record_id(value_at(body, "item"), "item")
        return Parsed(
            (Hint("ticket", found),),
            event,
            delivery=f"{event}:{found}:{value_at(body, 'change')}"[:250],
            projection={"event": event, "item": found},
        )

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read items one by one."""
        self._check_entity(entity)
        found: dict[str, Record | None] = {}
        for each in ids:
            try:
                found[each] = self._record(self._call("GET", f"/items/{each}"))
            except NotFound:
                found[each] = None
        return found

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """List by the counter."""
        self._check_entity(entity)
        answer = self._call("GET", "/items", params={"after": cursor or 0})
        rows = object_rows(self.connection.name, answer, "items")
        last = max((row["changed"] for row in rows), default=cursor or 0)
        return Page([self._made(row, answer.sent_at) for row in rows], last)

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything, the oldest change first."""
        page = self.changed(entity, cursor)
        return page if page.records else Page([], None)

    def create(self, draft: Draft) -> Record | None:
        """Create once, with the marker as the item's own ref."""
        self._check_create(draft)
        return self._record(
            self._call("POST", "/items", json={**draft.values, "ref": draft.marker}, write=True)
        )

    def find(self, intent: Intent) -> list[Record]:
        """Give the items with the intent's ref, and those of the same asker."""
        found = []
        for name, value in (
            ("ref", intent.draft.marker),
            ("asker", intent.draft.values.get("asker")),
        ):
            if value:
                answer = self._call("GET", "/items", params={name: value})
                rows = object_rows(self.connection.name, answer, "items")
                found += [self._made(row, answer.sent_at) for row in rows]
        return list({record.ref.id: record for record in found}.values())

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Write fields by one PUT."""
        self._check_update(ref, verb, values)
        return self._record(self._call("PUT", f"/items/{ref.id}", json=dict(values), write=True))

    def probe(self) -> dict[str, Any]:
        """See that it answers; nothing else is uncertain here."""
        self.ping()
        return {}

    def ping(self) -> str:
        """List what comes after everything."""
        self._call("GET", "/items", params={"after": 2**31})
        return "answers"

    def _record(self, answer: Answer) -> Record:
        if not isinstance(answer.body, Mapping) or "id" not in answer.body:
            raise self._unavailable("an answer without an item", answer.status)
        return self._made(answer.body, answer.sent_at)

    def _made(self, row: Mapping[str, Any], read_at: datetime) -> Record:
        data = {key: value for key, value in row.items() if key != "ref"}
        ref = Ref(self.connection.name, "ticket", str(row["id"]))
        return Record(ref, data, read_at, marker=row.get("ref"))
