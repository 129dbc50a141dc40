"""The composition root: it builds the parts from a home's configuration, and alone knows all."""

from __future__ import annotations

import json
import os
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from bridge.clock import Clock, SystemClock
from bridge.config import Config, SandboxAccount, load
from bridge.connectors import CONNECTORS, build, connector_class
from bridge.connectors.contract import Connector
from bridge.core.model.syncs import Secret
from bridge.engine import worker_identity
from bridge.engine.context import Context
from bridge.engine.worker import Drain, DrainCounts
from bridge.home import find_home
from bridge.http.client import Http
from bridge.ledger.database import Ledger
from bridge.observability import log
from bridge.procedures import PROCEDURES
from bridge.queue import Doorbell, RedisBudget, socket_for, stopping
from bridge.runs import account_metrics, reconcile, retention, schedule, upkeep


@dataclass(slots=True)
class Bridge:
    """A bridge that is ready to work: its parts, and what processes and commands ask of them."""

    config: Config
    context: Context
    ledger: Ledger
    doorbell: Doorbell
    connectors: dict[str, Connector]
    clock: Clock
    worker: Drain

    def drain(self) -> DrainCounts:
        """Answer the doorbell: work on what is due, and ring again if more is."""
        self.doorbell.answered()
        counts = self.worker.run()
        if not self.worker.stopping():
            self.announce()
        return counts

    def announce(self) -> bool:
        """Ring if work is due."""
        with self.ledger.read() as tx:
            due = schedule.due_work(tx, self.clock.now())
        return self.doorbell.ring() if due else False

    def start_due_runs(self) -> list[int]:
        """Start the reconciliations whose time has come, and fetch account metrics now and then."""
        with self.ledger.transaction() as tx:
            account_metrics.queue_due_fetches(tx, self.connectors, self.clock.now())
        return schedule.start_due_runs(self.context, self.ledger)

    def start_run(
        self, connection: str, kind: str, *, report: bool = False, accept: bool = False
    ) -> list[int]:
        """Start a reconciliation of a connection now, and return the ids of the runs begun.

        `report`: only look. `accept`: believe the listing, however many known records it lacks.
        """
        with self.ledger.transaction() as tx:
            run_ids = reconcile.start_all(
                tx, self.context, connection, kind, report=report, accept=accept
            )
        self.doorbell.ring()
        return run_ids

    def take_over(self) -> int:
        """Free what dead workers of this machine held, and runs that an older version parked.

        Rings if it was anything, and returns how much.
        """
        freed = upkeep.free_dead_claims(self.ledger, self.clock.now())
        freed += upkeep.free_parked_runs(self.ledger, self.clock.now())
        if freed:
            self.announce()
        return freed

    def store_upkeep(self, duty: str, error: str = "") -> None:
        """Store how one of the clock's duties ended."""
        upkeep.store_outcome(self.ledger, duty, self.clock.now(), error)

    def check_account(self) -> None:
        """Log an error when a webhook that was accepted is accounted for nowhere."""
        upkeep.check_webhook_account(self.ledger)

    def prune(self) -> None:
        """Forget what the ledger no longer has to keep."""
        retention.prune(self.ledger, self.clock.now(), self.config.settings.keep_history)

    def close(self) -> None:
        """Let go of the ledger's connections."""
        self.ledger.close()


def sandbox_accounts(home: Path) -> dict[str, SandboxAccount] | None:
    """Return the sandbox's accounts if this process was told to use them.

    `bridge up --sandbox` writes the file.
    """
    if os.environ.get("BRIDGE_SANDBOX") != "1":
        return None
    stored = json.loads((home / "var" / "sandbox.json").read_text())
    return {system: SandboxAccount(**account) for system, account in stored.items()}


def load_config(home: Path) -> Config:
    """Load a home's configuration as the processes do."""
    classes = {system: connector_class(system) for system in CONNECTORS}
    accounts = sandbox_accounts(home)
    config = load(home, environ=os.environ, sandbox=accounts, connectors=classes)
    if accounts is None:
        return config
    # Declared rates are the vendors' limits. Their sandboxes have their own, and answer 429.
    unlimited = {
        name: replace(connection, rates=()) for name, connection in config.connections.items()
    }
    return replace(config, connections=unlimited)


def connect(config: Config, clock: Clock) -> dict[str, Connector]:
    """Build the connector of every connection; nobody is called by that."""
    return {
        name: build(connection, Http(connection, clock=clock))
        for name, connection in config.connections.items()
    }


def build_context(config: Config, connectors: Mapping[str, Connector], clock: Clock) -> Context:
    """Return what every procedure is handed: what files say and what connectors declare."""
    return Context(
        connections=config.connections,
        syncs=config.syncs,
        maps=config.maps,
        capabilities={name: connector.CAPABILITIES for name, connector in connectors.items()},
        clock=clock,
        rng=random.Random(),
        backoff={name: connector.BACKOFF for name, connector in connectors.items()},
        directory={name: config.agents.table(name) for name in config.connections},
    )


def build_bridge(
    home: Path | None = None,
    *,
    told_to_stop: Callable[[], bool] = lambda: False,
    check_ledger: bool = True,
) -> Bridge:
    """Build the bridge for a home, with real time, a real ledger and a real doorbell.

    Raises LedgerError when the ledger is not of this version; without `check_ledger`, whoever uses
    it meets that.
    """
    home = home or find_home()
    config = load_config(home)
    clock = SystemClock()
    connectors = connect(config, clock)
    context = build_context(config, connectors, clock)
    redis_url = socket_for(home) if config.settings.redis == "embedded" else config.settings.redis
    ledger = Ledger(config.settings.database)
    if check_ledger:
        ledger.check()
    owner = worker_identity.name(uuid.uuid4().hex[:6])
    worker = Drain(
        context,
        ledger,
        connectors,
        RedisBudget(redis_url),
        owner,
        PROCEDURES,
        stopping=told_to_stop,
    )
    return Bridge(config, context, ledger, Doorbell(redis_url), connectors, clock, worker)


def configure_logging(process: str, config: Config | None = None) -> None:
    """Log as the environment asks. A configuration's secrets are taken out of every line."""
    secrets: list[Secret] = []
    for connection in config.connections.values() if config else ():
        secrets += connection.secrets
    log.configure(
        process,
        form=os.environ.get("BRIDGE_LOG", "text"),
        level=os.environ.get("BRIDGE_LOG_LEVEL", "info"),
        secrets=secrets,
    )


@cache
def current() -> Bridge:
    """Return this process's bridge: jobs are called by name and have no other way to it."""
    return build_bridge(told_to_stop=stopping.is_set)
