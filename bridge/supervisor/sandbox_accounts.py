"""The sandboxes' accounts in the form in which the configuration takes them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import click

from bridge.config import SandboxAccount
from bridge.queue import url_for
from bridge.sandbox import server

FILE: Final = "sandbox.json"
"""In the home's `var/`: how a connection reaches its sandbox. For its owner alone, since keys stand in it."""
DATABASE: Final = "BRIDGE_SANDBOX_DATABASE_URL"
REDIS: Final = "BRIDGE_SANDBOX_REDIS_URL"


def stored(account: server.Account) -> dict[str, Any]:
    """Give an account as it is stored for the child processes."""
    return {
        "base_url": account.base_url,
        "credentials": {"api_key": account.api_key},
        "webhook_secret": account.webhook_secret,
        "options": dict(account.options),
    }


def write_accounts(path: Path, accounts: dict[str, server.Account]) -> None:
    """Store the accounts, whole or not at all, for the owner alone."""
    contents = {system: stored(account) for system, account in accounts.items()}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(contents, file)
    new.replace(path)


def sandboxed() -> dict[str, SandboxAccount]:
    """Give the accounts of sandboxes that need not run, for commands that call nobody."""
    return {
        system: SandboxAccount(**stored(account)) for system, account in server.accounts().items()
    }


def sandbox_database(home: Path) -> str:
    """Give the ledger of what is played in a home: never that of what is real."""
    return os.environ.get(DATABASE) or f"sqlite:///{home / 'var' / 'sandbox.db'}"


def follow_sandbox(home: Path) -> bool:
    """While `bridge up --sandbox` runs in this home, let a command look at that, without being told; False: none runs.

    Called before the configuration is loaded: that of a sandbox needs no keys.
    """
    if os.environ.get("BRIDGE_SANDBOX"):
        return True
    redis = os.environ.get(REDIS)  # the sandbox's own, if it was not told to start one
    if not (home / "var" / FILE).exists() or not (redis or url_for(home)):
        return False
    click.echo("(of the running sandbox)", err=True)
    os.environ["BRIDGE_SANDBOX"] = "1"
    os.environ["BRIDGE_DATABASE_URL"] = sandbox_database(home)
    if redis:
        os.environ["BRIDGE_REDIS_URL"] = redis
    else:
        os.environ.pop("BRIDGE_REDIS_URL", None)
    return True
