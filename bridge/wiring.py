"""Puts the parts together. Nothing else knows all of them."""

from __future__ import annotations

import json
import logging
import os
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from bridge import config as configuration
from bridge.clock import Clock, SystemClock
from bridge.config import Config, SandboxAccount
from bridge.connectors import CONNECTORS, build, connector_class
from bridge.connectors.contract import Connector
from bridge.engine import worker_identity
from bridge.engine.context import Context
from bridge.engine.worker import Drain, DrainCounts
from bridge.home import find_home
from bridge.http.client import Http
from bridge.ledger import drift_findings, history, run_records, takeover, webhook_inbox
from bridge.ledger.database import Ledger
from bridge.procedures import PROCEDURES
from bridge.queue import Doorbell, RedisBudget, socket_for, stopping
from bridge.runs import account_metrics, reconcile, schedule

log = logging.getLogger("bridge")

KEEP = timedelta(days=30)
"""How long settled webhooks and finished runs are kept."""
BATCHES = 50
"""Transactions in which one pruning forgets rows of one table, so that the clock does not stand still over it."""


@dataclass(slots=True)
class Engine:
    """Everything, ready to work."""

    config: Config
    context: Context
    ledger: Ledger
    doorbell: Doorbell
    connectors: dict[str, Connector]
    clock: Clock
    drainer: Drain

    def drain(self) -> DrainCounts:
        """Answer the doorbell: work on what is due, and ring again if more is."""
        self.doorbell.answered()
        figures = self.drainer.run()
        if not self.drainer.stopping():
            self.announce()
        return figures

    def announce(self) -> bool:
        """Ring if work is due."""
        with self.ledger.read() as tx:
            due = schedule.due_work(tx, self.clock.now())
        return self.doorbell.ring() if due else False

    def start_due_runs(self) -> list[str]:
        """Start the reconciliations whose time has come, and ask the connections for their figures now and then."""
        with self.ledger.transaction() as tx:
            account_metrics.queue_due_fetches(tx, self.connectors, self.clock.now())
        return schedule.start_due_runs(self.context, self.ledger)

    def start_run(
        self, connection: str, kind: str, *, report: bool = False, accept: bool = False
    ) -> list[str]:
        """Start a reconciliation of a connection now; gives the ids of the runs begun.

        `report`: only look. `accept`: believe the listing, however many known records it lacks.
        """
        now = self.clock.now()
        with self.ledger.transaction() as tx:
            started = [
                reconcile.start(tx, connection, entity, kind, now, report=report, accept=accept)
                for entity in reconcile.entities(self.context, connection, kind)
            ]
        self.doorbell.ring()
        return [run_id for run_id in started if run_id]

    def take_over(self) -> int:
        """Free at once what workers of this machine held that are dead for certain, and ring; gives how much it was."""
        with self.ledger.transaction() as tx:
            freed = takeover.release_dead(tx, self.clock.now(), worker_identity.is_dead)
        if freed:
            log.warning("freed %d pieces of work of workers that are dead", freed)
            self.announce()
        return freed

    def check_account(self) -> None:
        """Say so, loudly, when a webhook that was accepted is accounted for nowhere."""
        with self.ledger.read() as tx:
            account = webhook_inbox.account(tx)
        if not account.balanced:
            log.error("the account of webhooks does not add up: %s; see `bridge doctor`", account)

    def prune(self) -> None:
        """Forget what is old: settled webhooks and finished runs, and later what tickets went through."""
        before = self.clock.now() - KEEP
        with self.ledger.transaction() as tx:
            webhook_inbox.prune(tx, before)
            run_records.prune(tx, before)
            drift_findings.prune(tx, before)
        for past in history.PRUNABLE:
            self._forget(past, self.clock.now() - self.config.settings.keep_history)

    def _forget(self, past: history.PrunableTable, before: datetime) -> None:
        """Forget one table's old rows, a batch a transaction; what is too much for now is left for the next time."""
        after: int | None = 0
        batches = BATCHES
        while after is not None and batches:
            with self.ledger.transaction() as tx:
                gone, after = history.prune(tx, past, before, after)
            batches -= bool(gone)

    def close(self) -> None:
        """Let go of the ledger's connections."""
        self.ledger.close()


def sandbox_accounts(home: Path) -> dict[str, SandboxAccount] | None:
    """Give the sandbox's accounts when this process was told to use them; `bridge up --sandbox` writes the file."""
    if os.environ.get("BRIDGE_SANDBOX") != "1":
        return None
    stored = json.loads((home / "var" / "sandbox.json").read_text())
    return {system: SandboxAccount(**account) for system, account in stored.items()}


def load_config(home: Path) -> Config:
    """Load a home's configuration as the processes do."""
    classes = {system: connector_class(system) for system in CONNECTORS}
    accounts = sandbox_accounts(home)
    config = configuration.load(home, environ=os.environ, sandbox=accounts, connectors=classes)
    if accounts is None:
        return config
    # Declared rates are the vendors' limits; their sandboxes have their own, and answer 429 past
    # them.
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


def engine(
    home: Path | None = None,
    *,
    told_to_stop: Callable[[], bool] = lambda: False,
    check_ledger: bool = True,
) -> Engine:
    """Build the engine for a home, with real time, a real ledger and a real doorbell.

    Raises LedgerError when the ledger is not of this version; without `check_ledger`, whoever uses
    it meets that.
    """
    home = home or find_home()
    config = load_config(home)
    clock = SystemClock()
    connectors = connect(config, clock)
    context = Context(
        connections=config.connections,
        syncs=config.syncs,
        maps=config.maps,
        capabilities={name: connector.CAPABILITIES for name, connector in connectors.items()},
        clock=clock,
        rng=random.Random(),
        directory={name: config.agents.table(name) for name in config.connections},
    )
    redis_url = socket_for(home) if config.settings.redis == "embedded" else config.settings.redis
    ledger = Ledger(config.settings.database)
    if check_ledger:
        ledger.check()
    owner = worker_identity.name(uuid.uuid4().hex[:6])
    drainer = Drain(
        context,
        ledger,
        connectors,
        RedisBudget(redis_url),
        owner,
        PROCEDURES,
        stopping=told_to_stop,
    )
    return Engine(config, context, ledger, Doorbell(redis_url), connectors, clock, drainer)


@cache
def current() -> Engine:
    """Give this process's engine: jobs are called by name and have no other way to it."""
    return engine(told_to_stop=stopping.is_set)
