"""Two workers beside one, on PostgreSQL: real processes, as `bridge up` starts them.

Two can do more than one as long as the machine has more to give: workers, PostgreSQL and both
vendors share its cores. So it is told how busy it was.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from bench.estate import vendor
from bench.figures import figure
from bench.mirroring import LATENCY, Made, hinted
from bench.postgres import postgres
from bridge.supervisor.stack import Stack, StackSettings

LEAST = 1.7
CONCURRENCY = 64
"""Calls at once that an account takes: as many as a configuration may say."""
SKIPPED = 0.1
"""Of the writes at either end, which are made while not all of it is at work."""
PATIENCE = 600.0


@contextmanager
def running(home: Path, workers: int, *without: str, port: int = 18080) -> Iterator[Stack]:
    """Run the processes of a deployment."""
    settings = StackSettings(home, _say, port=port, workers=workers, without=without)
    with Stack(settings) as stack:
        yield stack


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def changed(url: str) -> dict[str, float]:
    """Give when each ticket of an account was last written."""
    found: dict[str, float] = requests.get(url + "/changed", timeout=30).json()["changed"]
    return found


def steady_rate(times: list[float]) -> float:
    """Give the rate of writes, but for the first and the last of them."""
    cut = int(len(times) * SKIPPED)
    middle = sorted(times)[cut : len(times) - cut]
    return (len(middle) - 1) / (middle[-1] - middle[0])


def ticks() -> tuple[int, int]:
    """Give for how long all cores have worked and idled so far, in ticks of the kernel."""
    user, nice, system, idle, waiting, *others = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    )
    return user + nice + system + sum(others), idle + waiting


def worked(workers: int, count: int, made: Made) -> tuple[float, float]:
    """Let so many workers mirror so many edits that are known of when they start.

    Gives the rate, and the share of the machine's time that was used meanwhile.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        left = stack.enter_context(vendor(count, LATENCY, "--edited"))
        right = stack.enter_context(vendor(count, LATENCY))
        estate = hinted(folder / "home", (left, right), count, made(), concurrency=CONCURRENCY)
        estate.ledger.close()
        until = time.monotonic() + PATIENCE
        parts = stack.enter_context(running(folder / "home", workers, "web"))
        busy, idle = ticks()
        while len(found := changed(right)) < count:
            parts.look_after()
            if time.monotonic() > until:
                raise SystemExit(f"{len(found)} of {count} tickets were written")
            time.sleep(0.25)
        busy, idle = (after - before for after, before in zip(ticks(), (busy, idle), strict=True))
    return steady_rate(list(found.values())), busy / (busy + idle)


def run(count: int = 3000, rounds: int = 3) -> dict:
    """Take one and two in turns."""
    with postgres() as made:
        pairs = [(worked(1, count, made), worked(2, count, made)) for _ in range(rounds)]
    what = "two workers on PostgreSQL, 50 ms a call"
    ratios = [two / one for (one, _), (two, _) in pairs]
    figures = [figure(what, ratios, peer="one worker", limit=-LEAST)]
    for number, workers in enumerate(("one", "two")):
        rates, used = zip(*(pair[number] for pair in pairs), strict=True)
        figures += [
            figure(f"{what}: {workers}", rates, unit="/s"),
            figure(f"{what}: {workers}, the machine in use", used, peer="all of its cores"),
        ]
    return {"name": "two workers beside one", "measured": pairs, "figures": figures}
