"""A bridge between two accounts of the benchmark's vendor: real flow, ledger, HTTP and threads."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from bench.populating import populate
from bridge import config as configuration
from bridge.clock import SystemClock
from bridge.connectors import CONNECTORS, build, connector_class
from bridge.engine.call_log import CallLog
from bridge.engine.context import Context
from bridge.engine.worker import Drain
from bridge.home import shipped_folder
from bridge.http.client import Http
from bridge.ledger import work
from bridge.ledger.database import Ledger
from bridge.procedures import PROCEDURES
from bridge.queue.process_memory import keep_loaded
from bridge.queue.redis_budget import MemoryBudget
from bridge.runs import older_ledger

SYNCS = """\
tickets:
  entity: ticket
  members: {left: {}, right: {create: true}}
  fields: {"*": latest}
  precedence: [left, right]
"""
CONCURRENCY = 4
"""Calls at once that an import may make: of those declared the last is left to live traffic."""


SIGNED_WITH = "a-secret-of-the-benchmarks"
"""The secret of the webhooks."""


@contextmanager
def vendor(tickets: int, latency: float = 0.0, *options: str) -> Iterator[str]:
    """Run a vendor of its own process; give its address."""
    command = [
        sys.executable,
        "-m",
        "bench.vendor",
        "--tickets",
        str(tickets),
        "--latency",
        str(latency),
        *options,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        try:
            port = int(process.stdout.readline() if process.stdout else 0)
            yield f"http://127.0.0.1:{port}/api/v1"
        finally:
            process.kill()


def make_home(
    folder: Path,
    left: str,
    right: str,
    *,
    database: str = "sqlite",
    concurrency: int = CONCURRENCY + 1,
    match: str = "",
) -> None:
    """Write a configuration of two accounts that are never polled: all that comes is webhooks."""
    (folder / "config").mkdir(parents=True)
    (folder / "mappings").mkdir()
    for name in ("fields.yaml", "switch.yaml"):
        shipped = (shipped_folder("mappings") / name).read_text()
        (folder / "mappings" / name).write_text(shipped)
    (folder / "mappings" / "syncs.yaml").write_text(
        SYNCS + (f"  match: {match}\n" if match else "")
    )
    (folder / "mappings" / "agents.yaml").write_text("agents: []\n")
    lines = [
        f'  {name}: {{system: switch, base_url: "{url}", concurrency: {concurrency}, '
        f'credentials: {{api_key: "a-key-of-{name}"}}, webhook: {{secrets: ["{SIGNED_WITH}"]}}, '
        "poll: null, full: null}"
        for name, url in (("left", left), ("right", right))
    ]
    (folder / "config" / "bridge.yaml").write_text(
        "\n".join([f'database: "{database}"', "connections:", *lines, ""])
    )


class Estate:
    """The bridge; its ledger is a SQLite file unless a `database` is named."""

    def __init__(self, folder: Path, database: str = "") -> None:
        classes = {system: connector_class(system) for system in CONNECTORS}
        self.config = configuration.load(folder, environ={}, sandbox=None, connectors=classes)
        self.clock = SystemClock()
        self._var = folder / "var"
        self._var.mkdir(exist_ok=True)
        self.ledger = Ledger(database or f"sqlite:///{folder / 'var' / 'bridge.db'}")
        self.ledger.upgrade()
        self.calls = CallLog(self.ledger)
        self.connectors = {
            name: build(connection, Http(connection, clock=self.clock, keep=self.calls.add))
            for name, connection in self.config.connections.items()
        }
        self.context = Context(
            connections=self.config.connections,
            syncs=self.config.syncs,
            maps=self.config.maps,
            capabilities=self.config.capabilities,
            clock=self.clock,
            rng=random.Random(7),
            directory={name: self.config.agents.table(name) for name in self.config.connections},
            fields=self.config.fields,
        )
        self.drain = Drain(
            self.context, self.ledger, self.connectors, MemoryBudget(), "bench", PROCEDURES
        )
        keep_loaded()  # as every worker does

    def work(self, seconds: float = 3600.0) -> None:
        """Work until nothing is due."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.drain.run()
            with self.ledger.read() as tx:
                due = work.next_due(tx, self.clock.now())
            if due is None:
                return
            time.sleep(max(0.0, min(0.2, (due - self.clock.now()).total_seconds())))

    def populate(self, count: int) -> None:
        """Link so many tickets on both sides, as an import would have left them."""
        populate(self.context, self.ledger, count, self.clock.now() - timedelta(hours=1))
        # As one that has been in use here: a new one lists everything first.
        older_ledger.note(self.ledger, self._var / older_ledger.FILE)
