"""Opens the ledger and its transactions, and hides where SQLite and PostgreSQL differ."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from threading import RLock
from typing import Any, cast

import sqlalchemy
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Table,
    any_,
    bindparam,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import StaticPool

from bridge.errors import LedgerError, NoLedger
from bridge.ledger.driver_errors import (
    Contended,
    DiskFull,
    TakesNoWrites,
    TransactionLost,
    Unreachable,
    hide_values,
    ledger_error,
    transaction_lost,
)
from bridge.ledger.sqlite_lock import write_lock
from bridge.ledger.table_versions import known_versions, stored_versions

__all__ = ["Contended", "DiskFull", "TakesNoWrites", "TransactionLost", "Unreachable"]

Tx = Connection
"""An open transaction, the first argument of every function of the ledger."""

BUSY_SECONDS = 30
POOL_SECONDS = 10
"""For so long a thread waits for a connection where others have all of them."""
_IN_MEMORY = frozenset({None, "", ":memory:"})
UPGRADE_LOCK = 0x6272_6964_6765
"""An advisory lock's number (the letters "bridge"), so that two upgrades wait for each other."""


class Ledger:
    """One database, opened by one process and shared by its threads."""

    def __init__(self, url: str, *, scratch: bool = False) -> None:
        """Open a ledger. `scratch`: an empty one, in memory, whose larger part is a nameless file.

        SQLite deletes that file as it opens it, so that nothing is left whatever happens.
        """
        self.url = _url(url)
        self._write_lock: Callable[[], AbstractContextManager[None]] = nullcontext
        # A ledger in memory is one connection, which its threads can only use in turn.
        self._turn: AbstractContextManager[object] = nullcontext()
        self.shown = _shown(self.url)
        self._is_sqlite = self.url.get_backend_name() == "sqlite"
        if self._is_sqlite:
            self.engine = _sqlite(self.url, scratch=scratch)
            if self.url.database in _IN_MEMORY:
                self._turn = RLock()
            else:
                self._write_lock = write_lock(Path(str(self.url.database)))
        else:
            self.engine = _postgresql(self.url)

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Open a writing transaction: committed when the block ends, rolled back if it raises.

        Raises TransactionLost where the block has ended and the database had given it up.
        """
        with self._write_lock(), self._connected() as connection, connection.begin():
            if self._is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            if _is_lost(connection):
                raise transaction_lost(None, self.shown, self.url)

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """Open a read-only transaction; on SQLite it neither waits for a writer nor blocks one."""
        with self._connected() as connection:
            if not self._is_sqlite:
                connection = connection.execution_options(postgresql_readonly=True)  # noqa: PLW2901
            with connection.begin():
                if self._is_sqlite:
                    connection.exec_driver_sql("BEGIN")
                yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Tx]:
        """Open a read-only transaction that sees one moment, however long it takes."""
        if self._is_sqlite:  # its transactions are all like that
            with self.read() as connection:
                yield connection
            return
        with self._connected() as connection:
            connection = connection.execution_options(  # noqa: PLW2901
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            with connection.begin():
                yield connection

    def upgrade(self) -> None:
        """Bring the tables to this version; a SQLite file is readable by its owner only."""
        if self.engine.dialect.name == "sqlite" and self.url.database not in _IN_MEMORY:
            _make_file(Path(str(self.url.database)))
        from bridge.ledger.upgrading import upgrade_tables  # noqa: PLC0415 - with all of Alembic

        with self.transaction() as tx:
            advisory_lock(tx, UPGRADE_LOCK)
            self._refuse_newer(stored_versions(tx))
            upgrade_tables(tx)

    def check(self) -> None:
        """Raise LedgerError, saying what to do, unless the tables are those of this version.

        NoLedger when there are none.
        """
        if self.engine.dialect.name == "sqlite" and not self._file_exists():
            raise NoLedger(
                f"there is no ledger at {self.shown}: run `bridge db upgrade` to make one"
            )
        if self.engine.dialect.name == "sqlite" and self.url.database not in _IN_MEMORY:
            _make_private(Path(str(self.url.database)))
        with self.read() as tx:
            current = stored_versions(tx)
        self._refuse_newer(current)
        if not current:
            raise NoLedger(f"the ledger at {self.shown} has no tables yet: run `bridge db upgrade`")
        if current != known_versions()[-1:]:
            raise LedgerError(
                f"the ledger at {self.shown} is of an older version ({', '.join(current)}): "
                "stop the bridge, make a backup, run `bridge db upgrade`"
            )

    def holds(self, table: str) -> bool:
        """Return whether there is a ledger, of whatever version, with this table."""
        if self._is_sqlite and not self._file_exists():
            return False
        with self.read() as tx:
            return inspect(tx).has_table(table)

    def revision(self) -> tuple[str, str]:
        """Return the ledger's revision (empty: none) and the one that this version needs."""
        with self.read() as tx:
            current = stored_versions(tx)
        return ", ".join(current), known_versions()[-1]

    @property
    def folder(self) -> Path | None:
        """Return the folder of a ledger that is a file; None: it is none."""
        if self.engine.dialect.name != "sqlite" or self.url.database in _IN_MEMORY:
            return None
        return Path(str(self.url.database)).absolute().parent

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _file_exists(self) -> bool:
        name = self.url.database
        return name in _IN_MEMORY or Path(str(name)).exists()

    def _refuse_newer(self, current: Sequence[str]) -> None:
        unknown = set(current) - set(known_versions())
        if unknown:
            raise LedgerError(
                f"the ledger at {self.shown} was written by a newer version of the bridge "
                f"(revision {', '.join(sorted(unknown))}): "
                "install that version, or restore a backup from before it"
            )

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with self._turn, self._translated_errors(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, NoConnection, PendingRollbackError) as error:
            if (known := ledger_error(error, self.shown, self.url)) is not None:
                raise known from error
            raise


@contextmanager
def savepoint(tx: Tx) -> Iterator[None]:
    """Roll back only this block when it raises; the transaction around it goes on.

    Raises TransactionLost where the database has given that up, before the block or within it.
    """
    url = tx.engine.url
    if _is_lost(tx):
        raise transaction_lost(None, _shown(url), url)
    try:
        # Plain SQL: SQLAlchemy's nested transactions cost five times as much as a savepoint.
        tx.exec_driver_sql("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if not (tx.invalidated or _is_lost(tx)):
                tx.exec_driver_sql("ROLLBACK TO SAVEPOINT part")
                # Released, or it would hide an outer savepoint of the same name.
                tx.exec_driver_sql("RELEASE SAVEPOINT part")
            raise
        tx.exec_driver_sql("RELEASE SAVEPOINT part")
    except TransactionLost:
        raise
    except Exception as error:
        if _is_lost(tx):
            raise transaction_lost(error, _shown(url), url) from error
        known = ledger_error(error, _shown(url), url) if isinstance(error, DBAPIError) else None
        if known is not None:
            raise known from error
        raise


def _is_lost(tx: Tx) -> bool:
    """Return whether SQLite has rolled back the whole transaction by itself.

    It does so where its disk is full or fails in the midst of a statement. A savepoint would begin
    another transaction then, whose release commits it, and a commit would commit nothing.
    """
    if tx.dialect.name != "sqlite" or tx.invalidated:
        return False
    driver: Any = tx.connection.dbapi_connection
    return not driver.in_transaction


def insert(tx: Tx, table: Table) -> postgresql.Insert:
    """Return an INSERT that knows ON CONFLICT, for the transaction's database."""
    return insert_for(tx.dialect.name, table)


def is_added(tx: Tx, table: Table, values: Mapping[str, Any]) -> bool:
    """Add a row; return False, and add none, where one is there that it would collide with.

    PostgreSQL's driver does not tell how many rows an INSERT has made: the row itself does.
    """
    key = next(iter(table.primary_key))
    made = insert(tx, table).values(dict(values)).on_conflict_do_nothing().returning(key)
    return tx.execute(made).first() is not None


def insert_for(dialect: str, table: Table) -> postgresql.Insert:
    """Return that INSERT by the dialect's name, for statements that are built once and cached."""
    if dialect == "sqlite":
        return cast("postgresql.Insert", sqlite.insert(table))
    return postgresql.insert(table)


def advisory_lock(tx: Tx, number: int) -> None:
    """Lock a 64-bit number until the transaction ends; SQLite, with one writer, needs no lock."""
    if tx.dialect.name != "sqlite":
        tx.execute(select(func.pg_advisory_xact_lock(bindparam("number", number, BigInteger))))


def advisory_locks(tx: Tx, numbers: Sequence[int]) -> None:
    """Lock several such numbers, in this order."""
    if numbers and tx.dialect.name != "sqlite":
        tx.execute(_LOCKS, {"numbers": list(numbers)})


_LOCKS = text(
    "SELECT pg_advisory_xact_lock(number) FROM unnest(CAST(:numbers AS bigint[])) AS number"
)


def one_of(dialect: str, column: Column[Any]) -> ColumnElement[bool]:
    """Return the condition that a column is one of `:ids`, a list of any length.

    The list is one parameter: to bind each item costs more than the search itself.
    """
    if dialect == "sqlite":
        items = func.json_each(bindparam("ids", type_=JSON)).table_valued("value")
        return column.in_(select(items.c.value))
    return column == any_(bindparam("ids", type_=ARRAY(column.type)))


def _shown(url: URL) -> str:
    """Return an address as people may see it: where it leads, and nothing of user and query."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{url.database or ''}"
    host = url.host or str(url.query.get("host", "")) or "the usual socket"
    port = f":{url.port}" if url.port else ""
    return f"{url.drivername}://{host}{port}/{url.database or ''}"


def _url(text: str) -> URL:
    try:
        url = make_url(text)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise LedgerError(
            "the ledger's address is not a database URL; "
            "allowed: sqlite:///path, postgresql://user@host/name"
        ) from None  # its text has pieces of the address
    kind = url.get_backend_name()
    if kind not in {"sqlite", "postgresql"} and not url.drivername.startswith("postgres"):
        raise LedgerError(
            f"the ledger cannot be a {kind} database; "
            "allowed: sqlite:///path, postgresql://user@host/name"
        )
    return url if kind == "sqlite" else url.set(drivername="postgresql+psycopg")


def _sqlite(url: URL, *, scratch: bool = False) -> sqlalchemy.Engine:
    arguments: dict[str, Any] = {
        "connect_args": {"timeout": BUSY_SECONDS},
        "hide_parameters": True,  # errors come into the log; the values of tickets do not
    }
    if url.database in _IN_MEMORY:
        arguments["poolclass"] = StaticPool
        arguments["connect_args"]["check_same_thread"] = False
    if scratch:
        arguments["creator"] = lambda: sqlite3.connect("", check_same_thread=False)
    engine = sqlalchemy.create_engine(url, **arguments)

    @event.listens_for(engine, "connect")
    def prepare(raw: Any, _record: Any) -> None:
        # Python's driver begins transactions by itself; switched off, since each says how it
        # begins. No listener does that: with one, SQLAlchemy looks for more at each statement.
        raw.isolation_level = None
        for pragma in (
            f"busy_timeout={BUSY_SECONDS * 1000}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
        ):
            raw.execute(f"PRAGMA {pragma}").close()

    return engine


def _postgresql(url: URL) -> sqlalchemy.Engine:
    settings = " ".join(
        (
            # No worker waits for ever behind a frozen one: the error is retried.
            f"-c lock_timeout={BUSY_SECONDS * 1000}",
            "-c idle_in_transaction_session_timeout=60000",
            # Not left to the server's defaults: after a wait for a lock a transaction must see
            # what its holder stored, and days are counted by the text of UTC timestamps.
            r"-c default_transaction_isolation=read\ committed",
            "-c timezone=UTC",
        )
    )
    arguments = {"connect_timeout": 10, "options": settings, "application_name": "bridge"}
    engine = sqlalchemy.create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=POOL_SECONDS,
        hide_parameters=True,
        connect_args=arguments,
    )
    hide_values(engine)

    @event.listens_for(engine, "checkin")
    def forget_mode(raw: Any, _record: Any) -> None:
        # After a read SQLAlchemy asks for READ WRITE. A database that was made read-only for good
        # reason (its disk is nearly full) is not to be written to.
        if raw is not None and not raw.closed:
            raw.read_only = None

    return engine


def _make_file(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One that is there is not opened. To close it again would take SQLite's locks from all of
        # this process's connections to it: others would drop the log that these still read.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        _make_private(path)
    except OSError as error:
        raise LedgerError(f"the ledger cannot be made at {path}: {error.strerror}") from error


def _make_private(path: Path) -> None:
    """Take a file that was there before, such as a copy, from all eyes but its owner's."""
    known = path.stat()
    if known.st_uid == os.getuid() and known.st_mode & 0o077:
        path.chmod(0o600)
