"""Loads a home's configuration as its processes do, and makes of it what procedures are handed."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bridge.clock import Clock
from bridge.config import Config, InLedger, SandboxAccount, Settings, load
from bridge.config.mapping_texts import Published
from bridge.connectors import CONNECTORS, connector_class
from bridge.connectors.contract import Connector
from bridge.core.model.syncs import Secret
from bridge.engine.context import MAPPING_REVISION, Context
from bridge.errors import ConfigError, LedgerError
from bridge.ledger import mapping_revisions
from bridge.ledger.database import Ledger
from bridge.workbench.proof import Proof, prove
from bridge.workbench.proof_findings import ProofSubject, Seen


def sandbox_accounts(home: Path) -> dict[str, SandboxAccount] | None:
    """Return the sandbox's accounts if this process was told to use them.

    `bridge up --sandbox` writes the file.
    """
    if os.environ.get("BRIDGE_SANDBOX") != "1":
        return None
    stored = json.loads((home / "var" / "sandbox.json").read_text())
    return {system: SandboxAccount(**account) for system, account in stored.items()}


def connector_classes() -> dict[str, type[Connector]]:
    """Return the connector's class of every system that there is."""
    return {system: connector_class(system) for system in CONNECTORS}


def published_in(settings: Settings, number: int | None = None) -> Published | None:
    """Return the mappings that were published; None: none ever were, or there is no ledger yet.

    `number`: of the revision that is wanted, if it is not the newest, or is not there.
    """
    ledger = Ledger(settings.database)
    try:
        return newest_of(ledger, number) if ledger.holds(mapping_revisions.TABLE) else None
    finally:
        ledger.close()


def newest_of(ledger: Ledger, number: int | None = None) -> Published | None:
    """Return the mappings that were published last in a ledger; see `published_in`."""
    with ledger.read() as tx:
        found = mapping_revisions.get(tx, number) if number is not None else None
        found = found or mapping_revisions.newest(tx)
    return Published(found.number, found.files) if found is not None else None


def load_config(
    home: Path,
    *,
    need_ledger: bool = True,
    revision: int | None = None,
    or_files: bool = False,
) -> Config:
    """Load a home's configuration as the processes do.

    Without `need_ledger` the home's files take the place of mappings in a ledger that fails us.
    `revision`: with these published mappings in place of the newest ones. `or_files`: with the
    home's files, where published mappings do not fit: an admin is about to change that. Raises
    ConfigError. What the proof of the mappings refuses stops `bridge check` and a publish alone: a
    bridge that ran by its files yesterday goes on with them.
    """
    accounts = sandbox_accounts(home)

    def in_ledger(settings: Settings) -> Published | None:
        try:
            return published_in(settings, revision)
        except LedgerError:
            if need_ledger:
                raise
            return None

    classes = connector_classes()

    def loaded(in_ledger: InLedger) -> Config:
        return as_called(
            load(
                home, environ=os.environ, sandbox=accounts, connectors=classes, in_ledger=in_ledger
            )
        )

    try:
        return loaded(in_ledger)
    except ConfigError:
        if not or_files:
            raise
    return loaded(lambda _settings: None)


def proof_of(config: Config, seen: Seen | None = None) -> Proof:
    """Return the proof of mappings that were loaded; `seen`: what vendors were seen to send."""
    return prove(
        ProofSubject(
            accounts=config.compiled.accounts if config.compiled is not None else {},
            syncs=config.syncs,
            compiled=config.declared,
            capabilities=config.capabilities,
            places=config.lines,
            people={name: config.agents.table(name) for name in config.connections},
            fields=config.fields,
            seen=seen or {},
        )
    )


def context_of(config: Config, clock: Clock) -> Context:
    """Return what every procedure is handed: what files say and what connectors declare."""
    return Context(
        connections=config.connections,
        syncs=config.syncs,
        maps=config.maps,
        capabilities=config.capabilities,
        clock=clock,
        rng=random.Random(),
        backoff={
            name: connector_class(connection.system).BACKOFF
            for name, connection in config.connections.items()
        },
        directory={name: config.agents.table(name) for name in config.connections},
        fields=config.fields,
        revision=config.revision,
        taken_in={MAPPING_REVISION: config.number} if config.number else {},
    )


def as_called(config: Config) -> Config:
    """Return a configuration by which the systems can be called that the environment says."""
    if os.environ.get("BRIDGE_SANDBOX") != "1":
        return config
    # Declared rates are the vendors' limits. Their sandboxes have their own, and answer 429.
    unlimited = {
        name: replace(connection, rates=()) for name, connection in config.connections.items()
    }
    return replace(config, connections=unlimited)


def secrets_of(config: Config, environ: Mapping[str, str]) -> list[Secret]:
    """Return all that no log may show: what the files declare, and the token for /metrics."""
    token = environ.get("BRIDGE_METRICS_TOKEN", "")
    connections = config.connections.values()
    return [
        *config.settings.secrets,
        *(config.settings.openid.secrets if config.settings.openid else ()),
        *(secret for connection in connections for secret in connection.secrets),
        *([Secret(token)] if token else []),
    ]
