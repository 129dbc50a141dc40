"""Trying changed mappings: the effect of those of a folder, a revision or the home itself.

They are compiled as a start would compile them, and put in force nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from bridge import wiring
from bridge.config import Config
from bridge.config.mapping_texts import FOLDER, Published, read_folder
from bridge.config.published_mappings import with_mappings
from bridge.engine.context import Context
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import directory, mapping_revisions, news
from bridge.operations.desk import Desk
from bridge.operations.fresh_readings import FreshReadings
from bridge.operations.mapping_effect import Look, Read, Take, effect_of
from bridge.workbench.effect import LinkEffect, MappingChange
from bridge.workbench.effect_summary import EffectSummary

SECOND: Final = 2
"""The number of the first revision that has one before it."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Mappings that are tried."""

    name: str
    """In words: where they come from."""
    context: Context


def tried(desk: Desk, folder: Path | None = None, revision: int | None = None) -> Tried:
    """Return the mappings that are meant: those of a folder, of a revision, else the home's files.

    Raises ConfigError with all that is wrong with them, UnknownName without such a revision.
    """
    if revision is not None:
        return Tried(f"revision {revision}", context_of(desk, _revision(desk, revision)))
    chosen = desk.config.home / FOLDER if folder is None else folder
    files = Published(desk.config.number, read_folder(chosen))
    return Tried(str(chosen), context_of(desk, with_mappings_of(desk, files)))


@dataclass(frozen=True, slots=True)
class TriedSince:
    """The mappings in force, and earlier ones to compare them with."""

    name: str
    """In words: the earlier ones."""
    change: MappingChange


def since(desk: Desk, revision: int | None = None) -> TriedSince:
    """Return the change from a revision to the one in force; None: from the one before that.

    Raises UnknownName without such a revision, NotPossible where there is none before.
    """
    with desk.ledger.read() as tx:
        newest = mapping_revisions.newest_number(tx)
    if revision is None and newest < SECOND:
        there = "the mappings in force are the first ones" if newest else "none were in force yet"
        how = "publish" if desk.config.from_ledger else "change the files and restart the bridge"
        raise NotPossible(
            f"{there}, so there are no earlier ones to compare them with: {how}, then give this "
            "command again"
        )
    number = newest - 1 if revision is None else revision
    old = context_of(desk, _revision(desk, number))
    return TriedSince(f"revision {number}", MappingChange(old, in_force(desk)))


def reader(bridge: wiring.Bridge, desk: Desk) -> FreshReadings:
    """Return what reads records for a plan, at the pace of an import."""
    return FreshReadings(desk.context, desk.connectors, bridge.worker.budget)


def in_force(desk: Desk) -> Context:
    """Return the context by which the bridge runs; by the home's files where it never ran."""
    with desk.ledger.read() as tx:
        newest = mapping_revisions.newest_number(tx)
    return context_of(desk, _revision(desk, newest) if newest else desk.config)


def _revision(desk: Desk, number: int) -> Config:
    with desk.ledger.read() as tx:
        found, newest = mapping_revisions.get(tx, number), mapping_revisions.newest_number(tx)
    if found is None:
        allowed = f"1 to {newest}" if newest else "none: nothing was put in force yet"
        raise UnknownName(f"no revision {number} of the mappings; allowed: {allowed}")
    return with_mappings_of(desk, Published(number, found.files))


def with_mappings_of(desk: Desk, files: Published) -> Config:
    """Return the desk's configuration with other mappings. Raises ConfigError."""
    return with_mappings(desk.config, files, wiring.connector_classes())


def context_of(desk: Desk, config: Config) -> Context:
    """Return the context of a configuration, with all that the bridge has learned besides."""
    context = wiring.context_of(config, desk.context.clock)
    with desk.ledger.read() as tx:
        known, people = news.look(tx), directory.people(tx)
    for name, table in context.directory.items():
        table.replace_learned((email, raw) for of, email, raw in people if of == name)
    findings = {name: dict(known.findings.get(name, {})) for name in context.connections}
    return replace(context, probes=findings)


def effect(
    desk: Desk,
    mappings: Tried,
    *,
    take: Take = lambda _effect: None,
    look: Look = lambda _seen: None,
    read: Read | None = None,
) -> EffectSummary:
    """Return what these mappings would do, against those in force; see `effect_of`."""
    new = mappings.context
    return effect_of(desk.ledger, in_force(desk), new, take=take, look=look, read=read)


@contextmanager
def listed(file: Path | None) -> Iterator[Take]:
    """Write each planned write into a file as it is found, a line of JSON each; None: nowhere.

    Only its owner can read it: it holds what the tickets show.
    """
    if file is None:
        yield lambda _effect: None
        return
    file.touch(mode=0o600)
    with file.open("w", encoding="utf-8") as stream:

        def take(effect: LinkEffect) -> None:
            for write in effect.writes:
                stream.write(json.dumps({"link": effect.link} | asdict(write), default=str) + "\n")

        yield take
