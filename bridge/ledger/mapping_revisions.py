"""The mappings as they were published or put in force, each with all of its files.

Numbers are given without a gap under the lock of `configurations`, and are never used twice in one
ledger; an older ledger that was put back goes on from where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select, update

from bridge.errors import NotPossible
from bridge.ledger import configurations
from bridge.ledger.database import Tx
from bridge.ledger.tables import mapping_revision

TABLE: Final = mapping_revision.name
PUBLISHED: Final = "published"
"""By an admin, from any folder."""
FROM_FILES: Final = "from files"
"""Taken from the home's own folder as the bridge started with it."""
MAX_FILES: Final = 100
MAX_BYTES: Final = 4 << 20
"""Of all files of a revision together, in UTF-8."""


@dataclass(frozen=True, slots=True)
class RevisionHead:
    """What is known of a revision besides its files."""

    number: int
    parent: int | None
    """The revision that was in force before; None: it is the first."""
    state: str
    author: str
    note: str
    at: datetime
    checksum: str
    proof: Any = None
    """The proof's summary, as plain data; None: none was made."""
    effect: Any = None
    """The effect's summary, as plain data; None: it was not looked for."""


@dataclass(frozen=True, slots=True)
class MappingRevision:
    """A revision with its files."""

    head: RevisionHead
    files: Mapping[str, str] = field(repr=False)
    """File name below mappings/ (`switch.yaml`) -> its text, byte for byte."""

    @property
    def number(self) -> int:
        """Return its number, by which people speak of it."""
        return self.head.number


def checksum(files: Mapping[str, str]) -> str:
    """Return a digest that moves with every byte of the files and their names."""
    said = json.dumps(sorted(files.items()))
    return hashlib.sha256(said.encode()).hexdigest()


def add(
    tx: Tx,
    files: Mapping[str, str],
    *,
    author: str,
    now: datetime,
    note: str = "",
    state: str = PUBLISHED,
    proof: Any = None,
    effect: Any = None,
) -> MappingRevision:
    """Store files as the newest revision, which is the one in force; return it.

    It locks out every other one that does. Raises NotPossible when there are too many files, or
    they are too large.
    """
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in files.values())
    if len(files) > MAX_FILES or size > MAX_BYTES:
        raise NotPossible(
            f"mappings/ has {len(files)} files of {size} bytes together; a revision holds "
            f"{MAX_FILES} files and {MAX_BYTES >> 20} MiB"
        )
    configurations.lock(tx)
    parent = newest_number(tx)
    row = {
        "number": (parent or 0) + 1,
        "parent": parent or None,
        "state": state,
        "author": author,
        "note": note,
        "at": now,
        "checksum": checksum(files),
        "proof": proof,
        "effect": effect,
    }
    tx.execute(mapping_revision.insert().values(row | {"files": dict(files)}))
    return MappingRevision(RevisionHead(**row), dict(files))


def newest_number(tx: Tx) -> int:
    """Return the number of the revision in force; 0 when there is none."""
    return tx.execute(NEWEST_NUMBER).scalar() or 0


def newest(tx: Tx) -> MappingRevision | None:
    """Return the revision in force; None when nothing was ever put in force."""
    return get(tx, newest_number(tx))


def get(tx: Tx, number: int) -> MappingRevision | None:
    """Return a revision by its number; None when there is none."""
    if not _may_be(number):
        return None
    found = select(mapping_revision).where(mapping_revision.c.number == number)
    row = tx.execute(found).mappings().first()
    if row is None:
        return None
    head = {name: row[name] for name in row if name != "files"}
    return MappingRevision(RevisionHead(**head), row["files"])


def head(tx: Tx, number: int) -> RevisionHead | None:
    """Return what is known of a revision besides its files; None when there is none."""
    if not _may_be(number):
        return None
    row = tx.execute(_HEADS.where(mapping_revision.c.number == number)).mappings().first()
    return RevisionHead(**row) if row is not None else None


def _may_be(number: int) -> bool:
    """Return whether the database can be asked for a number, which may come from anywhere."""
    return 0 < number < 1 << 31


def list_all(tx: Tx, limit: int = 100, *, before: int | None = None) -> list[RevisionHead]:
    """Return the newest revisions, the newest first: those before a number, if one is given."""
    rows = _HEADS.order_by(mapping_revision.c.number.desc()).limit(limit)
    if before is not None and _may_be(before):
        rows = rows.where(mapping_revision.c.number < before)
    return [RevisionHead(**row) for row in tx.execute(rows).mappings()]


def note_effect(tx: Tx, number: int, effect: Any) -> None:
    """Store what a revision's effect came to, as plain data."""
    its = mapping_revision.c.number == number
    tx.execute(update(mapping_revision).where(its).values(effect=effect))


_HEADS = select(*(each for each in mapping_revision.c if each.name != "files"))
NEWEST_NUMBER = select(func.max(mapping_revision.c.number))
