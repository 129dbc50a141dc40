"""From a webhook to the write: real processes, as `bridge up` starts them, and a steady stream.

Somebody has edited every ticket of the left account; each webhook tells of one. Timed is from its
POST to the PATCH that the right account receives. Receiver, worker, clock, Valkey, both vendors and
the sender share this machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from bench.baseline.receiver import sign
from bench.estate import SIGNED_WITH, Estate, make_home, vendor
from bench.figures import figure
from bench.mirroring import Made, in_a_file
from bench.postgres import postgres
from bench.scaling import changed, running
from bench.vendor import ticket

MOST_P50, MOST_P95 = 50.0, 250.0
RATE = 50
WARM = 2.0
"""Seconds at the beginning that do not count: processes open connections, and compile."""
SENDERS = 4
"""Kept-open connections of the vendor's."""
PATIENCE = 120.0


def send(url: str, first: int, count: int) -> dict[str, float]:
    """POST a webhook for each of so many tickets, at the rate; give when each was sent."""
    sent: dict[str, float] = {}
    began = time.monotonic() + 0.2
    threads = [
        threading.Thread(target=_send, args=(url, range(first + each, first + count, SENDERS)),
                         kwargs={"began": began - first / RATE, "sent": sent})
        for each in range(SENDERS)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sent


def _send(url: str, numbers: range, *, began: float, sent: dict[str, float]) -> None:
    address = urlsplit(url)
    line = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    for number in numbers:
        row = ticket(number)
        body = json.dumps({"event": "ticket.updated", "data": row}).encode()
        headers = {
            "Content-Type": "application/json",
            "X-Webhook-Signature": sign(SIGNED_WITH, body),
            "X-Webhook-Delivery": f"delivery-{number}",
        }
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        sent[str(row["id"])] = time.monotonic()
        line.request("POST", f"{address.path}/webhooks/left", body, headers)
        answer = line.getresponse()
        answer.read()
        if answer.status != 202:
            raise SystemExit(f"a webhook was answered with {answer.status}")


def measure(seconds: float, made: Made = in_a_file) -> dict:
    """Send for so long; give the times from POST to PATCH, in milliseconds, the shortest first."""
    warm, count = int(WARM * RATE), int((WARM + seconds) * RATE)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        left = stack.enter_context(vendor(count, 0.0, "--edited"))
        right = stack.enter_context(vendor(count))
        database = made()
        make_home(folder / "home", left, right, database=database or "sqlite")
        estate = Estate(folder / "home", database)
        estate.populate(count)
        estate.ledger.close()
        parts = stack.enter_context(running(folder / "home", 0))
        command = [sys.executable, "-m", "bench.arriving", parts.url, "0", str(count)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:  # noqa: S603 - our own module
            while sender.poll() is None:
                parts.look_after()
                time.sleep(0.2)
            sent = json.loads(sender.stdout.read() if sender.stdout else "{}")
        until = time.monotonic() + PATIENCE
        while len(written := changed(right)) < count:
            parts.look_after()
            if time.monotonic() > until:
                raise SystemExit(f"{len(written)} of {count} tickets were written")
            time.sleep(0.2)
    took = sorted((written[name] - at) * 1000 for name, at in [*sent.items()][warm:])
    return {
        "count": len(took),
        "p50": statistics.median(took),
        "p95": statistics.quantiles(took, n=20)[-1],
        "most": took[-1],
    }


def run(seconds: float = 30.0, rounds: int = 3) -> dict:
    """Take the databases in turns; PostgreSQL has two workers, as `bridge up` starts them."""
    with postgres() as made:
        turns = [(measure(seconds), measure(seconds, made)) for _ in range(rounds)]
    figures = []
    for where, number in (("SQLite", 0), ("PostgreSQL", 1)):
        for key, most in (("p50", MOST_P50), ("p95", MOST_P95)):
            what = f"webhook in to write out, {RATE}/s, {key}, {where}"
            values = [each[number][key] for each in turns]
            figures.append(figure(what, values, unit="ms", limit=most))
    return {"name": "from a webhook to the write", "measured": turns, "figures": figures}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    chosen = parser.parse_args()
    sys.stdout.write(json.dumps(send(chosen.url, chosen.first, chosen.count)))
