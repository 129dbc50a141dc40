"""One system in memory, its connector, and a record in it."""

from datetime import UTC, datetime

from bridge.core.model.syncs import Connection
from bridge.core.model.values import Ref
from tests.connectors.bench import StillClock
from tests.memory.connector import MemoryConnector
from tests.memory.vendors import helpdesk_like, lossless, posthog_like, zaia_like

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MAKERS = [lossless, helpdesk_like, posthog_like, zaia_like]
TICKET = {"subject": "s", "status": "new", "priority": "low", "assignee": "ann", "tags": ["a"]}


class Account:
    """A system, its connector, and one record."""

    def __init__(self, make, **habits):
        self.clock = StillClock(START)
        self.system, self.can, self.mapped = make(self.clock, **habits)
        self.connector = MemoryConnector(
            Connection("m", "memory", "memory", "memory:", {}), self.system
        )
        status = "pending" if make is zaia_like else "new"
        self.id = self.system.add(**{**TICKET, "status": status})

    @property
    def ref(self):
        return Ref("m", "ticket", self.id)

    def read(self):
        return self.connector.read("ticket", [self.id])[self.id]

    def update(self, verb="patch", **values):
        return self.connector.update(self.ref, verb, values)

    def true(self, key):
        return self.system.peek(self.id)[key]
