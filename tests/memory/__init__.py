"""Systems in memory: vendors for tests, reached by a connector that keeps the common contract.

The engine is tested on them, so that a test can say what a vendor does without a web server, and
what humans do there meanwhile.

- `MemorySystem` is a vendor: records, a journal of what happened, and faults that can be ordered.
- `MemoryConnector` reaches one; it is a `Connector` like those of the bridge.
- `lossless`, `helpdesk_like`, `posthog_like` and `zaia_like` make four ready ones. Each loses
  something else: what a system can hold is what the merge has to live with.
- `account.Account` is one of them with its connector and one ticket.

They are tested themselves, in `tests/connectors/test_memory*.py`.
"""

from tests.memory.connector import MemoryConnector
from tests.memory.system import Event, Habits, MemorySystem
from tests.memory.vendors import SERVICE_USER, helpdesk_like, lossless, posthog_like, zaia_like

__all__ = [
    "SERVICE_USER",
    "Event",
    "Habits",
    "MemoryConnector",
    "MemorySystem",
    "helpdesk_like",
    "lossless",
    "posthog_like",
    "zaia_like",
]
