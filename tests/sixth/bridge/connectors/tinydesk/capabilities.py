"""Facts of Tinydesk's API: what can be done with an item, its values, and its event.

https://tinydesk.example/api, read on 2026-11-28; the vendor is made up.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.core.model.capabilities import EntityCapabilities, Support, Verb, Writable
from bridge.core.model.syncs import Webhook

TICKET = "ticket"
ITEMS_PATH = "/items"
STATES = ("todo", "doing", "done")

CAPABILITIES: Mapping[str, EntityCapabilities] = {
    TICKET: EntityCapabilities(
        readable=frozenset(("id", "title", "text", "state", "owner", "asker", "labels", "changed")),
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
EVENTS: Mapping[str, str] = {"item.changed": TICKET}
SIGNING = Webhook("hmac-sha256", (), header="X-Tiny-Signature", event="event", id="item")
