"""The lines that Tinydesk has in tables of the bridge: (file, name of the table, the table, its line)."""

from __future__ import annotations

from bridge.connectors import CONNECTORS
from bridge.sandbox import population, server
from bridge.verify import expectations
from tests.sixth.bridge.sandbox.tinydesk import TinydeskSandbox

NAME = "tinydesk"
CLASSES = "tests.sixth.bridge"
POPULATION, READING = "bridge/sandbox/population.py", "bridge/verify/expectations.py"
STATUS = {"new": "todo", "open": "doing", "resolved": "done"}
IDS = {agent.email: f"t-{number}" for number, agent in enumerate(population.AGENTS)}

LINES = (
    (
        "bridge/connectors/__init__.py",
        "CONNECTORS",
        CONNECTORS,
        f"{CLASSES}.connectors.tinydesk.connector.TinydeskConnector",
    ),
    ("bridge/sandbox/server.py", "SYSTEMS", server.SYSTEMS, TinydeskSandbox),
    (POPULATION, "STATUS", population.STATUS, STATUS),
    (POPULATION, "ASSIGNEE", population.ASSIGNEE, "owner"),
    *((POPULATION, "AGENTS", agent.ids, IDS[agent.email]) for agent in population.AGENTS),
    (READING, "READ", expectations.READ, {"status": {word: value for value, word in STATUS.items()}}),
    (READING, "FIELDS", expectations.FIELDS, ("subject", "status", "assignee", "tags")),
    (READING, "LOSSY", expectations.LOSSY, {"status": {"pending": "doing", "on_hold": "doing", "closed": "done"}}),
)  # fmt: skip
SPARED = {
    (POPULATION, "PRIORITY"): "it has no priorities",
    (POPULATION, "VISITED"): "its tickets begin there",
    (READING, "NEVER_EMPTY"): "it shows nothing where nothing was decided",
}
"""Tables with lines of other systems that it needs none in, and why."""


def register(monkeypatch):
    """Add Tinydesk to the bridge, for one test."""
    for _file, _name, table, value in LINES:
        monkeypatch.setitem(table, NAME, value)
