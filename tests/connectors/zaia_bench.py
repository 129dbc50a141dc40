"""The bench of the Zaia connector: the sandbox of its API, over a transport that can be broken."""

from __future__ import annotations

import copy
import json

from bridge.connectors import build
from bridge.connectors.contract import Draft
from bridge.core.model.values import Ref
from bridge.http.client import Http
from bridge.sandbox import population
from bridge.sandbox.transport import WSGIAdapter
from bridge.sandbox.zaia import ZaiaSandbox
from bridge.sandbox.zaia_rows import SERVICE_USER
from tests.connectors.bench import KEY, Bench, Faulty, StillClock, connection

MARY, JONAS = (ZaiaSandbox.agent_id(agent) for agent in population.AGENTS[:2])
WORDS = ("pending", "ongoing", "completed")


class ZaiaBench(Bench):
    shows = frozenset({"status", "assigneeId", "summary", "ownerEmail"})
    change = ("assign", {"assigneeId": MARY})

    def __init__(self, box_options=None, **options):
        self.clock = StillClock()
        self.box = ZaiaSandbox(self.clock, 1, api_key=KEY, options=box_options)
        self.faulty = Faulty(WSGIAdapter(self.box, self.clock))
        given = {"service_user": SERVICE_USER, "tag_listing": True, **options}
        self.settings = connection("zaia", options=given)
        self.http = Http(self.settings, clock=self.clock, adapter=self.faulty)
        self.connector = build(self.settings, self.http)
        self._made = 0

    def add(self, count):
        return [self.make(status=WORDS[number % 3]) for number in range(count)]

    def make(self, **fields):
        self._made += 1
        base = {"summary": f"Ticket {self._made}", "ownerEmail": f"c{self._made}@customer.example"}
        return self.box.create({**base, **fields})["id"]

    def touch(self, remote_id):
        self.clock.sleep(1)
        status = self.box.store.get(remote_id)["status"]
        following = WORDS[min(WORDS.index(status) + 1, 2)]
        fields = {"status": following} if following != status else {"assigneeId": JONAS}
        self.box.edit(remote_id, fields)

    def remove(self, remote_id):
        self.box.delete(remote_id)

    def wait(self, seconds):
        self.clock.sleep(seconds)

    def draft(self, marker):
        chat = self.box.open_chat("chat@customer.example", "About a chat")
        return Draft("ticket", {"chatId": chat, "assigneeId": MARY, "status": "pending"}, marker)

    def values(self):
        return {"status": "ongoing", "assigneeId": MARY, "tags": "VIP"}

    def shown(self, data, key):
        return data[key]

    def side_effects(self):
        return copy.deepcopy([dict(row) for row in self.box.store])

    def ref(self, remote_id):
        return Ref("my-zaia", "ticket", remote_id)

    def update(self, remote_id, verb, **values):
        return self.connector.update(self.ref(remote_id), verb, values)

    def now(self, remote_id):
        return self.box.store.get(remote_id)

    def writes(self):
        return [row for row in self.faulty.calls if row[0] != "GET"]

    def notes(self):
        return [entry.note for entry in self.box.journal.since() if entry.note]

    def scan(self):
        seen, cursor = {}, None
        for _ in range(300):
            page = self.connector.scan("ticket", cursor)
            seen |= {record.ref.id: record for record in page.records}
            cursor = json.loads(json.dumps(page.cursor))
            if cursor is None:
                return seen
        raise AssertionError("the listing does not end")

    def tags(self):
        return {
            key: record.data.get("tags", record.unreadable.get("tags"))
            for key, record in self.scan().items()
        }
