"""Benches for what Switch keeps beside tickets, and a Switch that says one thing only."""

from __future__ import annotations

import copy
import json
from io import BytesIO

import requests
import urllib3
from requests.adapters import BaseAdapter

from bridge.connectors import build
from bridge.connectors.contract import Draft
from bridge.core.model.values import Ref
from bridge.http.client import Http
from bridge.sandbox.switch import SwitchSandbox
from bridge.sandbox.transport import WSGIAdapter
from tests.connectors.bench import FIXTURES, KEY, Bench, Faulty, StillClock, connection


class SwitchOtherBench(Bench):
    """A Switch sandbox and a connector to it."""

    entity = ""

    def __init__(self, **options):
        self.clock = StillClock()
        self.box = SwitchSandbox(self.clock, 1, api_key=KEY, options=options)
        self.faulty = Faulty(WSGIAdapter(self.box, self.clock))
        self.settings = connection("switch", base_url="https://switch.example/api/v1")
        self.http = Http(self.settings, clock=self.clock, adapter=self.faulty)
        self.connector = build(self.settings, self.http)
        self.ticket = self.box.create(
            {"subject": "Help", "customer_email": "ann@customer.example"}
        )["id"]
        self._made = 0

    def wait(self, seconds):
        self.clock.sleep(seconds)

    def remove(self, remote_id):
        self.box.others[self.entity].drop(remote_id)

    def ref(self, remote_id, entity=""):
        return Ref("my-switch", entity or self.entity, remote_id)

    def side_effects(self):
        return copy.deepcopy(
            [dict(row) for store in (self.box.store, *self.box.others.values()) for row in store]
        )

    def writes(self):
        return [call for call in self.faulty.calls if call[0] != "GET"]


class MessageBench(SwitchOtherBench):
    entity = "message"
    shows = frozenset({"ticket_id", "type", "internal", "content_text", "created_at"})

    def add(self, count):
        made = []
        for _ in range(count):
            self._made += 1
            words = f"Words {self._made}"
            if self._made % 3:
                made.append(
                    self.box.note(self.ticket, words, ("note", "reply")[self._made % 2])["id"]
                )
            else:
                made.append(self.box.message(self.ticket, words)["id"])
        return made

    def touch(self, remote_id):  # noqa: ARG002
        """Do nothing: a conversation is never changed."""
        self.clock.sleep(1)

    def draft(self, marker):
        return Draft(
            "message", {"ticket_id": self.ticket, "content": f"Said by {marker[-1]}"}, marker
        )

    def values(self):
        return {}

    def shown(self, data, key):
        return data["content_text" if key == "content" else key]


class CustomerBench(SwitchOtherBench):
    entity = "customer"
    shows = frozenset({"email", "name", "phone", "company", "custom_fields"})
    change = ("patch", {"name": "Another name"})

    def add(self, count):
        made = []
        for _ in range(count):
            self._made += 1
            made.append(
                self.box.customer_of(f"c{self._made}@customer.example", f"C {self._made}")["id"]
            )
        return made

    def touch(self, remote_id):
        self.clock.sleep(1)
        self.box.edit_customer(remote_id, {"phone": "+1-555-0199"})

    def draft(self, marker):
        values = {
            "email": f"made{marker[-1]}@customer.example",
            "name": "Ann",
            "phone": "+1-555-0123",
            "company": "Acme",
        }
        return Draft("customer", values, marker)

    def values(self):
        return {
            "name": "Another name",
            "phone": "+1-555-0100",
            "company": "Other Inc",
            "custom_fields.tags": ["VIP", "beta"],
        }

    def shown(self, data, key):
        first, _, rest = key.partition(".")
        return data[first][rest] if rest else data[first]


class Says(BaseAdapter):
    """A vendor that answers everything with one document, and remembers what was sent."""

    def __init__(self, body, status):
        super().__init__()
        self.body, self.status, self.sent = body, status, []

    def send(self, request, *_args, **_kwargs):
        self.sent.append(
            (request.method, request.path_url, json.loads(request.body) if request.body else None)
        )
        response = requests.Response()
        response.status_code = self.status
        raw = BytesIO(json.dumps(self.body).encode())
        response.raw = urllib3.HTTPResponse(raw, preload_content=False)
        response.url, response.request = request.url, request
        return response

    def close(self):
        """Close nothing."""


def document(name):
    """Return an example of the vendor's document."""
    return json.loads((FIXTURES / "switch" / f"api_{name}.json").read_text())


def saying(body, status=200):
    """Return a connector to a vendor that says this, and what is sent to it."""
    settings = connection("switch", base_url="https://switch.example/api/v1")
    says = Says(body, status)
    return build(settings, Http(settings, clock=StillClock(), adapter=says)), says.sent
