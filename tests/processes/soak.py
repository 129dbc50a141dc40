"""`make soak MINUTES=15`: humans at work for long, and every 20 s something is killed or cut off.

Exits with 0 only when nothing was lost, no work is left, and no process grew. In the second half
receiver, clock and one of the workers are let live, so that their memory can be seen over time; the
other worker and all else is not.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from tests.processes.database import Database
from tests.processes.kit import Kit

STRIKE_SECONDS = 20.0
"""Seconds between strikes."""
AWAY_SECONDS = 5.0
"""Seconds for which a vendor or the database stays away."""
TICKETS = 40
MAX_GROWTH = 1.25
SPARE_BYTES = 16_000_000
"""Grown is what ends with more than MAX_GROWTH times its memory, and with SPARE_BYTES more."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Soak:
    """One soak: strikes drawn from a seed, memory sampled, figures printed."""

    def __init__(self, kit: Kit, database: Database, seconds: float, seed: int) -> None:
        self.kit = kit
        self.database = database
        self.rng = random.Random(seed)
        self.began = time.monotonic()
        self.half = self.began + seconds / 2
        self.end = self.began + seconds
        self.memory: dict[str, list[int]] = defaultdict(list)
        self.later: dict[str, list[int]] = defaultdict(list)

    def run(self) -> None:
        """Work and strike until the time is over."""
        strike_at = self.began + STRIKE_SECONDS
        bag: list[Callable[[], None]] = []
        while time.monotonic() < self.end:
            self.kit.work(6)
            self.sample()
            if time.monotonic() >= strike_at:
                bag = bag or self.strikes()
                bag.pop()()
                strike_at = time.monotonic() + STRIKE_SECONDS
                seconds = time.monotonic() - self.began
                tell(f"{seconds:5.0f} s  {self.kit.worked} edits  {dict(self.kit.struck)}")

    def strikes(self) -> list[Callable[[], None]]:
        """Give all strikes once, in a random order."""
        kit = self.kit
        found: list[Callable[[], None]] = [
            lambda: kit.kill("worker 1"),
            kit.kill_valkey,
            kit.empty_valkey,
            lambda: self.stop_database("fast"),
            lambda: self.stop_database("immediate"),
            lambda: self.take_away(kit.cut),
            lambda: self.take_away(kit.hang),
        ]
        if time.monotonic() < self.half:
            found += [
                lambda: kit.kill("web"),
                lambda: kit.kill("clock"),
                lambda: kit.kill("worker 1", "web", "clock"),
            ]
        self.rng.shuffle(found)
        return found

    def stop_database(self, how: str) -> None:
        """Let the ledger be away for a while."""
        self.database.stop(how)
        self.kit.struck[f"postgresql {how}"] += 1
        self.work_for(AWAY_SECONDS)
        self.database.start()

    def take_away(self, how: Callable[[str], object]) -> None:
        """Let a vendor be away for a while."""
        name = self.rng.choice(self.kit.holders)
        how(name)
        self.work_for(AWAY_SECONDS)
        self.kit.board.lines[name].mend()

    def work_for(self, seconds: float) -> None:
        """Let humans work on."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.kit.work(1)

    def sample(self) -> None:
        """Note the memory of each process and its descendants."""
        for child in self.kit.children.running:
            if child.process is not None:
                size = sum(resident(number) for number in self.kit.family(child))
                self.memory[child.name].append(size)
                if time.monotonic() > self.half:
                    self.later[child.name].append(size)
        self.memory["valkey"].append(resident(self.kit._valkey._process.pid))

    def grown(self) -> list[str]:
        """Name those that lived through the second half and grew in it."""
        found = []
        for name in ("web", "clock", "worker 2"):
            sizes = self.later[name]
            part = max(1, len(sizes) // 4)
            first, last = median(sizes[:part]), median(sizes[-part:])
            if last > first * MAX_GROWTH and last > first + SPARE_BYTES:
                found.append(f"{name} grew from {megabytes(first)} to {megabytes(last)}")
        return found


def resident(number: int) -> int:
    """Give the bytes in memory of a process; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{number}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def median(sizes: list[int]) -> int:
    return sorted(sizes)[len(sizes) // 2] if sizes else 0


def megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=3.0, help="edits a second")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bridge-soak-"))
    log = folder / "stderr.log"
    with log.open("w") as file:
        os.dup2(file.fileno(), 2)  # what the processes say is for whoever asks why it failed
    tell(f"soaking for {given.minutes:g} minutes; what the processes say: {log}")
    with (
        Database() as database,
        Kit(folder, database=database.url, seed=given.seed, workers=2, rate=given.rate) as kit,
    ):
        kit.begin(TICKETS)
        soak = Soak(kit, database, given.minutes * 60, given.seed)
        soak.run()
        outcome = kit.finish()
        report, latency = outcome.report, outcome.report.latency_ms
        tell(f"edits {report.edits_applied} by humans, tickets {report.tickets}")
        tell(f"writes {report.writes} by the bridge")
        tell(f"done to it {sum(kit.struck.values())}: {dict(sorted(kit.struck.items()))}")
        tell(f"webhooks {outcome.account}; lost {len(outcome.lost)}")
        tell(f"latency p50 {latency['p50']} ms, p95 {latency['p95']} ms, outages included")
        tell(f"converged {report.converged}")
        tell(f"duplicates {report.duplicates}, lost edits {report.lost_edits}")
        tell(f"writes of unknown fate {len(outcome.left)}, conflicts open {report.conflicts_open}")
        for name, sizes in soak.memory.items():
            shown = ", ".join(megabytes(size) for size in (sizes[0], sizes[-1], max(sizes)))
            tell(f"memory {name:<9} first, last, most: {shown}")
        faults = outcome.faults + soak.grown()
    for fault in faults:
        tell(f"FAILED: {fault}")
    if faults:
        tell("".join(f"| {line}\n" for line in log.read_text().splitlines()[-60:]))
    else:
        shutil.rmtree(folder)
    tell("failed" if faults else "passed: nothing lost, nothing left, memory flat")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
