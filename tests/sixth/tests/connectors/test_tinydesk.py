"""The Tinydesk connector under the contract of all connectors, and its documented calls."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest

from bridge.connectors.contract import Draft
from bridge.core.model.values import Ref
from bridge.http.client import Http
from bridge.sandbox.population import AGENTS
from bridge.sandbox.transport import WSGIAdapter
from tests.connectors.bench import KEY, Bench, Faulty, StillClock, connection
from tests.connectors.contract import ConnectorContract
from tests.sixth import tables
from tests.sixth.bridge.connectors.tinydesk.connector import TinydeskConnector
from tests.sixth.bridge.sandbox.tinydesk import KEPT, TinydeskSandbox

HERE = Path(__file__).parents[2]
FIXTURES = HERE / "tests" / "fixtures" / "tinydesk"
PAGE = HERE / "docs" / "systems" / "tinydesk.md"


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
    tables.register(monkeypatch)
    made = TinydeskBench()
    yield made
    made.http.close()


class TestTinydesk(ConnectorContract):
    system = "tinydesk"

    # A watermark is a counter of the whole desk: nothing can be skipped, so there is nothing to
    # look back for.
    test_changed_looks_back_a_little = None

    def fixtures(self):
        files = (path for path in FIXTURES.glob("*.json") if not path.stem.startswith("api_"))
        return {path.stem: json.loads(path.read_text()) for path in files}


def test_documented_calls(bench):
    made = bench.connector.create(bench.draft("m-1"))
    bench.connector.update(Ref("my-tinydesk", "ticket", made.ref.id), "put", {"state": "doing"})
    bench.connector.scan("ticket", None)
    bench.connector.read("ticket", [made.ref.id])
    rows = json.loads((FIXTURES / "api_endpoints.json").read_text())
    called = {f"{method} {_path(url)}" for method, url in bench.faulty.calls}
    assert called == {row["endpoint"] for row in rows if not row["never"]}
    assert all(f"`{row['endpoint']}`" in PAGE.read_text() for row in rows if row["never"])


def _path(url):
    return re.sub(r"/\d+", "/{id}", url.split("?")[0].removeprefix("https://tinydesk.example"))


def test_the_sandbox_keeps_all_that_the_api_shows():
    assert set(KEPT) < set(TinydeskConnector.CAPABILITIES["ticket"].readable)
