"""An Upscope account to be arranged, and one that always says the same."""

from __future__ import annotations

import copy
import json

from werkzeug.wrappers import Request, Response

from bridge.connectors import build
from bridge.connectors.contract import Draft
from bridge.core.model.values import Ref
from bridge.http.client import Http
from bridge.sandbox.transport import WSGIAdapter
from bridge.sandbox.upscope import UpscopeSandbox
from tests.connectors.bench import FIXTURES, KEY, Bench, Faulty, StillClock, connection

ROOT = FIXTURES.parent.parent
PRIVATE = (
    "203.0.113",
    "New York",
    "token=private",
    "public-0123456789",
    "xyzxyzxyz",
    "8.8.8.8",
    "your-website",
)


class UpscopeBench(Bench):
    shows = frozenset({"email", "identities", "tags", "unique_id", "last_seen_at"})

    def __init__(self):
        self.clock = StillClock()
        self.box = UpscopeSandbox(self.clock, 1, api_key=KEY, options={"listed": 1000})
        self.faulty = Faulty(WSGIAdapter(self.box, self.clock))
        self.settings = connection("upscope", base_url="https://upscope.example/v1.1")
        self.http = Http(self.settings, clock=self.clock, adapter=self.faulty)
        self.connector = build(self.settings, self.http)
        self._made = 0

    def visit(self, *identities, **fields):
        return self.box.create({"identities": list(identities) or None, **fields})["id"]

    def shared(self, *identities):
        """Have somebody share a screen, to the end; gives both ids."""
        visitor = self.visit(*identities)
        number = self.box.start(visitor)
        self.clock.sleep(91)
        self.box.finish(visitor, number)
        return visitor, f"{visitor}/{number}"

    def ref(self, visitor):
        return Ref("my-upscope", "customer", visitor)

    def notes(self):
        return [entry.note for entry in self.box.journal.since() if entry.note]

    def calls(self):
        return [
            (entry.method, entry.path)
            for entry in self.box.journal.since()
            if entry.actor == "bridge"
        ]

    def add(self, count):
        self._made += count
        return [self.visit(f"c{n}@customer.example") for n in range(self._made - count, self._made)]

    def touch(self, remote_id):
        self.clock.sleep(1)
        self.box.edit(remote_id, {"seen": True, "tags": ["#back"]})

    def remove(self, remote_id):
        self.box.delete(remote_id)

    def wait(self, seconds):
        self.clock.sleep(seconds)

    def draft(self, marker):
        return Draft("customer", {}, marker)

    def values(self):
        return {}

    def shown(self, data, key):
        return data[key]

    def side_effects(self):
        return copy.deepcopy([dict(row) for row in self.box.visitors()]), self.notes()


def document(name):
    return json.loads((FIXTURES / "upscope" / f"api_{name}.json").read_text())


def saying(body, status=200):
    """A connector whose API always says the same, and what it was sent."""
    sent = []

    def app(environ, start_response):
        request = Request(environ)
        sent.append((request.method, request.full_path, request.get_data()))
        text = body if isinstance(body, str) else json.dumps(body)
        return Response(text, status, content_type="application/json")(environ, start_response)

    settings = connection("upscope", base_url="https://upscope.example/v1.1")
    return build(settings, Http(settings, clock=StillClock(), adapter=WSGIAdapter(app))), sent


def poll(bench, entity, cursor=None):
    seen = {}
    for _ in range(100):
        page = bench.connector.changed(entity, cursor)
        cursor = json.loads(json.dumps(page.cursor))
        if not page.records:
            return seen, cursor
        seen |= {record.ref.id: record for record in page.records}
    raise AssertionError("the poll does not end")
