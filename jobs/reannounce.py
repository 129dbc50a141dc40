"""Job: ring again for what is due in the ledger, should nobody have heard the bell."""

from __future__ import annotations

from bridge import wiring


def run() -> None:
    """Ring if work is due."""
    wiring.current().announce()
