"""Tells accounts apart: two connections with one account would mirror each record with itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bridge.config.yaml_reader import Document, Problem
from bridge.connectors.account_place import comparable
from bridge.connectors.contract import Connector
from bridge.core.model.syncs import Connection

Classes = Mapping[str, type[Connector]]


def accounts_of(connections: Mapping[str, Connection], connectors: Classes) -> dict[str, str]:
    """Return by connection what tells its account from others: by address and keys, as a digest."""
    found: dict[str, str] = {}
    for name, connection in connections.items():
        keys = [each.reveal() for _name, each in sorted(connection.credentials.items())]
        if connectors[connection.system].ACCOUNT_OPTIONS:
            keys = []  # it is named, and has several keys
        found[name] = _digest([connection.system, comparable(connection.place), *keys])
    return found


def written_accounts(rows: Any, connections: Iterable[str], connectors: Classes) -> dict[str, str]:
    """Return the same of connections that lead to sandboxes: by what stands in the file instead."""
    found: dict[str, str] = {}
    for name in connections:
        row = rows[name]
        named = sorted(connectors[row["system"]].ACCOUNT_OPTIONS)
        options = {**(row.get("options") or {}), **row}
        keys = [options.get(key) for key in named] if named else [row.get("credentials")]
        found[name] = _digest([row["system"], row.get("base_url"), *keys])
    return {name: found.get(rows[name].get("same_account_as"), found[name]) for name in found}


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def same_accounts(
    accounts: Mapping[str, str], rows: Mapping[str, Any], document: Document
) -> Iterator[Problem]:
    """Refuse two connections with one account: each record would be mirrored with itself."""
    first: dict[str, str] = {}
    for name, account in accounts.items():
        other = first.setdefault(account, name)
        if other not in (name, rows[name].get("same_account_as")):
            what = (
                f"leads to the same account as {other}, so each record would be mirrored with "
                f"itself; if it is meant so, say `same_account_as: {other}`"
            )
            yield document.problem(("connections", name, "base_url"), what)
