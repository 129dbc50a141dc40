"""The memory of a worker over a ledger of a million links, with a day's edits played fast.

A real worker, as `bridge up` starts it. Edits are made known a few hundred at a time, so that it is
never out of work; its memory is looked at twice a second.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import requests

from bench.estate import Estate, make_home, vendor
from bench.figures import figure
from bench.scaling import running
from bridge.core.model.values import Ref
from bridge.ledger import hints

MOST_MB = 150.0
MOST_RISE = 1.05
AHEAD = 400
"""Edits that are known of and not yet written, at most."""
LOOK_SECONDS = 0.5
PATIENCE = 120.0
"""Without any write for so long, something is wrong."""


def rss_mb(pid: int) -> float:
    """Give the memory that a process has now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def written(url: str) -> int:
    """Give how many tickets of an account were written."""
    return int(requests.get(url + "/written", timeout=30).json()["written"])


class Player:
    """Makes edits known."""

    def __init__(self, estate: Estate, links: int, edits: int) -> None:
        self.estate, self.edits, self.known = estate, edits, 0
        self.between = links // edits

    def go_on(self, done: int) -> None:
        """Make as many more known as may be outstanding."""
        until = min(self.edits, done + AHEAD)
        with self.estate.ledger.transaction() as tx:
            now = self.estate.clock.now()
            for number in range(self.known, until):
                hints.give(tx, Ref("left", "ticket", f"tkt_{number * self.between}"), now)
        self.known = until


def measure(links: int, edits: int) -> dict:
    """Let a worker mirror so many edits, all over the ledger; give the most memory it had."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "home"
        left = stack.enter_context(vendor(links, 0.0, "--lazy", "--edited"))
        right = stack.enter_context(vendor(links, 0.0, "--lazy"))
        make_home(home, left, right)
        estate = Estate(home)
        estate.populate(links)
        player = Player(estate, links, edits)
        parts = stack.enter_context(running(home, 1, "web"))
        worker = next(child for child in parts.children.running if child.name == "worker 1")
        samples, done, began = [], 0, time.monotonic()
        moved = began
        while done < edits:
            player.go_on(done)
            time.sleep(LOOK_SECONDS)
            parts.look_after()
            before, done = done, written(right)
            moved = time.monotonic() if done > before else moved
            if time.monotonic() - moved > PATIENCE or worker.failures or worker.process is None:
                raise SystemExit(f"{done} of {edits} tickets were written")
            samples.append(rss_mb(worker.process.pid))
        estate.ledger.close()
    most = [max(quarter) for quarter in quarters(samples)]
    return {
        "links": links,
        "edits": edits,
        "per_second": edits / (time.monotonic() - began),
        "by_quarter": most,
        "most": max(most),
        "rise": most[3] / most[1],
    }


def quarters(samples: list[float]) -> list[list[float]]:
    """Divide what was seen by time; a quarter too short for a look has the first after it."""
    cuts = [len(samples) * quarter // 4 for quarter in range(5)]
    return [samples[begin : max(end, begin + 1)] for begin, end in pairwise(cuts)]


def run(links: int = 1_000_000, edits: int = 50_000) -> dict:
    """Play one day."""
    found = measure(links, edits)
    return {
        "name": "memory of a worker",
        "measured": found,
        "figures": [
            figure(
                "worker's memory, 1 M links, a day's edits", found["most"], unit="MB", limit=MOST_MB
            ),
            figure(
                "the same, last quarter of the day",
                found["rise"],
                peer="second quarter",
                limit=MOST_RISE,
            ),
        ],
    }
