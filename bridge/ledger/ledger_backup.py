"""Backups of a ledger: one file, whichever database it is in, and back into either.

The file is a ledger in SQLite. It is written from one snapshot, while the bridge runs. A ledger
that was put back knows nothing of what happened since, so it has to catch up with every connection.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import delete, func, select, update

from bridge.core.model.counting import counted
from bridge.errors import LedgerError, NotPossible
from bridge.ledger import catch_up, ledger_copy, run_records, table_rows, tables
from bridge.ledger.database import Ledger, Tx
from bridge.ledger.work_kinds import JOB_KINDS

WHY: Final = "the ledger was put back from a backup"
_HEADER: Final = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds."""

    links: int
    rows: int
    newest: datetime | None
    """When the newest link was changed last: about the time of the backup, or before."""


def write(ledger: Ledger, file: Path) -> Contents:
    """Write all of a ledger into a new file that only its owner can read.

    Raises NotPossible where there is a file already, or none can be made.
    """
    if file.exists() or file.is_symlink():
        raise NotPossible(f"{file} is there already; name another file")
    with _workshop(file.parent, file) as folder:
        copy = Ledger(f"sqlite:///{folder / 'ledger.db'}")
        try:
            copy.upgrade()
            with ledger.snapshot() as source, copy.transaction() as target:
                table_rows.clear(target)  # a new ledger has a few rows
                counts = table_rows.copy(source, target)
            with copy.read() as tx:
                contents = _contents(tx, counts)
        finally:
            copy.close()
        try:
            _into_one_file(folder / "ledger.db")
            os.link(folder / "ledger.db", file)  # unlike a rename, it replaces nothing
        except OSError as error:
            raise NotPossible(f"{file} cannot be written: {error.strerror}") from error
    return contents


def restore(
    ledger: Ledger, file: Path, connections: Iterable[str], now: datetime, *, replace: bool
) -> Contents:
    """Put a backup, also of an earlier version, in place of what the ledger holds.

    The ledger has to catch up with these connections then. Raises NotPossible for a file that is no
    ledger, and for a ledger that holds anything, unless `replace`; nothing was changed then.
    """
    ledger.upgrade()
    with _readable(file) as kept, kept.read() as source, ledger.transaction() as target:
        links = target.execute(select(func.count()).select_from(tables.link)).scalar_one()
        if links and not replace:
            raise NotPossible(
                f"the ledger at {ledger.shown} holds {counted(links, 'link')}, "
                "which would be lost: "
                "back it up, then say --replace"
            )
        table_rows.clear(target)
        counts = table_rows.copy(source, target)
        table_rows.number_on(target)
        _end_what_was_under_way(target, now)
        catch_up.begin(target, sorted(connections), "full", WHY, now)
        return _contents(target, counts)


def _end_what_was_under_way(tx: Tx, now: datetime) -> None:
    """Give back what workers held when the backup was made; end runs and sessions of that time."""
    ledger_copy.give_back_claims(tx)
    tx.execute(delete(tables.work).where(tables.work.c.kind.in_(JOB_KINDS)))
    under_way = update(tables.run).where(tables.run.c.finished_at.is_(None))
    tx.execute(under_way.values(finished_at=now, error=run_records.PUT_BACK))
    tx.execute(delete(tables.catch_up))
    tx.execute(delete(tables.process))
    # Who signed out, or was put out, since the backup is not to be signed in by it again.
    tx.execute(delete(tables.web_session))
    tx.execute(delete(tables.sign_in_link))


def _contents(tx: Tx, counts: dict[str, int]) -> Contents:
    newest = tx.execute(select(func.max(tables.link.c.updated_at))).scalar()
    return Contents(counts[tables.link.name], sum(counts.values()), newest)


@contextmanager
def _readable(file: Path) -> Iterator[Ledger]:
    """Open a copy of a backup, brought to this version; the file itself is only read."""
    try:
        with file.open("rb") as opened:
            is_database = opened.read(len(_HEADER)) == _HEADER
    except OSError as error:
        raise NotPossible(f"{file} cannot be read: {error.strerror}") from error
    if not is_database:
        raise NotPossible(f"{file} is no backup of a ledger")
    with _workshop(None, file) as folder:
        try:
            shutil.copyfile(file, folder / "ledger.db")
        except OSError as error:
            raise NotPossible(f"{file} cannot be copied to {folder}: {error.strerror}") from error
        _check(folder / "ledger.db", file)
        kept = Ledger(f"sqlite:///{folder / 'ledger.db'}")
        try:
            kept.upgrade()
            yield kept
        finally:
            kept.close()


def _check(copy: Path, file: Path) -> None:
    """Raise NotPossible unless a database is whole and has the tables of a ledger."""
    opened = sqlite3.connect(copy)
    try:
        (found,) = opened.execute("PRAGMA quick_check(1)").fetchone()
        names = {name for (name,) in opened.execute("SELECT name FROM sqlite_master")}
    except sqlite3.DatabaseError as error:
        raise NotPossible(f"{file} is damaged: {error}; use another backup") from error
    finally:
        opened.close()
    if found != "ok":
        raise NotPossible(f"{file} is damaged: {found}; use another backup")
    if not {"alembic_version", tables.link.name, tables.side.name} <= names:
        raise NotPossible(f"{file} is a database, and no ledger")


def _into_one_file(path: Path) -> None:
    """Take in what stands in the log beside a database, and have it written out."""
    opened = sqlite3.connect(path)
    try:
        opened.execute("PRAGMA journal_mode=DELETE").fetchone()
    finally:
        opened.close()
    with path.open("rb") as written:
        os.fsync(written.fileno())


@contextmanager
def _workshop(parent: Path | None, file: Path) -> Iterator[Path]:
    """Make a folder that nobody else can look into, gone at the end.

    What goes wrong in it is told of the file that was asked for.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=".bridge-", dir=parent))
    except OSError as error:
        raise NotPossible(f"{parent} cannot be written into: {error.strerror}") from error
    try:
        yield folder
    except LedgerError as error:
        ours = f"the ledger at sqlite:///{folder / 'ledger.db'}"
        if ours not in str(error):
            raise
        raise NotPossible(str(error).replace(ours, f"the backup {file}")) from error
    except sqlite3.OperationalError as error:
        raise NotPossible(f"the backup {file} cannot be worked on: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
