"""The healthy neighbours at work while others answer wrongly, and how long their edits travel."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.supervisor.sandbox_client import SandboxClient
from tests.hostile.setting import NORTH, SOUTH

ARRIVAL_SECONDS = 15.0
LOOK_SECONDS = 0.02
PULSE_SECONDS = 0.3
"""Between two edits of the neighbours."""


class Pulse(threading.Thread):
    """Two healthy neighbours at work: edits in turn on either side, and how long each travels."""

    def __init__(
        self,
        clients: Mapping[str, SandboxClient],
        record: Callable[[str, str], Mapping[str, Any]],
        pairs: Sequence[tuple[str, str]],
    ) -> None:
        """Let edits be made through clients by name; `record` shows what a vendor has."""
        super().__init__(name="pulse", daemon=True)
        self.clients = clients
        self.record = record
        self.pairs = pairs
        self.arrivals: list[tuple[float, float]] = []
        """When each edit was made, and how long it took."""
        self.stop = threading.Event()

    def run(self) -> None:
        """Edit until told to stop."""
        for number in itertools.count():
            north, south = self.pairs[number % len(self.pairs)]
            here, there = (NORTH, north), (SOUTH, south)
            if number // len(self.pairs) % 2:
                here, there = there, here
            self._edit(here, there, f"edit {number} of a neighbour")
            if self.stop.wait(PULSE_SECONDS):
                return

    def _edit(self, here: tuple[str, str], there: tuple[str, str], subject: str) -> None:
        began = time.monotonic()
        self.clients[here[0]].post("edit", id=here[1], fields={"subject": subject})
        while time.monotonic() - began < ARRIVAL_SECONDS:
            if self.record(*there)["subject"] == subject:
                break
            time.sleep(LOOK_SECONDS)
        self.arrivals.append((began, time.monotonic() - began))

    def since(self, began: float, ended: float) -> list[float]:
        """Return how long the edits took that were made between two moments."""
        return [took for at, took in self.arrivals if began <= at <= ended]
