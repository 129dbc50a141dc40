"""The rows that the judge (`bridge.verify`) gets from sandboxes of this process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bridge.sandbox.vendor_app import Sandbox

Row = Mapping[str, Any]


class RowsForJudge(NamedTuple):
    """All evidence, in the order in which the judge takes it."""

    journal: list[Row]
    finals: list[Row]
    facts: list[Row]


def gather(apps: Iterable[Sandbox], facts: Iterable[Row] = ()) -> RowsForJudge:
    """Return journals, final records and descriptions of sandboxes, with the run's own facts."""
    apps = list(apps)
    return RowsForJudge(
        journal=[entry.row() for app in apps for entry in app.journal.since()],
        finals=[
            {"connection": app.name, "record": dict(record)}
            for app in apps
            for record in app.tickets()
        ],
        facts=[
            *(app.description() for app in apps),
            *({"kind": "connection", "name": app.name, "system": app.SYSTEM} for app in apps),
            *facts,
        ],
    )
