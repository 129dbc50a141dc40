"""What an edit, a webhook, a look of the clock, the doctor and the status page cost as it grows.

All sizes are open at once and take turns, so that what else the machine does is shared by them.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from werkzeug.test import Client

from bench.baseline.receiver import sign
from bench.estate import SIGNED_WITH, Estate, make_home, vendor
from bench.figures import figure
from bench.mirroring import ended
from bench.populating import add_history
from bench.vendor import ticket
from bridge import wiring
from bridge.operations import desk, doctor, status
from bridge.queue.bell import NullDoorbell
from bridge.supervisor.activity_log import ActivityLog
from bridge.web.app import create_app

MOST_GROWTH = 1.3
LOOKS = 5
"""Times that the clock and the status page look in a round; the median counts."""
LONGEST_LOOKS_MS = 2000.0
"""After so much no more looks are taken in the round."""


class Grown:
    """A bridge with so many links, each of which has been written once."""

    def __init__(self, stack: ExitStack, links: int) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "home"
        left = stack.enter_context(vendor(links, 0.0, "--lazy", "--edited"))
        self.right = stack.enter_context(vendor(links, 0.0, "--lazy"))
        make_home(folder, left, self.right)
        self.links, self.written = links, 0
        self.estate = Estate(folder)
        began = time.monotonic()
        self.estate.populate(links)
        add_history(self.estate.ledger, self.estate.clock.now() - timedelta(days=2))
        self.seconds = time.monotonic() - began
        stack.callback(self.estate.ledger.close)
        self.bridge = wiring.build_bridge(folder)
        stack.callback(self.bridge.close)
        self.bridge.enter("bench")
        self.activity = ActivityLog(self.bridge.ledger)
        estate = self.estate
        app = create_app(
            estate.config, estate.ledger, NullDoorbell(), estate.clock, estate.connectors
        )
        self.door = Client(app)

    def costs(self, edits: int, turn: int, turns: int) -> dict[str, float]:
        """Give CPU milliseconds: of a webhook, of the edit that it tells of, and of a look each."""
        between = self.links // (edits * turns)  # spread over all of the ledger
        numbers = [(each * turns + turn) * between for each in range(edits)]
        bodies = [
            json.dumps({"event": "ticket.updated", "data": ticket(number)}).encode()
            for number in numbers
        ]
        headers = [
            {
                "Content-Type": "application/json",
                "X-Webhook-Signature": sign(SIGNED_WITH, body),
                "X-Webhook-Delivery": f"delivery-{number}",
            }
            for body, number in zip(bodies, numbers, strict=True)
        ]

        def deliver() -> None:
            for body, head in zip(bodies, headers, strict=True):
                answer = self.door.post("/webhooks/left", data=body, headers=head)
                if answer.status_code != 202:
                    raise SystemExit(f"a webhook was answered with {answer.status_code}")

        intake, mirror = cpu_ms(deliver) / edits, cpu_ms(self.estate.work) / edits
        self.written += edits
        ended(self.right, self.written)
        return {
            "intake": intake,
            "mirror": mirror,
            "look of the clock": _median(self._tick),
            "doctor": _median(self._examine),
            "status": _median(self._show_status),
        }

    def _tick(self) -> None:
        self.bridge.note_newest_create()
        self.bridge.start_due_runs()
        self.activity.update()
        self.bridge.announce()
        self.bridge.renew_census()  # at the first look; later ones see that it is not due

    def _examine(self) -> None:
        doctor.examine(desk.of(self.bridge, "bench"))  # four times a minute, in the clock

    def _show_status(self) -> None:
        status.overview(desk.of(self.bridge, "bench"))


def cpu_ms(act: Callable[[], object]) -> float:
    """Give the CPU time that this process takes for it."""
    began = time.process_time()
    act()
    return (time.process_time() - began) * 1000


def _median(act: Callable[[], object]) -> float:
    costs: list[float] = []
    while len(costs) < LOOKS and sum(costs) < LONGEST_LOOKS_MS:
        costs.append(cpu_ms(act))
    return statistics.median(costs)


def measure(sizes: tuple[int, ...], edits: int, rounds: int) -> list[dict[int, dict[str, float]]]:
    """Give the costs of each round by size; a turn before the first one counts nothing."""
    turns = rounds + 1
    with ExitStack() as stack:
        grown = [Grown(stack, size) for size in sizes]
        found = [
            {each.links: each.costs(edits, turn, turns) for each in grown} for turn in range(turns)
        ]
    return found[1:]


def run(
    sizes: tuple[int, ...] = (1000, 100_000, 1_000_000), edits: int = 200, rounds: int = 4
) -> dict:
    """Give what each costs with the most links, the fewest = 1."""
    found = measure(sizes, edits, rounds)
    least, figures = sizes[0], []
    for what in found[0][least]:
        for size in sizes[1:]:
            ratios = [each[size][what] / each[least][what] for each in found]
            limit = MOST_GROWTH if size == sizes[-1] else None
            figures.append(
                figure(
                    f"{what}, CPU, {words(size)} links",
                    ratios,
                    peer=f"{words(least)} links",
                    limit=limit,
                )
            )
        costs = [each[sizes[-1]][what] for each in found]
        figures.append(figure(f"{what}, CPU, {words(sizes[-1])} links, each", costs, unit="ms"))
    return {"name": "growth of the ledger", "measured": found, "figures": figures}


def words(size: int) -> str:
    """Write a size: 100 k."""
    return f"{size // 1_000_000} M" if size >= 1_000_000 else f"{size // 1000} k"
