"""What a process does with its ledger's file leaves the connections alone that it has open."""

import subprocess
import sys

from sqlalchemy import select

from bridge.ledger import tables
from bridge.ledger.database import Ledger

COMES_AND_GOES = """
import sqlite3, sys
ledger = sqlite3.connect(sys.argv[1])
ledger.execute("SELECT count(*) FROM link").fetchone()
ledger.close()
"""


def test_an_upgrade_takes_no_lock_from_a_connection_that_is_open(sqlite_ledger):
    """Else whoever closes the file next is the last by SQLite's locks, and deletes its log."""
    path = str(sqlite_ledger.url.database)
    with sqlite_ledger.read() as tx:  # the pool keeps the connection
        tx.execute(select(tables.link.c.id)).all()
    other = Ledger(f"sqlite:///{path}")
    other.upgrade()
    other.close()
    before = [entry.stat().st_ino for entry in log_of(sqlite_ledger)]
    subprocess.run([sys.executable, "-c", COMES_AND_GOES, path], check=True)
    assert [entry.stat().st_ino for entry in log_of(sqlite_ledger)] == before != []


def log_of(ledger):
    return sorted(ledger.folder.glob("*-wal")) + sorted(ledger.folder.glob("*-shm"))
