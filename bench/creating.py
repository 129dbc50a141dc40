"""Copying an account into an empty one, against a bare loop that POSTs as many at a time."""

from __future__ import annotations

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

import requests

from bench.estate import CONCURRENCY, Estate, make_home, vendor
from bench.figures import figure
from bench.vendor import ticket
from bridge.runs import backfill

LEAST, LEAST_INSTANT = 0.9, 0.4
LATENCY = 0.05
MOST_CALLS = 1.5
MATCH = "[[customer, subject]]"


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
    """Import so many tickets, listing and all; give the rate."""
    estate = Estate(folder)
    began = time.perf_counter()
    with estate.ledger.transaction() as tx:
        for name in ("left", "right"):  # as `bridge backfill` does
            backfill.start(tx, name, "ticket", estate.clock.now())
    estate.work()
    seconds = time.perf_counter() - began
    made = requests.get(url + "/posted", timeout=10).json()["posted"]
    if made != count:
        raise SystemExit(f"{made} of {count} tickets were copied")
    return count / seconds


def measure(count: int, latency: float, match: str = "") -> dict:
    """Compare the two, each against an empty vendor of its own that takes so long for an answer.

    The tickets are new, so that a POST leaves them as they should be: both end with the same
    account. With match rules, each has to be known for one that is not there.
    """
    with (
        tempfile.TemporaryDirectory() as name,
        vendor(count, latency, "--fresh") as left,
        vendor(0, latency) as right,
        vendor(0, latency) as other,
    ):
        make_home(Path(name) / "home", left, right, match=match)
        ours = bridged(Path(name) / "home", right, count)
        asked = requests.get(right + "/asked", timeout=10).json()["asked"]
        loop = bare(other, count)
    return {
        "tickets": count,
        "latency": latency,
        "match": match,
        "calls_per_ticket": asked / count,
        "bare_per_second": loop,
        "ours_per_second": ours,
        "ratio": ours / loop,
    }


def run(count: int = 10_000, instant: int = 2000, rounds: int = 3) -> dict:
    """Measure with a vendor that takes as long as a real one (50 ms), and with one at no cost.

    Of the long ones only the first round has the whole size: it takes five minutes.
    """
    shorter = count // 4
    real = [measure(shorter if turn else count, LATENCY) for turn in range(rounds)]
    matched = [measure(shorter, LATENCY, MATCH) for _ in range(rounds)]
    free = [measure(instant, 0.0) for _ in range(rounds)]
    calls = [each["calls_per_ticket"] for each in matched]
    figures = [
        figure("calls to the target for each, match rules", calls, unit="", limit=MOST_CALLS)
    ]
    for what, found, least in (
        ("import, 50 ms a call", real, LEAST),
        ("import, 50 ms a call, match rules", matched, LEAST),
        ("import, instant vendor", free, LEAST_INSTANT),
    ):
        ratios = [each["ratio"] for each in found]
        figures += [
            figure(what, ratios, peer="bare POSTs, 4 at once", limit=-least),
            figure(f"{what}: bridge", [each["ours_per_second"] for each in found], unit="/s"),
        ]
    return {
        "name": "copying an account into an empty one",
        "measured": [*real, *matched, *free],
        "figures": figures,
    }
