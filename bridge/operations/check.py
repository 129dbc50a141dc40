"""Every problem of a home's files at once and, where asked for, of the connections."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge import config, wiring
from bridge.clock import SystemClock
from bridge.config import Config, SandboxAccount
from bridge.connectors import CONNECTORS, connector_class
from bridge.errors import BridgeError, Unauthorised


@dataclass(frozen=True, slots=True)
class ConnectionAnswer:
    """What a connection answered."""

    ping: str
    probe: Mapping[str, Any]
    """What reads alone showed of what this deployment can do; None where it could not be told."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a check found."""

    problems: list[str]
    config: Config | None = None
    """The files as compiled; None when there are problems in them."""
    live: Mapping[str, ConnectionAnswer] = field(default_factory=dict)
    """By connection: those that were called and answered well."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what works, but should be looked at."""
        return self.config.warnings if self.config is not None else ()


def check(home: Path, accounts: Mapping[str, SandboxAccount] | None, *, live: bool) -> Check:
    """Check a home's files and run the mappings' examples; if `live`, call each connection, too.

    `accounts`: a sandbox's, in place of the addresses and secrets of the files; None: those count.
    """
    classes = {system: connector_class(system) for system in CONNECTORS}
    problems = config.check(home, environ=os.environ, sandbox=accounts, connectors=classes)
    if problems:
        return Check(problems)
    compiled = config.load(home, environ=os.environ, sandbox=accounts, connectors=classes)
    if not live:
        return Check([], compiled)
    answers, problems = _call_all(compiled, own_credentials=accounts is None)
    return Check(problems, compiled, answers)


def _call_all(
    compiled: Config, *, own_credentials: bool
) -> tuple[dict[str, ConnectionAnswer], list[str]]:
    """Ping and probe every connection; return the answers, and a problem for each that has none.

    `own_credentials`: they stand in the home's files, so it can be said where.
    """
    answers: dict[str, ConnectionAnswer] = {}
    problems: list[str] = []
    for name, connector in wiring.connect(compiled, SystemClock()).items():
        try:
            answers[name] = ConnectionAnswer(connector.ping(), connector.probe())
        except BridgeError as error:
            problem = f"connections.{name}: {error}"
            if own_credentials and isinstance(error, Unauthorised):
                problem += f"; its credentials: {config.credentials_at(compiled.home, name)}"
            problems.append(problem)
    return answers, problems
