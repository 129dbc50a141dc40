"""Faults on purpose: which there are, how often each strikes, and how often it did."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

BEFORE = ("error-before",)
"""A 500 of a call that did nothing."""
AFTER = ("error-after", "reset-after", "timeout-after")
"""The write is done, and its caller does not learn it: a 500, a cut connection, or silence."""
THROTTLE = "throttle"
WEBHOOK = ("webhook-lost", "webhook-duplicated", "webhook-reordered", "webhook-delayed")
KINDS = (*BEFORE, *AFTER, THROTTLE, *WEBHOOK)
ARRIVING = "webhooks"
"""Only for `parse`: the share of webhooks that arrive. `webhooks=0` loses every one."""

USUAL: Mapping[str, float] = {
    "error-before": 0.03,
    "error-after": 0.02,
    "reset-after": 0.01,
    "timeout-after": 0.01,
    "throttle": 0.02,
    "webhook-lost": 0.10,
    "webhook-duplicated": 0.10,
    "webhook-reordered": 0.10,
    "webhook-delayed": 0.05,
}
"""The shares that a plain `--faults` means."""


class Dropped(Exception):
    """The caller gets no whole answer to a call that was done; the transport shows `kind`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Faults:
    """Draws faults with the randomness that it is given, and counts those that happened."""

    def __init__(self, rng: random.Random, shares: Mapping[str, float] | None = None) -> None:
        self._rng = rng
        self.shares: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self.set(shares or {})

    def set(self, shares: Mapping[str, float]) -> None:
        """Replace the shares. Raises ValueError, naming what is wrong."""
        for kind, share in shares.items():
            if kind not in KINDS:
                raise ValueError(
                    f"unknown fault {kind!r}; allowed: {', '.join((*KINDS, ARRIVING))}"
                )
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise ValueError(f"share of {kind}: {share!r} is not a number from 0 to 1")
        self.shares = dict(shares)

    def as_dict(self) -> dict[str, Any]:
        """Return shares and counts as JSON values."""
        return {"shares": self.shares, "counts": dict(self.counts)}

    def draw(self, kinds: Iterable[str]) -> str:
        """Return the first of the kinds that strikes now, or an empty string."""
        for kind in kinds:
            share = self.shares.get(kind, 0.0)
            if share and self._rng.random() < share:
                self.counts[kind] += 1
                return kind
        return ""


def parse(text: str) -> dict[str, float]:
    """Read `KIND=SHARE,…`, also `webhooks=SHARE`. Raises ValueError.

    An empty text means the usual shares.
    """
    if not text:
        return dict(USUAL)
    shares: dict[str, float] = {}
    for part in text.split(","):
        kind, share = part.partition("=")[0].strip(), float(part.partition("=")[2])
        if kind == ARRIVING:
            kind, share = "webhook-lost", 1 - share
        shares[kind] = share
    Faults(random.Random(0), shares)
    return shares
