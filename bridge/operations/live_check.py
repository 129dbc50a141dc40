"""What a check asks for beyond the files: an answer of all who are called, or that they count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bridge import config, wiring
from bridge.clock import SystemClock
from bridge.config import Config
from bridge.errors import BridgeError, Unauthorised
from bridge.operations import provider_check
from bridge.operations.check import Check, ConnectionAnswer


def called(checked: Check, *, own_credentials: bool) -> Check:
    """Ping and probe every connection and the provider; add the answers, and a problem without one.

    `own_credentials`: they stand in the home's files, so it can be said where.
    """
    if checked.config is None:
        return checked
    answers, problems = _call_all(checked.config, own_credentials=own_credentials)
    said, wrong = provider_check.asked(checked.config.settings, SystemClock())
    problems += [f"openid: {wrong}"] if wrong else []
    return replace(checked, problems=problems, live=answers, sign_in=said)


def accept(home: Path, actor: str) -> None:
    """Put a home's files in force although they changed in a doubtful way; it is written down.

    Raises LedgerError where there is no ledger yet.
    """
    bridge = wiring.build_bridge(home)
    try:
        bridge.accept(actor)
    finally:
        bridge.close()


def _call_all(
    compiled: Config, *, own_credentials: bool
) -> tuple[dict[str, ConnectionAnswer], list[str]]:
    """Return the answers by connection, and a problem for each connection that has none."""
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
