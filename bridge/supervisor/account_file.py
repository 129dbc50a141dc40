"""The accounts of sandboxes, as a configuration takes them and as child processes find them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bridge.config import SandboxAccount
from bridge.sandbox import access


def stored(account: access.SandboxAccess) -> dict[str, Any]:
    """Return an account as it is stored for the child processes."""
    return {
        "base_url": account.base_url,
        "credentials": {"api_key": account.api_key},
        "webhook_secret": account.webhook_secret,
        "options": dict(account.options),
    }


def write_accounts(path: Path, accounts: Mapping[str, access.SandboxAccess]) -> None:
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
        system: SandboxAccount(**stored(account)) for system, account in access.accounts().items()
    }
