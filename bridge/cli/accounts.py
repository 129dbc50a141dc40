"""The sandboxes' accounts in the form in which the configuration takes them."""

from __future__ import annotations

from typing import Any

from bridge.config import SandboxAccount
from bridge.sandbox import server


def stored(account: server.Account) -> dict[str, Any]:
    """Give an account as it is stored for the child processes."""
    return {
        "base_url": account.base_url,
        "credentials": {"api_key": account.api_key},
        "webhook_secret": account.webhook_secret,
        "options": dict(account.options),
    }


def sandboxed() -> dict[str, SandboxAccount]:
    """Give the accounts of sandboxes that need not run, for commands that call nobody."""
    return {system: SandboxAccount(**stored(account)) for system, account in server.accounts().items()}
