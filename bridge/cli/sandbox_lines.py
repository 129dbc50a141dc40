"""What `bridge sandbox` says: all that a client of each vendor has to be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bridge.cli.screen import say
from bridge.sandbox import access
from bridge.sandbox.registry import sandbox_class


def access_as_json(account: access.SandboxAccess, webhook_url: str) -> dict[str, Any]:
    """Return an account, its users and where its webhooks go, for programs."""
    signing = sandbox_class(account.system).SIGNING
    sends = None if signing is None else {"scheme": signing.scheme, "url": webhook_url}
    return asdict(account) | {"users": account.users(), "webhooks": sends}


def print_access(
    accounts: Mapping[str, access.SandboxAccess],
    urls: Mapping[str, str],
    targets: Mapping[str, str],
) -> None:
    """Say all that a client of each vendor has to be told."""
    for system, account in accounts.items():
        say(f"{system:<10} {account.base_url}")
        rows = {"key": account.api_key} | {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in account.options.items()
        }
        signing = sandbox_class(system).SIGNING
        if signing is not None:
            where = f" in {signing.header}" if signing.header else ""
            rows["secret"] = f"{account.webhook_secret}   ({signing.scheme}{where})"
            nowhere = f"nowhere: --webhook {system}=URL says where to"
            rows["webhooks"] = targets.get(system, nowhere)
        for name, value in rows.items():
            say(f"{'':<10} {name:<12} {value}")
        for email, user in account.users().items():
            say(f"{'':<10} {'user':<12} {email:<22} {user}")
    some = urls[next(iter(accounts))] + "/_control"
    say("Play the people who use a system: open five tickets there, list them, edit one:")
    say(f"  curl -s {some}/populate -d '{{\"n\": 5}}'")
    say(f"  curl -s {some}/tickets")
    say(f'  curl -s {some}/edit -d \'{{"id": "ID", "fields": {{"priority": "high"}}}}\'')
    say("Ctrl-C ends it; nothing is kept.")
