"""A ScopeAI account, its connector, and a few questions to both."""

from __future__ import annotations

import copy
import json

from bridge.connectors import build
from bridge.connectors.contract import Draft
from bridge.http.client import Http
from bridge.sandbox.scopeai import ScopeaiSandbox
from bridge.sandbox.transport import WSGIAdapter
from tests.connectors.bench import KEY, Bench, Faulty, StillClock, connection

BASE = "https://scopeai.example/v1"


class ScopeaiBench(Bench):
    shows = frozenset({"original_text", "external_id", "tags"})

    def __init__(self, box_options=None, *, sandbox=ScopeaiSandbox, **options):
        self.clock = StillClock()
        self.box = sandbox(self.clock, 1, api_key=KEY, options=box_options)
        self.faulty = Faulty(WSGIAdapter(self.box, self.clock))
        self.settings = connection("scopeai", base_url=BASE, options=options)
        self.http = Http(self.settings, clock=self.clock, adapter=self.faulty)
        self.connector = build(self.settings, self.http)
        self._made = 0

    def add(self, count):
        return [self.make() for _ in range(count)]

    def make(self, **fields):
        self._made += 1
        return str(
            self.box.create({"original_text": f"Text {self._made}", "external_id": 7, **fields})[
                "id"
            ]
        )

    def touch(self, remote_id):
        self.box.edit(remote_id, {"add_tag": {"name": f"found {self._made}"}})

    def remove(self, remote_id):
        """Nobody can delete anything here."""

    def wait(self, seconds):
        self.clock.sleep(seconds)

    def draft(self, marker):
        return Draft(
            "ticket",
            {"original_text": "The file is cut off", "original_html": "<p>cut</p>"},
            marker,
        )

    def values(self):
        return {}

    def shown(self, data, key):
        return data[key] if key != "original_html" else "<p>cut</p>"

    def side_effects(self):
        return copy.deepcopy([dict(row) for row in self.box.store])

    def read(self, remote_id, entity="ticket"):
        return self.connector.read(entity, [remote_id])[remote_id]

    def tags(self, remote_id):
        return {tag["name"]: tag["salience"] for tag in self.read(remote_id).data["tags"]}

    def poll(self, cursor=None):
        seen = []
        for _ in range(300):
            page = self.connector.changed("ticket", cursor)
            cursor = json.loads(json.dumps(page.cursor))
            if not page.records:
                return seen, cursor
            seen += [record.ref.id for record in page.records]
        raise AssertionError("the poll does not end")

    def forbidden(self):
        return [
            entry.note for entry in self.box.journal.since() if entry.note.startswith("forbidden")
        ]

    def asked(self, part):
        return [url for _, url in self.faulty.calls if part in url]
