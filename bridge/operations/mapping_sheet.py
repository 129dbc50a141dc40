"""The mappings in force as people look at them: their files, what each is for, and who sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from bridge.config import Config
from bridge.home_configuration import proof_of
from bridge.ledger import mapping_revisions
from bridge.ledger.mapping_revisions import RevisionHead
from bridge.operations import mapping_folders, mapping_proof
from bridge.operations.desk import Desk
from bridge.operations.file_differences import FileDifference
from bridge.workbench.carry_matrix import MatrixRow
from bridge.workbench.proof import Proof

PEOPLE: Final = "agents.yaml"
"""The file that names people: it is shown to whoever may see personal values."""
ROLES: Final = {
    "fields.yaml": "fields of your own",
    "syncs.yaml": "which connections mirror what, and who wins",
    PEOPLE: "what each connection calls each person",
}
KEPT: Final = timedelta(minutes=1)
MOST_KEPT: Final = 16
"""Proofs; each may have a thousand findings."""


@dataclass(frozen=True, slots=True)
class SheetFile:
    """One file of the mappings."""

    name: str
    lines: int
    role: str
    """What it is for, in words."""


@dataclass(frozen=True, slots=True)
class MappingSheet:
    """The mappings in force."""

    head: RevisionHead | None
    """The revision that they are; None: nothing was put in force yet."""
    files: list[SheetFile]
    texts: Mapping[str, str] = field(repr=False)
    """By file, byte for byte."""
    published: bool
    """They are published; else the home's files count, from a restart on."""
    notice: str
    """How the home's own files differ from those published; empty: they do not."""


def sheet(desk: Desk) -> MappingSheet:
    """Return the mappings in force, as the ledger has them."""
    with desk.ledger.read() as tx:
        newest = mapping_revisions.newest(tx)
    texts = dict(newest.files if newest is not None else desk.config.files)
    users = _users(desk.config)
    return MappingSheet(
        head=newest.head if newest is not None else None,
        files=[
            SheetFile(name, text.count("\n") + 1, _role(name, users.get(name, [])))
            for name, text in sorted(texts.items())
        ],
        texts=texts,
        published=desk.config.from_ledger,
        notice=mapping_folders.notice(desk.config),
    )


def _users(config: Config) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, connection in config.connections.items():
        found.setdefault(f"{connection.mapping}.yaml", []).append(name)
    return found


def _role(name: str, connections: Sequence[str]) -> str:
    if name in ROLES:
        return ROLES[name]
    if connections:
        return f"how records of {', '.join(connections)} read and write"
    return "no connection uses it"


def without_people(found: Iterable[FileDifference]) -> list[FileDifference]:
    """Return differences without the lines of the file that names people."""
    hidden = ["(names people: your role does not see its lines)"]
    return [
        FileDifference(each.file, each.change, hidden) if each.file == PEOPLE else each
        for each in found
    ]


@dataclass(slots=True)
class KeptMatrix:
    """What travels where, proved once for each state of the files; all who look share it."""

    _of: Config | None = None
    _rows: tuple[MatrixRow, ...] = ()
    _turn: Lock = field(default_factory=Lock)

    def rows(self, desk: Desk) -> tuple[MatrixRow, ...]:
        """Return a row for each field of each sync."""
        with self._turn:
            if self._of is not desk.config:
                self._of, self._rows = desk.config, proof_of(desk.config).matrix
            return self._rows


@dataclass(slots=True)
class KeptProofs:
    """What proofs of drafts found, for a minute: a page that is loaded again costs none."""

    _found: dict[tuple[str, int, str], tuple[datetime, Proof]] = field(default_factory=dict)
    _turn: Lock = field(default_factory=Lock)

    def of(self, desk: Desk, files: Mapping[str, str]) -> Proof:
        """Return what is wrong with files, and worth knowing of them."""
        key = (desk.config.revision, desk.config.number, mapping_revisions.checksum(files))
        now = desk.now()
        with self._turn:
            at, proof = self._found.get(key, (None, Proof()))
        if at is None or not timedelta() <= now - at < KEPT:
            proof = mapping_proof.proved_files(desk, files).proof
            with self._turn:
                if len(self._found) >= MOST_KEPT:
                    self._found.clear()
                self._found[key] = now, proof
        return proof
