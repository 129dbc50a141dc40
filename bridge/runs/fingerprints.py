"""Fingerprints of listed rows: while a row's fingerprint fits, it would compare as before.

One has two parts: a digest of the row, and one of the rules by which it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from typing import Any

import orjson

from bridge.connectors.contract import Record
from bridge.engine.context import Context
from bridge.ledger import directory
from bridge.ledger.database import Tx


def row_digest(record: Record) -> str | None:
    """Return what changes whenever the row does.

    None: nothing does, for it is nested too deeply, or holds numbers of any size.
    """
    try:
        text = orjson.dumps((record.data, record.unreadable or None), default=str)
    except orjson.JSONEncodeError:
        return None
    return blake2b(text, digest_size=14).hexdigest()


def rules_digest(tx: Tx, context: Context, entity: str) -> str:
    """Return a digest of all that decides what a row means: configuration, probes and people."""
    moving = orjson.dumps([plain(context.probes), str(directory.revision(tx))], default=str)
    return blake2b(moving, digest_size=6, key=_configuration_digest(context, entity)).hexdigest()


def _configuration_digest(context: Context, entity: str) -> bytes:
    """Return a digest of mappings, capabilities and syncs, computed once in a process."""
    known = context.taken_in.get(f"rules:{entity}")
    if isinstance(known, bytes):
        return known
    maps = {name: mapped[entity] for name, mapped in context.maps.items() if entity in mapped}
    capabilities = {
        name: able[entity] for name, able in context.capabilities.items() if entity in able
    }
    rules = [
        plain(maps),
        plain(capabilities),
        plain(context.syncs),
        plain(list(context.connections)),
    ]
    digest = blake2b(orjson.dumps(rules, default=str), digest_size=16).digest()
    context.taken_in[f"rules:{entity}"] = digest
    return digest


def plain(value: Any) -> Any:
    """Return a value as plain data, the same in every process; functions count by name alone."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        by_name = sorted(value.items(), key=lambda item: str(item[0]))
        return {str(key): plain(item) for key, item in by_name}
    if isinstance(value, set | frozenset):
        return sorted(str(item) for item in value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if callable(value):
        return getattr(value, "__qualname__", type(value).__name__)
    return value if isinstance(value, str | int | float) or value is None else str(value)
