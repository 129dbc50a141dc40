"""The sandboxes' accounts, and the file in which child processes and commands find them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bridge.config import SandboxAccount
from bridge.queue import url_for
from bridge.sandbox import server

FILE: Final = "sandbox.json"
"""In the home's `var/`. Holds addresses and keys, so only its owner may read it."""
DATABASE: Final = "BRIDGE_SANDBOX_DATABASE_URL"
REDIS: Final = "BRIDGE_SANDBOX_REDIS_URL"


def stored(account: server.SandboxAccess) -> dict[str, Any]:
    """Return an account as it is stored for the child processes."""
    return {
        "base_url": account.base_url,
        "credentials": {"api_key": account.api_key},
        "webhook_secret": account.webhook_secret,
        "options": dict(account.options),
    }


def write_accounts(path: Path, accounts: Mapping[str, server.SandboxAccess]) -> None:
    """Store the accounts for the owner alone. A reader sees the old file or the new one whole."""
    contents = {system: stored(account) for system, account in accounts.items()}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(contents, file)
    unfinished.replace(path)


def placeholder_accounts() -> dict[str, SandboxAccount]:
    """Return accounts of sandboxes that need not run, for commands that call no vendor."""
    return {
        system: SandboxAccount(**stored(account)) for system, account in server.accounts().items()
    }


def sandbox_database(home: Path) -> str:
    """Return the address of the sandbox's ledger, which is never the home's own."""
    return os.environ.get(DATABASE) or f"sqlite:///{home / 'var' / 'sandbox.db'}"


def was_used(home: Path) -> bool:
    """Return whether `bridge up --sandbox` has left a ledger in this home."""
    return (home / "var" / "sandbox.db").exists()


def is_selected() -> bool:
    """Return whether this process was told to use the sandboxes."""
    return bool(os.environ.get("BRIDGE_SANDBOX"))


def use_running_sandbox(home: Path) -> bool:
    """Point this process to the sandbox that runs in the home; return False when none runs.

    Call it before the configuration is loaded: that of a sandbox needs no keys.
    """
    redis = os.environ.get(REDIS)  # set when the sandbox uses a Redis that it did not start itself
    if not (home / "var" / FILE).exists() or not (redis or url_for(home)):
        return False
    os.environ["BRIDGE_SANDBOX"] = "1"
    os.environ["BRIDGE_DATABASE_URL"] = sandbox_database(home)
    if redis:
        os.environ["BRIDGE_REDIS_URL"] = redis
    else:
        os.environ.pop("BRIDGE_REDIS_URL", None)
    return True
