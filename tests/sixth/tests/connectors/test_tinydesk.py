"""The Tinydesk connector under the contract of all connectors, and its documented calls."""

from __future__ import annotations

import copy
import re

import pytest

from bridge.connectors.contract import Draft
from bridge.core.model.values import Ref
from bridge.http.client import Http
from bridge.sandbox.population import AGENTS
from bridge.sandbox.transport import WSGIAdapter
from tests.connectors.bench import KEY, Bench, Faulty, StillClock, connection
from tests.connectors.contract import ConnectorContract
from tests.connectors.documented import below, documented
from tests.made_up import TINYDESK
from tests.sixth.bridge.connectors.tinydesk.connector import TinydeskConnector
from tests.sixth.bridge.sandbox.tinydesk import KEPT, TinydeskSandbox


class TinydeskBench(Bench):
    shows = frozenset({"title", "state", "owner", "labels"})
    change = ("put", {"state": "doing"})

    def __init__(self):
        self.clock = StillClock()
        self.box = TinydeskSandbox(self.clock, 1, api_key=KEY)
        self.faulty = Faulty(WSGIAdapter(self.box, self.clock))
        settings = connection("tinydesk")
        self.http = Http(settings, clock=self.clock, adapter=self.faulty)
        self.connector = TinydeskConnector(settings, self.http)

    def add(self, count):
        return [
            str(self.box.create({"title": f"Item {n}", "asker": f"c{n}@customer.example"})["id"])
            for n in range(count)
        ]

    def touch(self, remote_id):
        self.box.edit(remote_id, {"status": "doing"})

    def remove(self, remote_id):
        self.box.delete(remote_id)

    def wait(self, seconds):
        self.clock.sleep(seconds)

    def draft(self, marker):
        values = {
            "title": "Help",
            "text": "It smokes",
            "state": "todo",
            "asker": f"c-{marker[-4:]}@customer.example",
        }
        return Draft("ticket", {**values, "labels": ["VIP"]}, marker)

    def values(self):
        return {
            "title": "Other",
            "state": "done",
            "owner": TinydeskSandbox.agent_id(AGENTS[0]),
            "labels": ["b"],
        }

    def shown(self, data, key):
        return data[key]

    def side_effects(self):
        return copy.deepcopy([dict(row) for row in self.box.store])


@pytest.fixture
def bench(monkeypatch):
    TINYDESK.register(monkeypatch)
    made = TinydeskBench()
    yield made
    made.http.close()


class TestTinydesk(ConnectorContract):
    system = TINYDESK.name
    root = TINYDESK.folder

    # A watermark is a counter of the whole desk: nothing can be skipped, so there is nothing to
    # look back for.
    test_changed_looks_back_a_little = None


def test_documented_calls(bench):
    made = bench.connector.create(bench.draft("m-1"))
    bench.connector.update(Ref("my-tinydesk", "ticket", made.ref.id), "put", {"state": "doing"})
    bench.connector.scan("ticket", None)
    bench.connector.read("ticket", [made.ref.id])
    called = {f"{method} {_path(url)}" for method, url in bench.faulty.calls}
    assert called == documented(TINYDESK.name, TINYDESK.folder)


def _path(url):
    return re.sub(r"/\d+", "/{id}", below(url, "https://tinydesk.example"))


def test_the_sandbox_keeps_all_that_the_api_shows():
    assert set(KEPT) < set(TinydeskConnector.CAPABILITIES["ticket"].readable)
