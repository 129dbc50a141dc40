"""The stage of one seed: sandboxes and lines to them, connectors, receiver, ledger, workers."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import random
import re
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from bridge.config import Config, SandboxAccount, load
from bridge.connectors import CONNECTORS, build, connector_class
from bridge.connectors.contract import Connector
from bridge.core.model.outcome_codes import Code
from bridge.core.model.syncs import Connection, Sync
from bridge.engine.context import Context
from bridge.engine.inline import InlineExecutor
from bridge.engine.worker import Drain
from bridge.errors import ConfigError
from bridge.home import shipped_folder
from bridge.http.client import Http
from bridge.ledger.database import Ledger
from bridge.ledger.handles import LedgerHandles
from bridge.ledger.probes import LedgerFindings
from bridge.procedures import PROCEDURES
from bridge.queue.redis_budget import MemoryBudget
from bridge.runs import adoption
from bridge.sandbox import access, population
from bridge.sandbox.journal import Journal
from bridge.sandbox.outbox import WebhookTarget
from bridge.sandbox.registry import has_sandbox, sandbox_class, systems
from bridge.sandbox.vendor_app import Sandbox
from bridge.simulate.script import WORKERS, DrawnConnection, Script
from bridge.simulate.vendor_line import VendorLine
from bridge.simulate.virtual_time import Skewed, VirtualClock
from bridge.simulate.virtual_worker import StepWorker
from bridge.simulate.webhook_mail import Mail
from bridge.web.app import create_app

TICKET = "ticket"
RECEIVER = "http://bridge.invalid"


@dataclass(frozen=True, slots=True)
class SimulatedHome:
    """The setup that all seeds of a process share: a configuration, and an empty ledger to copy."""

    config: Config
    accounts: Mapping[str, access.SandboxAccess]
    """By system."""
    template: Ledger
    """With its tables, and empty: each seed begins with a copy."""
    ledger: Ledger

    def drawn_connections(self) -> list[DrawnConnection]:
        """Return the connections on which people work on tickets, for whoever draws steps."""
        drawn = []
        syncs = [sync for sync in self.config.syncs.values() if sync.entity == TICKET]
        for name, connection in self.config.connections.items():
            if not any(name in sync.members for sync in syncs):
                continue
            sandbox = sandbox_class(connection.system)
            if "status" not in sandbox.CARRIES:
                continue
            settle = max(
                able.settle for able in connector_class(connection.system).CAPABILITIES.values()
            )
            drawn.append(DrawnConnection(name, sandbox, settle))
        return drawn


@cache
def load_home(home: str = "") -> SimulatedHome:
    """Load a home (empty: as shipped) with sandboxes' people and accounts. Raises ConfigError."""
    accounts = access.accounts({system: f"http://{system}.invalid" for system in systems()})
    with tempfile.TemporaryDirectory(prefix="bridge-simulate-") as made:
        folder = Path(made)
        for part in ("config", "mappings"):
            source = Path(home) / part if home else shipped_folder(part)
            if not source.is_dir():
                raise ConfigError([f"{source}: there is no such folder; name a home with --home"])
            shutil.copytree(source, folder / part)
        _use_sandbox_people(folder)
        given = {
            system: SandboxAccount(
                base_url=account.base_url,
                credentials={"api_key": account.api_key},
                webhook_secret=account.webhook_secret,
                options=account.options,
            )
            for system, account in accounts.items()
        }
        classes = {system: connector_class(system) for system in CONNECTORS}
        environ = {key: value for key, value in os.environ.items() if key.startswith("BRIDGE_")}
        config = load(folder, environ=environ, sandbox=given, connectors=classes)
        # Once more, with people: who is who is named by connection, and those stand in the config.
        _name_people(folder, config)
        config = load(folder, environ=environ, sandbox=given, connectors=classes)
    _check_sandboxes(config)
    template, ledger = Ledger("sqlite://"), Ledger("sqlite://")
    template.upgrade()
    # One call at a time: calls that are made one after the other must not count as under way
    # together.
    free = {
        name: replace(connection, rates=(), concurrency=1)
        for name, connection in config.connections.items()
    }
    return SimulatedHome(replace(config, connections=free), accounts, template, ledger)


def _check_sandboxes(config: Config) -> None:
    """Raise ConfigError where a connection has no sandbox."""
    problems = [
        f"connections.{name}: {connection.system} has no sandbox, so it cannot be simulated; "
        "leave the connection out of a copy of this home"
        for name, connection in config.connections.items()
        if not has_sandbox(connection.system)
    ]
    if problems:
        raise ConfigError(problems)


def _use_sandbox_people(folder: Path) -> None:
    """Take the home's own people out: the sandboxes have never heard of them."""
    file = folder / "mappings" / "agents.yaml"
    text = file.read_text() if file.is_file() else ""
    unmapped = re.search(r"(?m)^unmapped:\s*(leave|unassign)\b", text)
    file.write_text(f"agents: []\nunmapped: {unmapped[1] if unmapped else 'leave'}\n")


def _name_people(folder: Path, config: Config) -> None:
    """Put the sandboxes' people in, by each connection's ids; leave one out, to be learned."""
    rows = []
    for agent in population.AGENTS[:-1]:
        names = [
            f'"{name}": "{agent_id}"'
            for name, connection in config.connections.items()
            if (agent_id := sandbox_class(connection.system).agent_id(agent))
        ]
        rows.append(f"  - {{{', '.join([f'email: {agent.email}', *names])}}}\n")
    file = folder / "mappings" / "agents.yaml"
    file.write_text(file.read_text().replace("agents: []\n", "agents:\n" + "".join(rows)))


def _raw(ledger: Ledger) -> sqlite3.Connection:
    connection = ledger.engine.raw_connection().driver_connection
    if not isinstance(connection, sqlite3.Connection):
        raise TypeError("a simulation keeps its ledger in memory")
    return connection


@dataclass(frozen=True, slots=True)
class KeptLedger:
    """A backup of the ledger."""

    content: bytes
    known_as: Mapping[str, str]
    """Account -> the name by which the ledger knew its connection."""


class SimulatedDoorbell:
    """The doorbell. Its ring may be lost: then it rings again when the clock looks."""

    def __init__(self) -> None:
        self.rung = False

    def ring(self, lane: str = "") -> bool:  # noqa: ARG002
        """Ring."""
        self.rung = True
        return True

    def answered(self, lane: str = "") -> None:
        """Do nothing: whoever comes is known to have come."""

    def ping(self) -> bool:
        """Return that it can be rung."""
        return True

    def fault(self) -> Code | None:
        """Return that nothing keeps it from being rung."""
        return None


class Stage:
    """One seed's world, before anything has happened."""

    def __init__(self, home: SimulatedHome, script: Script) -> None:
        self.home, self.script = home, script
        self.clock = VirtualClock()
        self.began = self.clock.now()
        self.rng = random.Random(f"stage {script.seed}")
        self.trace: list[str] = []
        self.covered: Counter[tuple[str, str]] = Counter()
        self.counts: Counter[str] = Counter()
        # A copy of an empty ledger is much faster than its migrations.
        _raw(home.template).backup(_raw(home.ledger))
        self.ledger = home.ledger
        self.bell = SimulatedDoorbell()
        self.budget = MemoryBudget()
        self.apps: dict[str, Sandbox] = {}
        self.lines: dict[str, VendorLine] = {}
        self.mails: dict[str, Mail] = {}
        self.connectors: dict[str, Connector] = {}
        self._forget_people()
        self._connect()
        config = home.config
        self.context = Context(
            connections=config.connections,
            syncs={
                name: _deleting(sync) if script.deletes else sync
                for name, sync in config.syncs.items()
            },
            maps=config.maps,
            capabilities=config.capabilities,
            clock=self.clock,
            rng=random.Random(f"flow {script.seed}"),
            directory={name: config.agents.table(name) for name in config.connections},
            fields=config.fields,
        )
        self.accepted = 0
        self.workers = [StepWorker(self, f"w{number}") for number in range(WORKERS)]
        self.first_files = self.context
        self.known_as = {name: name for name in self.apps}
        """Account -> the name by which the ledger knows its connection."""
        self.called: dict[str, str] = {}
        """Account -> the name of its connection in the files in force, if they name it."""
        self.kept: KeptLedger | None = None
        self.lost_facts: list[Mapping[str, Any]] = []
        """What a ledger had on record that was put back or lost since, for the judge."""
        self._starts = itertools.count(1)
        self.start(self.context, self.known_as)

    @property
    def limits(self) -> MemoryBudget:
        """Return the budget that holds calls back; a new one after Redis was emptied."""
        return self.budget

    def start(self, context: Context, called: Mapping[str, str]) -> None:
        """Start all processes anew by other files; what was under way has died with the old ones.

        `called`: what those files call each account that they name.
        """
        for worker in self.workers:
            self.nobody_heard(worker.drop())
        self.context = replace(context, revision=f"files {next(self._starts)}")
        self.called = dict(called)
        self.connectors.clear()
        for account, name in self.called.items():
            self.connectors[name] = self._connector(account, context.connections[name])
        with self.ledger.transaction() as tx:
            adoption.take_up(tx, self.context, accept=False)
        self.client = create_app(
            self.context, self.ledger, self.bell, self.clock, self.connectors
        ).test_client()
        for account, mail in self.mails.items():
            if mail.target is not None and account in self.called:
                url = f"{RECEIVER}/webhooks/{self.called[account]}"
                mail.target = replace(mail.target, url=url)

    def account(self, connection: str) -> str:
        """Return whose account a connection of the files in force is."""
        return next(account for account, name in self.called.items() if name == connection)

    def nobody_heard(self, refused: str) -> None:
        """Take back that a connection's key was refused: only a worker knew, and it is dead."""
        if refused:
            self.lines[self.account(refused)].take_back_refusal()

    def tell(self, line: str) -> None:
        """Write a line of the trace."""
        self.trace.append(f"{(self.clock.now() - self.began).total_seconds():.3f} {line}")

    def digest(self) -> str:
        """Return one number for all that happened."""
        digest = hashlib.sha256("\n".join(self.trace).encode())
        for app in self.apps.values():
            for entry in app.journal.since():
                digest.update(repr(entry).encode())
        return digest.hexdigest()

    def drain(self) -> Drain:
        """Return a worker as in production, but for its threads."""
        return Drain(
            self.context,
            self.ledger,
            self.connectors,
            self.budget,
            "drain",
            PROCEDURES,
            pool=InlineExecutor(self.clock),
        )

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Deliver a webhook to the receiver."""
        answer = self.client.post(url.removeprefix(RECEIVER), data=body, headers=dict(headers))
        self.accepted += answer.status_code == 202
        return answer.status_code

    def _forget_people(self) -> None:
        """Let nobody know what another seed has learnt."""
        agents = self.home.config.agents
        for name in self.home.config.connections:
            table = agents.table(name)
            for email in list(table.learned):
                # There is no other way to unlearn.
                table._emails.pop(table.learned.pop(email), None)  # noqa: SLF001

    def _connect(self) -> None:
        sequence = itertools.count(1)
        for name, connection in self.home.config.connections.items():
            account = self.home.accounts[connection.system]
            theirs = Skewed(self.clock)
            theirs.seconds = self.script.clocks.get(name, 0.0)
            options = self.script.options.get(name, {})
            signing = account.webhook() if connection.webhook is not None else None
            secret = connection.webhook.secrets if connection.webhook is not None else ()
            app = sandbox_class(connection.system)(
                theirs,
                random.Random(f"{self.script.seed} {name}"),
                api_key=account.api_key,
                name=name,
                options=options,
                sequence=sequence,
            )
            mail = Mail(Skewed(self.clock), self.post)
            if signing is not None:
                mail.target = WebhookTarget(
                    f"{RECEIVER}/webhooks/{name}", replace(signing, secrets=secret)
                )
            # What happened is dated by the true time, not by the vendor's clock.
            app.journal = Journal(app.SYSTEM, name, self.clock, sequence)
            app.outbox = mail  # type: ignore[assignment]
            self.apps[name], self.mails[name] = app, mail
            self.lines[name] = VendorLine(app, self.clock, theirs, self.tell)

    def _connector(self, account: str, connection: Connection) -> Connector:
        # What a deployment lacks, its connection is told not to use.
        given = dict(connection.options)
        options = given | dict(self.script.options.get(account, {}))
        told = replace(connection, options=given | self.apps[account].account_options(options))
        connector = build(told, Http(told, clock=self.clock, adapter=self.lines[account]))
        findings = LedgerFindings(self.ledger, connection.name, self.clock.now)
        connector.remember_in(LedgerHandles(self.ledger, connection.name), findings)
        return connector


def _deleting(sync: Sync) -> Sync:
    """Return a sync with deletions carried everywhere.

    No shipped one does that, and it must be safe all the same.
    """
    members = {name: replace(member, allow_delete=True) for name, member in sync.members.items()}
    return replace(sync, delete="delete", members=members)


def unsigned(body: bytes) -> dict[str, Any]:
    """Return the headers of somebody who does not know the secret."""
    forged = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return {
        "Content-Type": "application/json",
        "X-Webhook-Signature": forged,
        "webhook-signature": f"v1,{forged}",
    }
