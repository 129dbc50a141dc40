"""Counts webhooks by connection and outcome, for `/metrics`."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final

from bridge.core.model.outcome_codes import of_refusal

ACCEPTED: Final = "bridge_webhooks_total"
REFUSED: Final = "bridge_webhooks_refused_total"
_HELP: Final = {
    ACCEPTED: "Webhooks that were committed to the ledger, by connection and status.",
    REFUSED: "Webhooks that were refused and left nothing behind, by connection and reason.",
}


class Counters:
    """Two counters of this process. Unknown connections count as `""`, so the list cannot grow."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def accepted(self, connection: str, status: str) -> None:
        """Count a committed delivery."""
        with self._lock:
            self._counts[ACCEPTED, connection, status] += 1

    def refused(self, connection: str, reason: str) -> None:
        """Count a refusal; `reason` is an error's class name."""
        with self._lock:
            self._counts[REFUSED, connection, reason] += 1

    def count(self, connection: str, word: str) -> int:
        """Return how often a status or a reason was counted for a connection."""
        with self._lock:
            return sum(
                number
                for (_, name, what), number in self._counts.items()
                if (name, what) == (connection, word)
            )

    def lines(self) -> list[str]:
        """Return the counters in Prometheus' text format."""
        with self._lock:
            counts = sorted(self._counts.items())
        lines: list[str] = []
        for family, label in ((ACCEPTED, "status"), (REFUSED, "reason")):
            lines += [f"# HELP {family} {_HELP[family]}", f"# TYPE {family} counter"]
            lines += [
                f"{family}{labels(connection=name, **_labels(label, word))} {number}"
                for (kind, name, word), number in counts
                if kind == family
            ]
        return lines


def _labels(label: str, word: str) -> dict[str, str]:
    """Return a status or a reason as a label; a reason has its outcome code beside it."""
    return {label: word} | ({"code": of_refusal(word)} if label == "reason" else {})


def labels(**values: str) -> str:
    """Return labels in Prometheus' text format."""
    return "{" + ",".join(f'{name}="{_quoted(value)}"' for name, value in values.items()) + "}"


def _quoted(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
