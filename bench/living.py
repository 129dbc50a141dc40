"""The time of a human's edit to the other system, with a full reconciliation running and without.

Edits and their hints come from a process of their own, as from a vendor and the receiver; one
worker does everything.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

from bench.estate import Estate, make_home, vendor
from bench.figures import figure
from bridge.clock import SystemClock
from bridge.core.model.values import Ref
from bridge.ledger import hints, run_records
from bridge.ledger.database import Ledger
from bridge.runs import reconcile

MOST_RISE = 1.2
LATENCY = 0.05
EVERY = 0.1
"""Seconds between two edits."""


def edit(database: str, url: str, first: int, count: int) -> dict[str, float]:
    """Edit tickets of the left account and hint at each; returns when each hint was stored."""
    ledger, clock, session = Ledger(database), SystemClock(), requests.Session()
    session.trust_env = False
    hinted = {}
    for number in range(first, first + count):
        name = f"tkt_{number}"
        body = json.dumps({"subject": f"Edited at {time.time()}"})
        session.patch(f"{url}/tickets/{name}", data=body, timeout=10).raise_for_status()
        with ledger.transaction() as tx:
            now = clock.now()
            hints.give(tx, Ref("left", "ticket", name), now)
        hinted[name] = time.monotonic()
        time.sleep(EVERY)
    return hinted


def live(
    estate: Estate, urls: tuple[str, str], first: int, count: int, *, reconciling: bool
) -> dict:
    """Let somebody edit while a worker works.

    Returns the times from hint to write, and how much was reconciled.
    """
    left, right = urls
    words = [
        "edit",
        estate.ledger.url.render_as_string(hide_password=False),
        left,
        str(first),
        str(count),
    ]
    command = [sys.executable, "-m", "bench.living", *words]
    listed, run_id = 0, None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        while process.poll() is None:
            if reconciling and (run_id is None or _over(estate, run_id)):
                with estate.ledger.transaction() as tx:
                    run_id = reconcile.start(tx, "left", "ticket", "full", estate.clock.now())
                listed += 1
            estate.drain.run(0.5)
            time.sleep(0.002)  # as the doorbell would wake it
        hinted = json.loads(process.stdout.read() if process.stdout else "{}")
    estate.work()
    written = requests.get(right + "/changed", timeout=10).json()["changed"]
    took = sorted(written[name] - at for name, at in hinted.items())
    return {
        "took": took,
        "p95": statistics.quantiles(took, n=20)[-1],
        "p50": statistics.median(took),
        "runs": listed,
    }


def _over(estate: Estate, run_id: str) -> bool:
    with estate.ledger.read() as tx:
        run = run_records.get(tx, run_id)
    return run is None or run.finished_at is not None


def measure(tickets: int, edits: int, rounds: int) -> dict:
    """Take turns: so many edits without, and as many with a full reconciliation after another."""
    with (
        tempfile.TemporaryDirectory() as name,
        vendor(tickets, LATENCY, "--slow-pages") as left,
        vendor(tickets, LATENCY) as right,
    ):
        make_home(Path(name) / "home", left, right)
        estate = Estate(Path(name) / "home")
        estate.populate(tickets)
        live(
            estate, (left, right), 0, 5, reconciling=True
        )  # the first run of all compares everything
        pairs = []
        for each in range(rounds):
            first = 5 + 2 * each * edits
            alone = live(estate, (left, right), first, edits, reconciling=False)
            beside = live(estate, (left, right), first + edits, edits, reconciling=True)
            pairs.append((alone, beside))
    ratios = sorted(beside["p95"] / alone["p95"] for alone, beside in pairs)
    return {
        "tickets": tickets,
        "edits": edits,
        "pairs": pairs,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def run(tickets: int = 20_000, edits: int = 100, rounds: int = 3) -> dict:
    """Measure with vendors that answer in 50 ms."""
    found = measure(tickets, edits, rounds)
    alone = [each["p95"] * 1000 for each, _beside in found["pairs"]]
    what = "hint to write, p95, beside a full run"
    return {
        "name": "edits while a full reconciliation runs",
        "measured": found,
        "figures": [
            figure(what, found["ratios"], peer="without", limit=MOST_RISE),
            figure("hint to write, p95, without", alone, unit="ms"),
        ],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["edit"])
    parser.add_argument("database")
    parser.add_argument("url")
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    chosen = parser.parse_args()
    sys.stdout.write(json.dumps(edit(chosen.database, chosen.url, chosen.first, chosen.count)))
