"""Who is there: two healthy neighbours, hostile vendors with their partners, and a home for all."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bridge.sandbox.registry import sandbox_class
from tests.hostile.vendors import PlannedAccount

PAIRS = 13
NORTH, SOUTH = "north", "south"
POLL_SECONDS = 2
HTTP_TIMEOUT = 2


def hostile_accounts() -> dict[str, str]:
    """Return the system of each hostile vendor, by name."""
    return {f"hostile{number}": ("switch", "posthog")[number % 2] for number in range(PAIRS)}


def partner(name: str) -> str:
    """Return who is mirrored with a hostile vendor, and is well."""
    return f"partner-of-{name}"


def pairs(hostile: Iterable[str]) -> list[tuple[str, str]]:
    """Return who is mirrored with whom."""
    return [(NORTH, SOUTH), *((name, partner(name)) for name in hostile)]


def plan(hostile: Mapping[str, str], port: int) -> list[PlannedAccount]:
    """Return all accounts; their webhooks go to a receiver at this port."""
    systems = {NORTH: "switch", SOUTH: "switch"} | hostile
    systems |= {partner(name): "switch" for name in hostile}
    return [
        PlannedAccount(
            name=name,
            system=system,
            key=f"key-planted-for-{name}-7f3a9c",
            secret="whsec_" + base64.b64encode(f"secret planted for {name}".encode()).decode(),
            webhook_url=f"http://127.0.0.1:{port}/webhooks/{name}",
            hostile=name in hostile,
        )
        for name, system in systems.items()
    ]


def variables(account: PlannedAccount) -> dict[str, str]:
    """Return the environment variables that the configuration names for an account."""
    return {_variable(account, "KEY"): account.key, _variable(account, "SECRET"): account.secret}


def configure(home: Path, accounts: Sequence[PlannedAccount], addresses: Mapping[str, str]) -> None:
    """Write the configuration of a home that mirrors each pair."""
    connections = {each.name: _connection(each, addresses[each.name]) for each in accounts}
    settings = {"http_timeout": HTTP_TIMEOUT, "connections": connections}
    (home / "config" / "bridge.yaml").write_text(yaml.safe_dump(settings))
    syncs = {"neighbours": _sync(NORTH, SOUTH)}
    hostile = [each.name for each in accounts if each.hostile]
    syncs |= {f"pair-{name}": _sync(name, partner(name)) for name in hostile}
    (home / "mappings" / "syncs.yaml").write_text(yaml.safe_dump(syncs))
    (home / "mappings" / "agents.yaml").write_text("agents: []\nunmapped: leave\n")


def _connection(account: PlannedAccount, address: str) -> dict[str, Any]:
    signing = sandbox_class(account.system).SIGNING
    assert signing is not None
    webhook: dict[str, Any] = {"scheme": signing.scheme}
    webhook["secrets"] = ["${" + _variable(account, "SECRET") + "}"]
    for key in ("header", "event", "id", "delivery") if account.system == "switch" else ():
        webhook[key] = getattr(signing, key)
    row = {
        "system": account.system,
        "base_url": address,
        "credentials": {"api_key": "${" + _variable(account, "KEY") + "}"},
        "webhook": webhook,
        "poll": f"{POLL_SECONDS}s" if account.hostile else "1h",
        "full": None,
    }
    if account.system == "posthog":
        row["tags_licensed"] = True
    return row | dict(sandbox_class(account.system).ACCOUNT_OPTIONS)


def _sync(here: str, there: str) -> dict[str, Any]:
    return {
        "entity": "ticket",
        "members": {here: {"create": True}, there: {"create": True}},
        "match": [["customer", "subject"]],
        "on_link": {"*": here, "tags": "union"},
        "precedence": [here, there],
        "fields": {"*": "latest", "tags": "merge", "customer": "first", "created_at": "first"},
        "delete": "close",
        # Edits to and fro without end, values that vanish and come back: both would be held.
        "guard": {"destructive": "100%", "min": 1_000_000, "flips": 1000},
    }


def _variable(account: PlannedAccount, what: str) -> str:
    return f"HOSTILE_{account.name.replace('-', '_').upper()}_{what}"
