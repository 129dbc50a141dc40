"""The bridge beside an application without a ledger (`baseline`), and beside idle RQ jobs.

Each of the two has a pair of accounts of its own; on the left somebody has edited every ticket, and
all is known of it that a webhook tells: the hints are stored, the jobs are queued. Timed is from
there to the last write on the right.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import requests
from redis import Redis
from rq import Queue, SimpleWorker

from bench.baseline.mirror import Table, run_worker
from bench.baseline.receiver import create_app, sign
from bench.estate import CONCURRENCY, Estate, make_home, vendor
from bench.vendor import ticket
from bridge.core.model.values import Ref
from bridge.ledger import hints
from bridge.queue import Embedded

LATENCY = 0.05
NOTHING = "nothing"


def nothing() -> None:
    """Be a job."""


def asked(urls: tuple[str, str]) -> int:
    """Give how many calls the vendor has answered."""
    return sum(requests.get(url + "/asked", timeout=10).json()["asked"] for url in urls)


def ended(url: str, count: int) -> float:
    """Give when the last ticket was written; end the run unless every one was."""
    written = requests.get(url + "/changed", timeout=10).json()["changed"]
    if len(written) != count:
        raise SystemExit(f"{len(written)} of {count} tickets were written")
    return max(written.values())


def hinted(folder: Path, urls: tuple[str, str], count: int, database: str = "") -> Estate:
    """Give a bridge that knows so many tickets, and has a hint at each on the left."""
    make_home(folder, *urls)
    estate = Estate(folder, database)
    estate.populate(count)
    with estate.ledger.transaction() as tx:
        now = estate.clock.now()
        for name in (f"tkt_{number}" for number in range(count)):
            hints.give(tx, Ref("left", "ticket", name), now)
    return estate


def bridged(folder: Path, urls: tuple[str, str], count: int, database: str = "") -> float:
    """Let the bridge work in this process; give the rate."""
    estate = hinted(folder, urls, count, database)
    began = time.monotonic()
    estate.work()
    return count / (ended(urls[1], count) - began)


def mirrored(environ: Mapping[str, str], count: int, workers: int) -> float:
    """Let so many workers of the baseline work; give the rate."""
    Table(environ["MIRROR_DATABASE"]).remember(
        (f"tkt_{number}", f"tkt_{number}", str(ticket(number)["updated_at"]))
        for number in range(count)
    )
    door = create_app(environ).test_client()
    for number in range(count):
        body = json.dumps({"id": f"tkt_{number}"}).encode()
        headers = {
            "X-Webhook-Signature": sign(environ["MIRROR_SECRET"], body),
            "Content-Type": "application/json",
        }
        if door.post("/webhooks/tickets", data=body, headers=headers).status_code != 202:
            raise SystemExit("the baseline's receiver refused a webhook")
    began, _over = at_work("mirror", environ, workers)
    return count / (ended(environ["MIRROR_TARGET"], count) - began)


def idled(environ: Mapping[str, str], count: int) -> float:
    """Let one worker do jobs that do nothing; give the rate."""
    queue = Queue(NOTHING, connection=Redis.from_url(environ["MIRROR_REDIS"]))
    for _ in range(count):
        queue.enqueue("bench.mirroring.nothing", result_ttl=0)
    began, over = at_work(NOTHING, environ, 1)
    return count / (over - began)


def at_work(what: str, environ: Mapping[str, str], workers: int) -> tuple[float, float]:
    """Let workers begin together and wait; returns when they began and when all had ended."""
    command = [sys.executable, "-m", "bench.mirroring", what]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603 - our own module
                    command,
                    env={**os.environ, **environ},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(workers)
        ]
        for process in processes:
            if not process.stdout or process.stdout.readline() != "ready\n":
                raise SystemExit("a worker did not start")
        began = time.monotonic()
        for process in processes:
            if process.stdin:
                process.stdin.write("go\n")
                process.stdin.flush()
        ends = [process.communicate()[0] for process in processes]
    return began, max(float(end) for end in ends)


def measure(count: int, latency: float, workers: int) -> dict:
    """Take the three one after another, with a vendor that takes so long for an answer."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        left, source = (stack.enter_context(vendor(count, latency, "--edited")) for _ in range(2))
        right, target = (stack.enter_context(vendor(count, latency)) for _ in range(2))
        ours, theirs = (left, right), (source, target)
        environ = {
            "MIRROR_REDIS": stack.enter_context(Embedded(folder / "valkey")).url,
            "MIRROR_SECRET": "a-secret", "MIRROR_DATABASE": str(folder / "mirror.db"),
            "MIRROR_SOURCE": source, "MIRROR_SOURCE_KEY": "a-key",
            "MIRROR_TARGET": target, "MIRROR_TARGET_KEY": "another",
        }  # fmt: skip
        bridge, baseline = bridged(folder / "home", ours, count), mirrored(environ, count, workers)
        return {
            "tickets": count,
            "latency": latency,
            "workers": workers,
            "bridge_per_second": bridge,
            "baseline_per_second": baseline,
            "noop_per_second": idled(environ, count),
            "bridge_calls": asked(ours) / count,
            "baseline_calls": asked(theirs) / count,
        }


def figures(rounds: list[dict], said: str) -> list[dict]:
    """Give the median of each figure, and of the ratio within a round."""
    rates = [(f"{name}, {said}", "/s", f"{name}_per_second") for name in ("bridge", "baseline")]
    found = [(what, unit, [each[key] for each in rounds]) for what, unit, key in rates]
    ratios = [each["bridge_per_second"] / each["baseline_per_second"] for each in rounds]
    calls = [each["bridge_calls"] / each["baseline_calls"] for each in rounds]
    found += [
        (f"bridge, baseline = 1, {said}", "x", ratios),
        ("calls to the vendor, baseline = 1", "x", calls),
    ]
    return [
        {"what": what, "value": statistics.median(of), "limit": None, "unit": unit}
        for what, unit, of in found
    ]


def run(count: int = 2000, slow: int = 600, rounds: int = 3) -> dict:
    """Measure one process each at a vendor that costs nothing; then one that takes 50 ms.

    There the bridge still is one process, and the baseline has a worker for each call that the
    bridge may make at once.
    """
    instant = [measure(count, 0.0, 1) for _ in range(rounds)]
    real = [measure(slow, LATENCY, CONCURRENCY + 1) for _ in range(rounds)]
    noop = statistics.median(each["noop_per_second"] for each in [*instant, *real])
    return {
        "name": "mirroring edits, beside an application without a ledger",
        "measured": [*instant, *real],
        "figures": [
            *figures(instant, "instant vendor, one process"),
            *figures(real, f"50 ms, {CONCURRENCY + 1} at once"),
            {
                "what": "RQ jobs that do nothing, one worker",
                "value": noop,
                "limit": None,
                "unit": "/s",
            },
        ],
    }


def main() -> None:
    """Be one worker: say when ready, wait for the word, empty the queue, say when that was."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["mirror", NOTHING])
    what = parser.parse_args().what
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    if what == "mirror":
        run_worker(os.environ, burst=True)
    else:
        redis = Redis.from_url(os.environ["MIRROR_REDIS"])
        worker = SimpleWorker(
            [Queue(NOTHING, connection=redis)], connection=redis, log_job_description=False
        )
        worker.work(burst=True, logging_level="WARNING")
    sys.stdout.write(f"{time.monotonic()}\n")


if __name__ == "__main__":
    main()
