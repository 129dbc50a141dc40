"""The revision of a home's ledger, and its upgrade."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bridge.config import load_stores
from bridge.home import var_folder
from bridge.ledger.database import Ledger


@dataclass(frozen=True, slots=True)
class LedgerRevision:
    """At which revision a ledger is."""

    ledger: str
    """Its address, without the password."""
    revision: str
    """Empty: it has none yet."""
    needed: str
    """That of this version."""


def upgrade(home: Path) -> LedgerRevision:
    """Bring the tables to this version. Safe to run again, and from several machines at once."""
    ledger = _ledger(home)
    ledger.upgrade()
    return LedgerRevision(ledger.shown, *ledger.revision())


def revision(home: Path) -> LedgerRevision:
    """Return the revision of a home's ledger; an SQLite file that is not there is not made."""
    ledger = _ledger(home)
    name = ledger.url.database
    on_sqlite = ledger.url.get_backend_name() == "sqlite"
    exists = not on_sqlite or bool(name and Path(name).exists())
    return LedgerRevision(ledger.shown, *(ledger.revision() if exists else ("", "head")))


def _ledger(home: Path) -> Ledger:
    settings = load_stores(home, os.environ)
    if settings.database.startswith("sqlite"):
        var_folder(home)  # the folder in which the file stands
    return Ledger(settings.database)
