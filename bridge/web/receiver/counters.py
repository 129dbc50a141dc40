"""Counts webhooks by connection and outcome, for `/metrics`."""

from __future__ import annotations

from typing import Final

from bridge.core.model.outcome_codes import of_refusal
from bridge.web.receiver.shared_numbers import SharedNumbers

ACCEPTED: Final = "bridge_webhooks_total"
REFUSED: Final = "bridge_webhooks_refused_total"
_PREFIX: Final = "count:"
_HELP: Final = {
    ACCEPTED: "Webhooks that were committed to the ledger, by connection and status.",
    REFUSED: "Webhooks that were refused and left nothing behind, by connection and reason.",
}


class Counters:
    """Two counters, of all server processes that share these numbers.

    Unknown connections count as `""`, so the list cannot grow.
    """

    def __init__(self, numbers: SharedNumbers | None = None) -> None:
        self._numbers = numbers or SharedNumbers()

    def accepted(self, connection: str, status: str) -> None:
        """Count a committed delivery."""
        self._numbers.add(f"{_PREFIX}{ACCEPTED}:{connection}:{status}")

    def refused(self, connection: str, reason: str) -> None:
        """Count a refusal; `reason` is an error's class name."""
        self._numbers.add(f"{_PREFIX}{REFUSED}:{connection}:{reason}")

    def count(self, connection: str, word: str) -> int:
        """Return how often a status or a reason was counted for a connection."""
        return sum(
            number
            for (_, name, what), number in self._counts()
            if (name, what) == (connection, word)
        )

    def _counts(self) -> list[tuple[tuple[str, ...], int]]:
        """Return each counter, connection and word that was counted, in order, with its number."""
        found = self._numbers.beginning(_PREFIX)
        return sorted((tuple(name.split(":")[1:]), int(value)) for name, value in found.items())

    def lines(self) -> list[str]:
        """Return the counters in Prometheus' text format."""
        counts = self._counts()
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
