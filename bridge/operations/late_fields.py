"""Since when mappings have had a field: what records showed before was never read by them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bridge.config import yaml_edit
from bridge.errors import ConfigError
from bridge.ledger import mapping_revisions
from bridge.operations import vendor_fields
from bridge.operations.desk import Desk

MAX_LOOKED_BACK: Final = 50
"""Revisions that are gone through, the newest first."""


def mapped_since(desk: Desk, connections: Iterable[str], entity: str, name: str) -> int | None:
    """Return the newest revision in which none of these connections mapped a field yet.

    A change since then brings the field to each of them. One that has had it as long as anybody
    knows does not count; None: all have.
    """
    files = {Path(vendor_fields.mapping_file(desk, each)).name for each in connections}
    since = None
    known: dict[str, bool] = {}
    with desk.ledger.read() as tx:
        newest = mapping_revisions.newest_number(tx)
        for number in range(newest, max(0, newest - MAX_LOOKED_BACK), -1):
            found = mapping_revisions.get(tx, number)
            for file in sorted(files):
                text = found.files.get(file, "") if found is not None else ""
                if text not in known:
                    known[text] = _maps(text, file, entity, name)
                if not known[text]:
                    since = number
                    files.remove(file)
            if not files:
                break
    return since


def _maps(text: str, file: str, entity: str, name: str) -> bool:
    try:
        return yaml_edit.has(text, file, (entity, "fields", name))
    except ConfigError:
        return False


def mapping_members(desk: Desk, connection: str, entity: str, name: str) -> list[str]:
    """Return the members of a connection's sync whose mappings have a field."""
    sync, maps = desk.context.sync_of(connection, entity), desk.context.maps
    members = sync.members if sync is not None else {}
    return [each for each in members if entity in maps[each] and name in maps[each][entity].fields]


def reading_command(since: int) -> str:
    """Return the command that carries over what records have shown all along."""
    return f"`bridge mappings apply --read --since {since}`"
