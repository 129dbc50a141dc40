"""The in-memory connector keeps the same contract as those that speak HTTP."""

import copy

import pytest

from bridge.connectors.contract import Draft
from bridge.core.model.syncs import Connection
from tests.connectors.bench import Bench, StillClock
from tests.connectors.contract import ConnectorContract
from tests.memory import MemoryConnector, lossless


class MemoryBench(Bench):
    def __init__(self):
        self.clock = StillClock()
        self.system, can, _map = lossless(self.clock)
        made = type("Lossless", (MemoryConnector,), {"CAPABILITIES": {"ticket": can}})
        self.connector = made(
            Connection("my-memory", "memory", "memory", "memory:", {}), self.system
        )

    def add(self, count):
        usual = {"status": "new", "priority": "low", "tags": ["a"], "assignee": "ann"}
        return [self.system.add(subject=f"Ticket {number}", **usual) for number in range(count)]

    def touch(self, remote_id):
        now = self.system.peek(remote_id)["status"]
        self.system.edit(remote_id, status="open" if now != "open" else "pending")

    def remove(self, remote_id):
        self.system.remove(remote_id)

    def wait(self, seconds):
        self.clock.sleep(seconds)

    def draft(self, marker):
        values = {
            "subject": f"Made for {marker[-1]}",
            "status": "open",
            "priority": "high",
            "tags": ["one"],
        }
        return Draft("ticket", {**values, "assignee": "bob"}, marker)

    def values(self):
        return {
            "subject": "Another",
            "status": "pending",
            "priority": "urgent",
            "assignee": "cat",
            "tags": ["b", "c"],
        }

    def shown(self, data, key):
        return data[key]

    def side_effects(self):
        return copy.deepcopy(
            {remote_id: self.system.peek(remote_id) for remote_id in self.system.ids}
        )


@pytest.fixture
def bench():
    return MemoryBench()


class TestMemory(ConnectorContract):
    system = "memory"

    # It speaks no HTTP, so nothing can fail on the way; its faults are played in tests/flow.
    test_failures_have_their_error_and_show_no_secret = None
    test_a_create_of_unknown_fate_is_found_again = None

    def test_changed_looks_back_a_little(self, bench):
        """It has no need to: its counter misses nothing, and nothing is given twice."""
        ids = bench.add(3)
        seen, cursor = self.poll(bench, None)
        assert set(ids) <= set(seen)
        again, _ = self.poll(bench, cursor)
        assert again == {}
