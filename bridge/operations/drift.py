"""Differences that reconciliation found lately, and the share that no webhook had told of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

from bridge.ledger import drift_findings
from bridge.ledger.drift_findings import Drifted, DriftTally, MissRate
from bridge.operations.desk import Desk

__all__ = [
    "Drift",
    "DriftDay",
    "DriftLook",
    "DriftRates",
    "DriftReason",
    "DriftSource",
    "Drifted",
    "RecentDrift",
    "look",
    "missed_share",
    "recent",
]

LOOKED_AT: Final = 20_000
"""So many findings are looked at for one page; the next page goes on from there."""
KEPT: Final = timedelta(seconds=30)
"""Rates are counted again after so long."""
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
    recently: RecentDrift | None = None,
) -> DriftLook:
    """Return the drift of the last days, and a page of findings. Raises UnknownName.

    `missed`: of single findings only those that no webhook told of. `recently`: what was counted
    lately, for all who look.
    """
    if connection is not None:
        desk.connection(connection)
    with desk.ledger.read() as tx:
        found, following = drift_findings.page(
            tx, connection=connection, missed=missed, before=before, limit=limit, within=LOOKED_AT
        )
    rates = (recently or RecentDrift()).current(desk, connection, days)
    return DriftLook(rates.sources, rates.reasons, found, following)


@dataclass(frozen=True, slots=True)
class DriftRates:
    """What drifted by source and day, and why no webhook had told."""

    at: datetime
    sources: list[DriftSource]
    reasons: list[DriftReason]


def rates(desk: Desk, connection: str | None, days: int) -> DriftRates:
    """Count what drifted at a connection, or at all, in the last days."""
    now = desk.now()
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=days - 1)
    named = [f"{since + timedelta(days=number):%Y-%m-%d}" for number in range(days)]
    with desk.ledger.read() as tx:
        tallies = drift_findings.tallied(tx, since, connection)
    return DriftRates(now, _sources(tallies, named), _reasons(tallies))


@dataclass(slots=True)
class RecentDrift:
    """The rates for many who look at once: they are counted once in a while, for all of them."""

    _counted: dict[tuple[str | None, int], DriftRates] = field(default_factory=dict)
    _turn: Lock = field(default_factory=Lock)

    def current(self, desk: Desk, connection: str | None, days: int) -> DriftRates:
        """Return rates that are no older than KEPT."""
        with self._turn:
            known = self._counted.get((connection, days))
            if known is None or not timedelta() <= desk.now() - known.at < KEPT:
                known = self._counted[connection, days] = rates(desk, connection, days)
            return known


def _sources(tallies: Sequence[DriftTally], days: Sequence[str]) -> list[DriftSource]:
    found: dict[str, Counter[str]] = {}
    missed: dict[str, Counter[str]] = {}
    healed: Counter[str] = Counter()
    for tally in tallies:
        name = tally.connection
        found.setdefault(name, Counter())[tally.day] += tally.found
        missed.setdefault(name, Counter())[tally.day] += tally.found if tally.is_miss else 0
        healed[name] += tally.healed
    return [
        DriftSource(
            connection=name,
            days=[DriftDay(day, found[name][day], missed[name][day]) for day in days],
            found=found[name].total(),
            missed=missed[name].total(),
            healed=healed[name],
        )
        for name in sorted(found)
    ]


def _reasons(tallies: Iterable[DriftTally]) -> list[DriftReason]:
    by_reason: dict[tuple[str, str], list[DriftTally]] = {}
    for tally in tallies:
        by_reason.setdefault((tally.connection, tally.why), []).append(tally)
    reasons = [
        DriftReason(
            connection=connection,
            why=why,
            count=sum(each.found for each in same),
            last=max(each.last for each in same),
            is_miss=same[0].is_miss,
        )
        for (connection, why), same in by_reason.items()
    ]
    return sorted(reasons, key=lambda each: (-each.count, each.connection, each.why))[:MOST_REASONS]


def recent(desk: Desk, connection: str | None = None, *, days: int = 7, limit: int = 20) -> Drift:
    """Return the latest drift of a connection, or of all. Raises UnknownName."""
    if connection is not None:
        desk.connection(connection)
    with desk.ledger.transaction() as tx:
        drift_findings.mark_untold(tx)  # since the last run the first webhook may have come
        found, _ = drift_findings.page(tx, connection=connection, limit=limit, within=LOOKED_AT)
        rates = drift_findings.rates(tx, desk.now() - timedelta(days=days), connection)
        return Drift(rates=rates, found=found)


def missed_share(rate: MissRate) -> float:
    """Return the part of a day's findings that no webhook told of, from 0 to 1."""
    return rate.missed / rate.found if rate.found else 0.0
