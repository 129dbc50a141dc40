"""What became of everything in the end, and what of it breaks a promise."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.ledger.webhook_inbox import PENDING
from bridge.verify import report as verify

REPEATED = 200
"""What the receiver answers where it knows the delivery already; 202: it is new."""


@dataclass(slots=True)
class Outcome:
    """What became of everything, judged from outside."""

    report: verify.Report
    accepted: int
    """Webhooks that were answered with 2xx."""
    lost: list[str] = field(default_factory=list)
    """Of these, what the inbox does not account for, or has no final verdict on."""
    account: str = ""
    balanced: bool = False
    left: list[tuple[str, str]] = field(default_factory=list)
    """Writes whose fate is still not known: connection and fields."""

    @property
    def faults(self) -> list[str]:
        """Give what is wrong, in words; empty: every promise was kept."""
        found = [f"accepted webhook lost: {one}" for one in self.lost]
        if not self.report.ok:
            kept = {
                "not_carried",
                "window_edits",
                "unseen_edits",
                "unread_edits",
                "before_they_met",
                "ignored_writes",
            }
            rows = {
                kind: rows[:5] for kind, rows in self.report.details.items() if kind not in kept
            }
            cases = json.dumps(rows, ensure_ascii=False, indent=1, default=str)
            found.append(f"the sides do not agree: {cases}")
        if self.report.forbidden_calls:
            found.append(f"{self.report.forbidden_calls} calls that a sync must never make")
        if not self.balanced:
            found.append(f"the account of webhooks does not add up: {self.account}")
        if self.left:
            found.append(f"writes of unknown fate are left: {self.left}")
        return found


def lost_of(webhooks: Iterable[Mapping[str, Any]], rows: Iterable[Any]) -> list[str]:
    """Return in words what the receiver took, and the inbox does not account for.

    `webhooks`: the deliveries in the vendors' journals; `rows`: the inbox. One that was answered
    202 has a row with its number. One that was answered 200 was taken for another's repetition, as
    two are where nothing but an unsigned number tells them apart: that one's row counts it.
    """
    lost, known = [], set()
    repetitions: Counter[str] = Counter()
    for row in rows:
        known |= {(row.connection, value) for value in row.headers.values()}
        repetitions[row.connection] += row.deliveries - 1
        if row.verdict == PENDING:
            lost.append(f"{row.connection} {row.headers}: pending")
    for sent in webhooks:
        name, note = sent["connection"], sent["note"]
        if sent["status"] == REPEATED:
            repetitions[name] -= 1
        elif is_taken(sent["status"]) and (name, note) not in known:
            lost.append(f"{name} {note}: no row")
    missing = {name: -left for name, left in repetitions.items() if left < 0}
    return lost + [
        f"{name}: {left} repetitions that no row counts" for name, left in missing.items()
    ]


def is_taken(status: int) -> bool:
    """Return whether the receiver took a delivery that was answered so."""
    return 200 <= status < 300
