"""What became of everything in the end, and what of it breaks a promise."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from bridge.verify import report as verify


@dataclass(slots=True)
class Outcome:
    """What became of everything, judged from outside."""

    report: verify.Report
    accepted: int
    """Webhooks that were answered with 2xx."""
    lost: list[str] = field(default_factory=list)
    """Of these, those without a row in the inbox, or without a final verdict."""
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
