"""What one mirrored edit costs: CPU, SQL statements, commits, calls.

`python -m bench.counting [--links N] [--postgres] [--rounds N] [--statements] [--profile]`. One
process mirrors N edits at vendors that take no time. Statements are counted where the driver
executes them, so that whatever the ledger is written with is counted; a bulk statement counts once,
and its rows are told beside it.
"""

from __future__ import annotations

import argparse
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from bench.estate import Estate, vendor
from bench.figures import figure
from bench.mirroring import asked, ended, hinted, in_a_file
from bench.postgres import postgres
from bench.profiling import profiled, told
from bridge.ledger.tables import metadata

WRITES = re.compile(r"\b(INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b", re.IGNORECASE)
TABLE = re.compile(
    rf"\b(?:FROM|INTO|UPDATE|JOIN)\s+\"?({'|'.join(metadata.tables)})\b", re.IGNORECASE
)
COSTS = (
    ("cpu_ms", "CPU of a mirrored edit", "ms", 5.0),
    ("statements", "statements of a mirrored edit", "", 6.0),
    ("commits", "commits of a mirrored edit", "", 0.1),
)


@dataclass(slots=True)
class Counts:
    """What was executed while counting."""

    statements: Counter[str] = field(default_factory=Counter)
    """By text."""
    rows: Counter[str] = field(default_factory=Counter)
    """Sets of parameters, by text: more than statements where one is executed for many."""
    commits: int = 0
    """Transactions that had written: each waits for the disk."""
    counting: bool = True
    _wrote: set[int] = field(default_factory=set)
    """Connections whose transaction has written."""

    def begin_anew(self) -> None:
        """Forget what was counted."""
        self.statements.clear()
        self.rows.clear()
        self.commits = 0

    def executed(self, connection: object, sql: Any, rows: int = 1) -> None:
        """Count a statement of the driver's."""
        if self.counting:
            text = " ".join(str(sql).split())
            self.statements[text] += 1
            self.rows[text] += rows
            if WRITES.search(text):
                self._wrote.add(id(connection))

    def ended(self, connection: object, how: str) -> None:
        """Count the end of a transaction."""
        if self.counting:
            self.statements[how] += 1
            self.rows[how] += 1
            self.commits += how == "COMMIT" and id(connection) in self._wrote
            self._wrote.discard(id(connection))

    def by_table(self) -> list[tuple[str, int, int]]:
        """Give kind and table, statements, and rows; the most first."""
        found: dict[str, list[int]] = {}
        for text, times in self.statements.items():
            each = found.setdefault(kind(text), [0, 0])
            each[0] += times
            each[1] += self.rows[text]
        return sorted(((name, *each) for name, each in found.items()), key=lambda row: -row[1])


def kind(text: str) -> str:
    """Give a statement's first word and its table."""
    word = text.split(" ", 1)[0].upper()
    written = WRITES.search(text)
    if word in {"WITH", "SELECT"} and written:
        word = written.group().split(" ", 1)[0].upper()
    table = TABLE.search(text)
    return f"{word} {table.group(1).lower()}" if table else word


class CountedCursor(sqlite3.Cursor):
    """A cursor that counts."""

    def execute(self, sql: str, *parameters: Any) -> Any:
        """Execute, and count it."""
        self.connection.counts.executed(self.connection, sql)
        return super().execute(sql, *parameters)

    def executemany(self, sql: str, parameters: Any) -> Any:
        """Execute for each row; counts once."""
        rows = list(parameters)
        self.connection.counts.executed(self.connection, sql, len(rows))
        return super().executemany(sql, rows)


class CountedConnection(sqlite3.Connection):
    """A connection that counts. Its own `execute` asks for a cursor, as everybody does."""

    counts = Counts()

    def cursor(self, factory: Any = CountedCursor) -> Any:
        """Give a cursor that counts."""
        return super().cursor(factory)

    def commit(self) -> None:
        """Commit, and count it."""
        if self.in_transaction:
            self.counts.ended(self, "COMMIT")
        super().commit()

    def rollback(self) -> None:
        """Roll back, and count it."""
        if self.in_transaction:
            self.counts.ended(self, "ROLLBACK")
        super().rollback()


@contextmanager
def counting() -> Iterator[Counts]:
    """Count what the drivers of SQLite and PostgreSQL execute in this process."""
    counts = Counts()
    with ExitStack() as stack:
        _count_sqlite(counts, stack)
        _count_psycopg(counts, stack)
        yield counts
        counts.counting = False


def _replace(stack: ExitStack, owner: Any, name: str, by: Callable[..., Any]) -> None:
    stack.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, by)


def _count_sqlite(counts: Counts, stack: ExitStack) -> None:
    connect = sqlite3.connect

    def counted(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **{"factory": CountedConnection} | options)
        connection.counts = counts
        return connection

    for module in (sqlite3, sqlite3.dbapi2):
        _replace(stack, module, "connect", counted)


def _count_psycopg(counts: Counts, stack: ExitStack) -> None:
    execute, executemany = psycopg.Cursor.execute, psycopg.Cursor.executemany
    commit, rollback = psycopg.Connection.commit, psycopg.Connection.rollback

    def begun(connection: psycopg.Connection) -> None:
        # The driver begins a transaction by itself, with the first statement.
        idle = connection.info.transaction_status == TransactionStatus.IDLE
        if idle and not connection.autocommit:
            counts.executed(connection, "BEGIN")

    def counted_execute(self: psycopg.Cursor, query: Any, *rest: Any, **options: Any) -> Any:
        begun(self.connection)
        counts.executed(self.connection, query)
        return execute(self, query, *rest, **options)

    def counted_executemany(
        self: psycopg.Cursor, query: Any, rows: Any, *rest: Any, **options: Any
    ) -> Any:
        rows = list(rows)
        begun(self.connection)
        counts.executed(self.connection, query, len(rows))
        return executemany(self, query, rows, *rest, **options)

    def counted_end(how: str, of: Callable[..., None]) -> Callable[..., None]:
        def end(self: psycopg.Connection) -> None:
            if self.info.transaction_status != TransactionStatus.IDLE:
                counts.ended(self, how)
            of(self)

        return end

    _replace(stack, psycopg.Cursor, "execute", counted_execute)
    _replace(stack, psycopg.Cursor, "executemany", counted_executemany)
    _replace(stack, psycopg.Connection, "commit", counted_end("COMMIT", commit))
    _replace(stack, psycopg.Connection, "rollback", counted_end("ROLLBACK", rollback))


def measure(links: int, database: str = "", *, profile: bool = False) -> dict[str, Any]:
    """Mirror so many edits; give what each cost, and what was executed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        left = stack.enter_context(vendor(links, 0.0, "--edited"))
        urls = (left, stack.enter_context(vendor(links)))
        counts = stack.enter_context(counting())
        estate = hinted(folder / "home", urls, links, database)
        counts.begin_anew()
        profiles = stack.enter_context(profiled()) if profile else []
        cpu, seconds = _worked(estate, urls[1], links)
        found = {
            "links": links,
            "cpu_ms": cpu * 1000 / links,
            "statements": counts.statements.total() / links,
            "rows": counts.rows.total() / links,
            "commits": counts.commits / links,
            "calls": asked(urls) / links,
            "per_second": links / seconds,
            "counts": counts,
        }
        estate.ledger.close()
    return found | ({"profile": told(profiles)} if profile else {})


def _worked(estate: Estate, url: str, links: int) -> tuple[float, float]:
    began, cpu = time.monotonic(), time.process_time()
    estate.work()
    cpu = time.process_time() - cpu
    return cpu, ended(url, links) - began


def rounds_of(
    links: int, rounds: int, *, on_postgres: bool, profile: bool = False
) -> list[dict[str, Any]]:
    """Measure in so many rounds, with a new ledger in each; the last one may be profiled."""
    with ExitStack() as stack:
        made = stack.enter_context(postgres()) if on_postgres else in_a_file
        return [
            measure(links, made(), profile=profile and number == rounds - 1)
            for number in range(rounds)
        ]


def run(links: int = 2000, rounds: int = 3) -> dict[str, Any]:
    """Count what an edit costs on both databases."""
    figures, measured = [], []
    for where, on_postgres in (("SQLite", False), ("PostgreSQL", True)):
        found = rounds_of(links, rounds, on_postgres=on_postgres)
        measured.append(
            [{name: of for name, of in each.items() if name != "counts"} for each in found]
        )
        for key, what, unit, most in COSTS:
            values = [each[key] for each in found]
            figures.append(
                figure(f"{what}, {where}", values, unit=unit, limit=None if on_postgres else most)
            )
    return {"name": "what an edit costs", "measured": measured, "figures": figures}


def main() -> None:
    """Print what a mirrored edit costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--links", type=int, default=1000, help="edits to mirror")
    parser.add_argument("--rounds", type=int, default=1, help="medians of so many")
    parser.add_argument("--postgres", action="store_true", help="with the ledger on PostgreSQL")
    parser.add_argument("--statements", action="store_true", help="show each statement's text")
    parser.add_argument("--profile", action="store_true", help="show where the CPU time goes")
    chosen = parser.parse_args()
    rounds = rounds_of(
        chosen.links, chosen.rounds, on_postgres=chosen.postgres, profile=chosen.profile
    )
    last, say = rounds[-1], sys.stdout.write
    clean = [each for each in rounds if "profile" not in each] or rounds
    for name in ("cpu_ms", "statements", "rows", "commits", "calls", "per_second"):
        values = [each[name] for each in clean]
        say(f"{name:<12} {statistics.median(values):>8.2f}   {[round(v, 2) for v in values]}\n")
    say("\nan edit    rows  what\n")
    for name, times, rows in last["counts"].by_table():
        say(f"{times / chosen.links:>7.3f} {rows / chosen.links:>7.3f}  {name}\n")
    if chosen.statements:
        say("\n")
        for text, times in last["counts"].statements.most_common():
            say(f"{times / chosen.links:>7.3f}  {text}\n")
    say(last.get("profile", ""))


if __name__ == "__main__":
    main()
