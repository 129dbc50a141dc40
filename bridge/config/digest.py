"""A digest that moves with every change of meaning in a home's files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from bridge.config.yaml_reader import Document
from bridge.core.model.syncs import Connection


def digest(
    connections: Mapping[str, Connection], mappings: Mapping[str, Document], number: int
) -> str:
    """Return a digest of connections without their secrets, and of mappings without comments.

    `number`: of the revision that was published; it counts, for every process is to take that up.
    0: the mappings are the home's files.
    """
    rows = [asdict(replace(each, credentials={}, webhook=None)) for each in connections.values()]
    webhooks = {
        name: asdict(replace(connection.webhook, secrets=()))
        for name, connection in connections.items()
        if connection.webhook is not None
    }
    files = {shown: document.data for shown, document in mappings.items()}
    parts = [rows, webhooks, files, *([number] if number else [])]
    said = json.dumps(_in_order(parts), default=str)
    return hashlib.sha256(said.encode()).hexdigest()


def _in_order(value: Any) -> Any:
    """Return plain data that is the same in every process, in whatever order keys were met."""
    if isinstance(value, Mapping):
        rows = [(str(key), _in_order(item)) for key, item in value.items()]
        return sorted(rows, key=lambda row: row[0])
    return [_in_order(item) for item in value] if isinstance(value, list | tuple) else value
