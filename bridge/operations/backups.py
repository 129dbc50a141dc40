"""Backups of the ledger: into one file while the bridge runs, and back while it does not."""

from __future__ import annotations

from pathlib import Path

from bridge.engine import worker_identity
from bridge.errors import Busy
from bridge.ledger import ledger_backup, running_processes
from bridge.ledger.ledger_backup import Contents
from bridge.operations.desk import Desk
from bridge.queue.embedded_valkey import url_for

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
        processes = running_processes.running(tx, desk.now(), worker_identity.is_alive)
    if processes:
        named = ", ".join(
            f"{process.kind} ({process.id.partition(':')[0]})" for process in processes
        )
        raise Busy(
            f"these run with this ledger: {named}. Stop every `bridge web`, `worker` and `clock`, "
            "also on other machines, wait a minute, then ask again"
        )
