"""Noticing that the ledger is older than what it was: put back from a copy, or lost.

The number of its newest create is noted in a file beside it, every second. Where the file knows of
a later create, or is not there, records of ours may be at the systems that the ledger has never
heard of: nothing is created before it has caught up with them. `bridge restore` says so by itself;
this is for a ledger that was copied back by hand.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from bridge.engine.context import Context
from bridge.ledger import catch_up
from bridge.ledger.database import Ledger

FILE: Final = "newest-create"
"""In the home's `var`. It holds one number and nothing else."""
WHY_OLDER: Final = "the ledger is older than what was last done with it"

log = logging.getLogger("bridge")


def notice(ledger: Ledger, context: Context, file: Path) -> bool:
    """Have an older ledger catch up with every connection; return whether it is older."""
    noted = _noted(file)
    with ledger.read() as tx:
        newest = catch_up.newest_create(tx)
    if noted is not None and newest >= noted:
        return False
    why = catch_up.WHY_NEW if noted is None else WHY_OLDER
    with ledger.transaction() as tx:
        catch_up.begin(tx, sorted(context.connections), "poll", why, context.clock.now())
    log.info("%s: creates wait until each connection was listed", why)
    _write(file, newest)
    return True


def note(ledger: Ledger, file: Path) -> None:
    """Note the newest create, if it is another one than before."""
    with ledger.read() as tx:
        newest = catch_up.newest_create(tx)
    if _noted(file) != newest:
        _write(file, newest)


def _noted(file: Path) -> int | None:
    """Return the number in the file; None where there is none."""
    try:
        text = file.read_text(encoding="ascii")[:20].strip()
    except (OSError, ValueError):
        return None
    return int(text) if text.isdecimal() else None


def _write(file: Path, number: int) -> None:
    """Write the number. Where that is not possible, the next start is careful once more."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = file.with_suffix(".new")
        fresh.write_text(f"{number}\n", encoding="ascii")
        fresh.chmod(0o600)
        fresh.replace(file)
    except OSError as error:
        log.warning("%s cannot be written: %s", file, error.strerror)
