"""Backups of the ledger: into one file while the bridge runs, and back while it does not."""

from __future__ import annotations

from pathlib import Path

from bridge.engine import worker_identity
from bridge.errors import Busy
from bridge.ledger import ledger_backup, takeover
from bridge.ledger.ledger_backup import Contents
from bridge.operations.desk import Desk
from bridge.queue import url_for

__all__ = ["Contents", "back_up", "restore"]


def back_up(desk: Desk, file: Path) -> Contents:
    """Write the whole ledger into a new file. Raises NotPossible."""
    contents = ledger_backup.write(desk.ledger, file)
    with desk.acting("backup", str(file), {"links": contents.links, "rows": contents.rows}):
        pass
    return contents


def restore(desk: Desk, file: Path, *, replace: bool) -> Contents:
    """Put a backup in place of the ledger. Raises NotPossible, and Busy while the bridge runs.

    Nothing is created at a connection then before that was compared with the ledger.
    """
    _check_stopped(desk)
    contents = ledger_backup.restore(
        desk.ledger, file, desk.config.connections, desk.now(), replace=replace
    )
    with desk.acting("restore", str(file), {"links": contents.links, "rows": contents.rows}):
        pass
    return contents


def _check_stopped(desk: Desk) -> None:
    """Raise Busy where a process may still write into the ledger."""
    if desk.config.settings.redis == "embedded" and url_for(desk.config.home):
        raise Busy("`bridge up` runs for this home: stop it, then ask again")
    desk.ledger.upgrade()
    with desk.ledger.read() as tx:
        owners = takeover.at_work(tx, desk.now())
    workers = [owner for owner in owners if not worker_identity.is_dead(owner)]
    if workers:
        raise Busy(
            f"{', '.join(workers)} holds work in this ledger: stop every `bridge worker`, `clock` "
            "and `web`, wait a minute, then ask again"
        )
