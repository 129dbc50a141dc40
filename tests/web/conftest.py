import pytest

from bridge.core.model.syncs import Secret
from bridge.ledger.database import Ledger
from bridge.queue.embedded_valkey import Embedded
from bridge.web.app import create_app
from tests.web.receiver import EVENT, Config, Hands, Rung, connections, connectors, rows, signed


class Receiver:
    def __init__(self, path, **fields):
        self.ledger = Ledger(f"sqlite:///{path}")
        self.ledger.upgrade()
        self.config, self.clock = Config(connections(**fields)), Hands()
        self.bell = Rung(self.ledger)
        self.app = create_app(
            self.config,
            self.ledger,
            self.bell,
            self.clock,
            connectors(self.config.connections, self.clock),
            metrics_token=Secret("metrics-token"),
            limit=2048,
        )
        self.client = self.app.test_client()

    def post(self, name="helpdesk", body=EVENT, *, delivery="d1", headers=None, **more):
        raw = body if isinstance(body, bytes) else body.encode()
        given = signed(self.config.connections, name, raw, self.clock.now(), delivery) | (
            headers or {}
        )
        return self.client.post(f"/webhooks/{name}", data=raw, headers=given, **more)

    def inbox(self):
        return rows(self.ledger, "inbox")

    def work(self):
        return [(row["key"], row["generation"]) for row in rows(self.ledger, "work")]

    def count(self, name, word):
        return self.app.extensions["bridge"]["counters"].count(name, word)


@pytest.fixture
def receiver(tmp_path):
    found = Receiver(tmp_path / "bridge.db")
    yield found
    found.ledger.close()


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with Embedded(tmp_path_factory.mktemp("run")) as found:
        yield found
