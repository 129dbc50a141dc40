"""Announce again what is due in the ledger: the net under every bell that nobody heard."""

from __future__ import annotations

from bridge import wiring


def run() -> None:
    """Ring for each lane that has due work."""
    wiring.current().announce()
