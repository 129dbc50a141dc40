"""The bridge beside an application without a ledger (`baseline`), and beside idle RQ jobs.

Each of the two has a pair of accounts of its own; on the left somebody has edited every ticket, and
all is known of it that a webhook tells: the hints are stored, the jobs are queued. Timed is from
there to the last write on the right.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import requests
from redis import Redis
from rq import Queue, SimpleWorker

from bench.baseline.mirror import open_table, run_worker
from bench.baseline.receiver import create_app, sign
from bench.estate import CONCURRENCY, Estate, make_home, vendor
from bench.figures import figure
from bench.postgres import plain, postgres
from bench.vendor import ticket
from bridge.core.model.values import Ref
from bridge.ledger import hints
from bridge.queue.embedded_valkey import Embedded

LEAST, LEAST_ON_POSTGRES = 2.0, 1.5
LEAST_OF_FEW, LEAST_OF_MANY = 0.95, 0.85
LATENCY = 0.05
CALLS = 3
"""That an edit takes: read it here, read its counterpart, write that."""
MANY = 32
"""Calls at once that a generous vendor takes."""
NOTHING = "nothing"

Made = Callable[[], str]
"""Makes a database and gives its address."""


def in_a_file() -> str:
    """Give no address: the database is a file."""
    return ""


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


def hinted(
    folder: Path,
    urls: tuple[str, str],
    count: int,
    database: str = "",
    concurrency: int = CONCURRENCY + 1,
) -> Estate:
    """Give a bridge that knows so many tickets, and has a hint at each on the left."""
    make_home(folder, *urls, database=database or "sqlite", concurrency=concurrency)
    estate = Estate(folder, database)
    estate.populate(count)
    with estate.ledger.transaction() as tx:
        now = estate.clock.now()
        for name in (f"tkt_{number}" for number in range(count)):
            hints.give(tx, Ref("left", "ticket", name), now)
    return estate


def bridged(estate: Estate, url: str, count: int) -> tuple[float, float]:
    """Let the bridge work in this process; give the rate, and the CPU milliseconds of an edit."""
    began, cpu = time.monotonic(), time.process_time()
    estate.work()
    cpu = time.process_time() - cpu
    rate = count / (ended(url, count) - began)
    estate.ledger.close()
    return rate, cpu * 1000 / count


def mirrored(environ: Mapping[str, str], count: int, workers: int) -> tuple[float, float]:
    """Let so many workers of the baseline work; give the rate, and their CPU for an edit."""
    with closing(open_table(environ["MIRROR_DATABASE"])) as table:
        table.remember(
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
    began, _over, cpu = at_work("mirror", environ, workers)
    return count / (ended(environ["MIRROR_TARGET"], count) - began), cpu * 1000 / count


def idled(environ: Mapping[str, str], count: int) -> float:
    """Let one worker do jobs that do nothing; give the rate."""
    queue = Queue(NOTHING, connection=Redis.from_url(environ["MIRROR_REDIS"]))
    for _ in range(count):
        queue.enqueue("bench.mirroring.nothing", result_ttl=0)
    began, over, _cpu = at_work(NOTHING, environ, 1)
    return count / (over - began)


def at_work(what: str, environ: Mapping[str, str], workers: int) -> tuple[float, float, float]:
    """Let workers begin together, and wait.

    Returns when they began, when all had ended, and the seconds of CPU that it took them.
    """
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
        told = [process.communicate()[0].split() for process in processes]
    return began, max(float(end) for end, _cpu in told), sum(float(cpu) for _end, cpu in told)


def measure(count: int, latency: float, workers: int, made: Made = in_a_file) -> dict:
    """Take the three one after another, with a vendor that takes so long for an answer.

    `made` gives the address of a new database; empty: a SQLite file.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        left, source = (stack.enter_context(vendor(count, latency, "--edited")) for _ in range(2))
        right, target = (stack.enter_context(vendor(count, latency)) for _ in range(2))
        ours, theirs = (left, right), (source, target)
        environ = {
            "MIRROR_REDIS": stack.enter_context(Embedded(folder / "valkey")).url,
            "MIRROR_SECRET": "a-secret",
            "MIRROR_DATABASE": plain(made()) or str(folder / "mirror.db"),
            "MIRROR_SOURCE": source, "MIRROR_SOURCE_KEY": "a-key",
            "MIRROR_TARGET": target, "MIRROR_TARGET_KEY": "another",
        }  # fmt: skip
        estate = hinted(folder / "home", ours, count, made())
        bridge, cpu = bridged(estate, right, count)
        baseline, its_cpu = mirrored(environ, count, workers)
        return {
            "tickets": count,
            "latency": latency,
            "workers": workers,
            "bridge_per_second": bridge,
            "baseline_per_second": baseline,
            "bridge_cpu": cpu,
            "baseline_cpu": its_cpu,
            "noop_per_second": idled(environ, count),
            "bridge_calls": asked(ours) / count,
            "baseline_calls": asked(theirs) / count,
        }


def at_once(count: int, concurrency: int) -> dict:
    """Mirror at vendors that take their time and answer so many calls of ours at once."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        left = stack.enter_context(vendor(count, LATENCY, "--edited"))
        right = stack.enter_context(vendor(count, LATENCY))
        estate = hinted(folder / "home", (left, right), count, concurrency=concurrency)
        rate, _cpu = bridged(estate, right, count)
    theory = concurrency / (CALLS * LATENCY)
    return {
        "tickets": count,
        "concurrency": concurrency,
        "bridge_per_second": rate,
        "theory_per_second": theory,
        "ratio": rate / theory,
    }


def beside_baseline(rounds: list[dict], what: str, least: float | None) -> list[dict]:
    """Give the ratio within a round, and the rates."""
    ratios = [each["bridge_per_second"] / each["baseline_per_second"] for each in rounds]
    calls = [each["bridge_calls"] / each["baseline_calls"] for each in rounds]
    return [
        figure(what, ratios, peer="frozen baseline", limit=least and -least),
        *(
            figure(f"{what}: {name}", [each[f"{name}_per_second"] for each in rounds], unit="/s")
            for name in ("bridge", "baseline")
        ),
        *(
            figure(f"{what}: CPU, {name}", [each[f"{name}_cpu"] for each in rounds], unit="ms")
            for name in ("bridge", "baseline")
        ),
        figure(f"{what}: calls to the vendor", calls, peer="frozen baseline"),
    ]


def run(count: int = 2000, slow: int = 600, rounds: int = 3) -> dict:
    """Measure one process each at vendors that cost nothing, on both databases; then 50 ms a call.

    There the bridge still is one process, and the baseline has a worker for each of the calls that
    the bridge may make at once.
    """
    five, many = CONCURRENCY + 1, MANY
    with postgres() as made:
        # In turns, so that what else the machine does is shared by all.
        turns = [
            (
                measure(count, 0.0, 1),
                measure(count, 0.0, 1, made),
                measure(slow, LATENCY, five),
                at_once(slow, five),
                at_once(4 * slow, many),
            )
            for _ in range(rounds)
        ]
    instant, on_postgres, real, few, crowd = (list(each) for each in zip(*turns, strict=True))
    noop = [each["noop_per_second"] for each in [*instant, *on_postgres, *real]]
    return {
        "name": "mirroring edits, beside an application without a ledger",
        "measured": [*instant, *on_postgres, *real, *few, *crowd],
        "figures": [
            *beside_baseline(instant, "mirror, instant vendors, SQLite", LEAST),
            *beside_baseline(on_postgres, "mirror, instant vendors, PostgreSQL", LEAST_ON_POSTGRES),
            *(
                figure(
                    f"mirror at 50 ms a call, {concurrency} at once",
                    [each["ratio"] for each in found],
                    peer=f"theory, {concurrency}/(3 x 50 ms)",
                    limit=-least,
                )
                for found, concurrency, least in (
                    (few, five, LEAST_OF_FEW),
                    (crowd, many, LEAST_OF_MANY),
                )
            ),
            *beside_baseline(real, f"mirror at 50 ms a call, {five} workers of the baseline", None),
            figure("RQ jobs that do nothing, one worker", noop, unit="/s"),
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
    cpu = time.process_time()
    if what == "mirror":
        run_worker(os.environ, burst=True)
    else:
        redis = Redis.from_url(os.environ["MIRROR_REDIS"])
        worker = SimpleWorker(
            [Queue(NOTHING, connection=redis)], connection=redis, log_job_description=False
        )
        worker.work(burst=True, logging_level="WARNING")
    sys.stdout.write(f"{time.monotonic()} {time.process_time() - cpu}\n")


if __name__ == "__main__":
    main()
