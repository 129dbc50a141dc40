"""Copying an account into an empty one, against a bare loop that only POSTs with the same concurrency."""

from __future__ import annotations

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

import requests

from bench.estate import Estate, make_home, vendor
from bench.vendor import ticket
from bridge.ledger import work

LEAST = 0.5
CONCURRENCY = 4
LATENCY = 0.05


def bare(url: str, count: int) -> float:
    """POST so many tickets; give the rate."""
    kept = local()

    def post(number: int) -> None:
        session = getattr(kept, "session", None)
        if session is None:
            kept.session = session = requests.Session()
            session.trust_env = False
        row = ticket(number)
        body = {name: row[name] for name in ("subject", "description", "priority", "tags")}
        answer = session.post(url + "/tickets", data=json.dumps(body), timeout=10)
        answer.raise_for_status()

    began = time.perf_counter()
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        list(pool.map(post, range(count)))
    return count / (time.perf_counter() - began)


def bridged(folder: Path, url: str, count: int) -> float:
    """Hint at so many tickets, and work until each has its copy; give the rate."""
    estate = Estate(folder)
    now = estate.clock.now()
    with estate.ledger.transaction() as tx:
        for number in range(count):
            name = f"tkt_{number}"
            work.raise_(
                tx, kind="observe", key=f"observe:left:ticket:{name}", connection="left", entity="ticket",
                remote_id=name, lane="backfill", due_at=now, now=now,
            )  # fmt: skip
    began = time.perf_counter()
    estate.work()
    seconds = time.perf_counter() - began
    made = requests.get(url + "/posted", timeout=10).json()["posted"]
    if made != count:
        raise SystemExit(f"{made} of {count} tickets were copied")
    return count / seconds


def measure(count: int, latency: float) -> dict:
    """Compare the two, each against a vendor of its own that takes so long for an answer."""
    with tempfile.TemporaryDirectory() as name, vendor(count, latency) as left, vendor(0, latency) as right:
        make_home(Path(name) / "home", left, right)
        ours = bridged(Path(name) / "home", right, count)
        loop = bare(right, count)
    return {
        "tickets": count,
        "latency": latency,
        "bare_per_second": loop,
        "ours_per_second": ours,
        "ratio": ours / loop,
    }


def run(count: int = 10_000) -> dict:
    """Measure with a vendor that answers as fast as one does (50 ms), and with one that costs nothing."""
    real, instant = measure(count, LATENCY), measure(min(count, 2000), 0.0)
    return {
        "name": "copying an account into an empty one",
        "measured": [real, instant],
        "figures": [
            {"what": "rate, bare POSTs = 1, vendor takes 50 ms", "value": real["ratio"], "limit": -LEAST, "unit": "x"},
            {"what": "rate, bare POSTs = 1, instant vendor", "value": instant["ratio"], "limit": None, "unit": "x"},
        ],
    }
