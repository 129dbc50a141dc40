"""What the bridge does, in the log: writes, creates, what was left out, and runs.

It is taken from what the ledger holds, so that only what was committed is logged, and a dry run is
not. A log is read by many: it has names and codes in it, and no value of a ticket.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from bridge.core.model.outcome_codes import Code
from bridge.ledger import run_records
from bridge.ledger.database import Ledger
from bridge.ledger.run_records import RunRow
from bridge.supervisor.activity import SHOWN_KINDS, ActivityRow, ActivityStream

LOGGED_KINDS: Final = SHOWN_KINDS | {"not carried", "unreadable", "removed", "paused", "resumed"}
"""Kinds of timeline entries that have a line in the log."""
MAX_RUNS: Final = 100
"""So many of the newest runs are followed."""

log = logging.getLogger(__name__)


class ActivityLog:
    """Logs what has happened since it looked last."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._stream = ActivityStream(ledger, kinds=LOGGED_KINDS)
        self._stream.start_now()
        self._runs = self._newest_runs()

    def update(self) -> None:
        """Log each entry of a timeline, and each run that began or ended."""
        for row in self._stream.fresh():
            log.info("%s", row["kind"], extra=_of(row))
        before, self._runs = self._runs, self._newest_runs()
        for number, run in sorted(self._runs.items()):
            if number not in before:
                log.info("run begun", extra=_of_run(run))
            if run.finished_at is not None and (
                number not in before or before[number].finished_at is None
            ):
                self._log_end(run)

    def _newest_runs(self) -> dict[int, RunRow]:
        with self._ledger.read() as tx:
            return {run.id: run for run in run_records.recent(tx, MAX_RUNS)}

    @staticmethod
    def _log_end(run: RunRow) -> None:
        figures = {"rows": run.seen, "to_look_at": run.hinted}
        if run.error:
            code = {"code": str(Code.RUN_FAILS)}
            log.info("run failed", extra=_of_run(run) | figures | code)
        else:
            log.info("run ended", extra=_of_run(run) | figures)


def _of(row: ActivityRow) -> dict[str, str]:
    fields = [*row["fields"], *([row["field"]] if "field" in row else [])]
    about = {"ticket": row["ticket"], "connection": row["connection"], "record": row["id"]}
    about |= {"fields": ", ".join(fields), "code": row.get("code", "")}
    return {name: value for name, value in about.items() if value}


def _of_run(run: RunRow) -> dict[str, Any]:
    return {
        "run": run.id,
        "kind": run.kind,
        "connection": run.connection,
        "entity": run.entity,
    }
