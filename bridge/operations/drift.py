"""Differences that reconciliation found lately, and the share that no webhook had told of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from bridge.ledger import drift_findings
from bridge.ledger.drift_findings import Drifted, MissRate
from bridge.operations.desk import Desk

__all__ = [
    "Drift",
    "DriftDay",
    "DriftLook",
    "DriftReason",
    "DriftSource",
    "Drifted",
    "look",
    "missed_share",
    "recent",
]

LOOKED_AT: Final = 20_000
"""So many findings are looked at for one page; the next page goes on from there."""
MOST_REASONS: Final = 12


@dataclass(frozen=True, slots=True)
class Drift:
    """What differed. Its fields, and theirs, are the keys of `bridge drift --json`."""

    rates: list[MissRate]
    """By day and connection."""
    found: list[Drifted]
    """The newest first."""


@dataclass(frozen=True, slots=True)
class DriftDay:
    """What was found at one connection on one day."""

    day: str
    found: int
    missed: int
    """Those of `found` that no webhook told of."""


@dataclass(frozen=True, slots=True)
class DriftSource:
    """What was found at one connection, day by day."""

    connection: str
    days: list[DriftDay]
    """All days of the time that is looked at, the oldest first."""
    found: int
    missed: int
    healed: int

    @property
    def missed_share(self) -> float:
        """Return the part of the findings that no webhook told of, from 0 to 1."""
        return self.missed / self.found if self.found else 0.0


@dataclass(frozen=True, slots=True)
class DriftReason:
    """Why webhooks had not told of what was found."""

    connection: str
    why: str
    count: int
    last: datetime
    is_miss: bool
    """The vendor sent nothing."""


@dataclass(frozen=True, slots=True)
class DriftLook:
    """What drifted lately, by source and day, why no webhook had told, and single findings."""

    sources: list[DriftSource]
    reasons: list[DriftReason]
    """The most frequent first."""
    found: list[Drifted]
    """The newest first."""
    before: int | None
    """From before this on the next page of findings goes on; None: there is none."""


def look(
    desk: Desk,
    connection: str | None = None,
    *,
    missed: bool = False,
    days: int = 7,
    before: int | None = None,
    limit: int = 50,
) -> DriftLook:
    """Return the drift of the last days, and a page of findings. Raises UnknownName.

    `missed`: of single findings only those that no webhook told of.
    """
    if connection is not None:
        desk.connection(connection)
    today = desk.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=days - 1)
    named = [f"{since + timedelta(days=number):%Y-%m-%d}" for number in range(days)]
    with desk.ledger.read() as tx:
        rates = drift_findings.rates(tx, since, connection)
        reasons = drift_findings.reasons(tx, since, connection, MOST_REASONS)
        found, following = drift_findings.page(
            tx, connection=connection, missed=missed, before=before, limit=limit, within=LOOKED_AT
        )
    return DriftLook(
        sources=_sources(rates, named),
        reasons=[DriftReason(*row, is_miss=row[1] == drift_findings.SILENT) for row in reasons],
        found=found,
        before=following,
    )


def _sources(rates: Iterable[MissRate], days: Sequence[str]) -> list[DriftSource]:
    by_name: dict[str, dict[str, MissRate]] = {}
    for rate in rates:
        by_name.setdefault(rate.connection, {})[rate.day] = rate
    return [
        DriftSource(
            connection=name,
            days=[
                DriftDay(day, found[day].found, found[day].missed)
                if day in found
                else DriftDay(day, 0, 0)
                for day in days
            ],
            found=sum(rate.found for rate in found.values()),
            missed=sum(rate.missed for rate in found.values()),
            healed=sum(rate.healed for rate in found.values()),
        )
        for name, found in sorted(by_name.items())
    ]


def recent(desk: Desk, connection: str | None = None, *, days: int = 7, limit: int = 20) -> Drift:
    """Return the latest drift of a connection, or of all. Raises UnknownName."""
    if connection is not None:
        desk.connection(connection)
    with desk.ledger.transaction() as tx:
        drift_findings.mark_untold(tx)  # since the last run the first webhook may have come
        return Drift(
            rates=drift_findings.rates(tx, desk.now() - timedelta(days=days), connection),
            found=drift_findings.recent(tx, connection=connection, limit=limit),
        )


def missed_share(rate: MissRate) -> float:
    """Return the part of a day's findings that no webhook told of, from 0 to 1."""
    return rate.missed / rate.found if rate.found else 0.0
