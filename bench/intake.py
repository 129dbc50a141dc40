"""What the receiver takes in, durable before it answers, beside the same server without a database.

The real one (`bridge web`) with a ledger in SQLite and one in PostgreSQL, and a Flask application
behind the same server that checks the signature and answers 202. They are sent signed webhooks of
1.4 KB in turns, by a process of its own on 32 and on 64 connections that are kept.

`python -m bench.intake [--count N] [--rounds N]`.
"""

from __future__ import annotations

import argparse
import contextlib
import hmac
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from sqlalchemy import func, select

from bench import webhook_load
from bench.estate import SIGNED_WITH, make_home
from bench.figures import figure
from bench.postgres import postgres
from bridge.ledger.database import Ledger
from bridge.ledger.tables import inbox, work
from bridge.queue.embedded_valkey import Embedded

CONNECTIONS = (32, 64)
BARE, SQLITE, POSTGRES = "bare", "SQLite", "PostgreSQL"
LEAST = {SQLITE: 0.50, POSTGRES: 0.40}
"""Of the rate without a database."""
LONGEST_MS = 100.0
"""p99."""
THREADS = 16
START_SECONDS = 30.0
NOWHERE = "http://127.0.0.1:9/api/v1"
UNLIMITED = "rate_limit: 1000000/second"


def bare() -> Flask:
    """Give the application without a database; granian calls it by name."""
    app, secret = Flask(__name__), SIGNED_WITH.encode()

    @app.post(webhook_load.PATH)
    def receive() -> ResponseReturnValue:
        code = hmac.digest(secret, request.get_data(), "sha256").hex()
        if not hmac.compare_digest(request.headers.get(webhook_load.HEADER, ""), code):
            return jsonify(error="bad signature"), 401
        return jsonify(status="accepted"), 202

    return app


def serve_bare(port: int) -> None:
    """Serve it as the receiver's own server would."""
    Granian(
        "bench.intake:bare",
        address=webhook_load.HOST,
        port=port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=1,
        blocking_threads=THREADS,
        workers_kill_timeout=4,
        log_level=LogLevels.warning,
    ).serve()


@dataclass(frozen=True)
class Server:
    """A server that runs: where it listens, and its first process."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Give the seconds of CPU that its processes have used."""
        return sum(_cpu(pid) for pid in _family(self.pid))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _family(int(child))


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(command: list[str], log: Path, environ: Mapping[str, str]) -> Iterator[Server]:
    """Run a server until the block ends; it is given the port as its last argument."""
    port = free_port()
    with (
        log.open("w") as said,
        subprocess.Popen(  # noqa: S603 - our own modules
            [sys.executable, "-m", *command, str(port)],
            env={**os.environ, **environ},
            stdout=said,
            stderr=said,
        ) as process,
    ):
        try:
            wait_for(port, process)
            yield Server(port, process.pid)
        finally:
            process.terminate()


def wait_for(port: int, process: subprocess.Popen) -> None:
    """Return when the server takes a connection."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((webhook_load.HOST, port)):
            return
        time.sleep(0.05)
    raise SystemExit("a server did not start")


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.create_server((webhook_load.HOST, 0)) as probe:
        return int(probe.getsockname()[1])


def ledger_of(home: Path, database: str, redis: str) -> Ledger:
    """Make a home whose account may send as many webhooks as it likes; give its new ledger."""
    make_home(home, NOWHERE, NOWHERE, database=database or "sqlite")
    config = home / "config" / "bridge.yaml"
    rows = config.read_text().replace("webhook: {", f"webhook: {{{UNLIMITED}, ")
    config.write_text(f'redis: "{redis}"\n{rows}')
    (home / "var").mkdir()
    ledger = Ledger(database or f"sqlite:///{home / 'var' / 'bridge.db'}")
    ledger.upgrade()
    return ledger


def sent(port: int, connections: int, count: int, first: int) -> dict[str, Any]:
    """Have webhooks sent; end the run unless every one was taken."""
    command = [sys.executable, "-m", "bench.webhook_load"]
    command += [str(each) for each in (port, connections, count, first, SIGNED_WITH)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603
    found: dict[str, Any] = json.loads(told.stdout)
    if found["statuses"] != {"202": count}:
        raise SystemExit(f"not every webhook was taken: {found['statuses']}")
    return found


class Receivers:
    """The servers that are compared, by name; all run at once, and are sent webhooks in turns."""

    def __init__(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bare_command = ["bench.intake", "--bare"]
        self.servers = {BARE: stack.enter_context(serving(bare_command, folder / "bare.log", {}))}
        self.ledgers: dict[str, Ledger] = {}
        self._sent = 0
        for name, address in ((SQLITE, ""), (POSTGRES, stack.enter_context(postgres())())):
            redis = stack.enter_context(Embedded(folder / f"valkey-{name}")).url
            home = folder / name
            self.ledgers[name] = ledger_of(home, address, redis)
            command, environ = ["bridge", "web", "--port"], {"BRIDGE_HOME": str(home)}
            running = serving(command, folder / f"{name}.log", environ)
            self.servers[name] = stack.enter_context(running)

    def turn(self, connections: int, count: int) -> dict[str, dict[str, Any]]:
        """Send so many to each."""
        found = {}
        for name, server in self.servers.items():
            sent(server.port, connections, connections, self._sent)  # it is warm then
            before = server.cpu()
            found[name] = sent(server.port, connections, count, self._sent + connections)
            found[name]["cpu_ms"] = 1000 * (server.cpu() - before) / count
            self._sent += connections + count
        return found

    def check(self, taken: int) -> None:
        """End the run unless each ledger holds exactly what was acknowledged."""
        for name, ledger in self.ledgers.items():
            with ledger.read() as tx:
                held = [
                    tx.execute(select(func.count()).select_from(each)) for each in (inbox, work)
                ]
                counts = [each.scalar_one() for each in held]
            ledger.close()
            if counts != [taken, taken]:
                raise SystemExit(f"{name} holds {counts} rows of {taken} webhooks")


def measure(count: int, rounds: int) -> dict[int, list[dict[str, dict[str, Any]]]]:
    """Measure in turns; give the rounds by the number of connections."""
    found: dict[int, list[dict[str, dict[str, Any]]]] = {each: [] for each in CONNECTIONS}
    with ExitStack() as stack:
        receivers = Receivers(stack)
        for _ in range(rounds):
            for connections, turns in found.items():
                turns.append(receivers.turn(connections, count))
        receivers.check(rounds * sum(count + connections for connections in CONNECTIONS))
    return found


def figures(found: Mapping[int, list[dict[str, dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Give rates, ratios and times."""
    told = []
    for connections, rounds in found.items():
        where = f"{connections} connections"
        bare_rates = [each[BARE]["per_second"] for each in rounds]
        bare_cpu = [each[BARE]["cpu_ms"] for each in rounds]
        told += [
            figure(f"no database, {where}", bare_rates, unit="/s"),
            figure(f"no database, {where}, CPU a webhook", bare_cpu, unit="ms"),
        ]
        for name, least in LEAST.items():
            what, each = f"intake, {name}, {where}", [turn[name] for turn in rounds]
            rates = [turn["per_second"] for turn in each]
            ratios = [ours / theirs for ours, theirs in zip(rates, bare_rates, strict=True)]
            told += [
                figure(what, ratios, peer="no database", limit=-least),
                figure(f"{what}, rate", rates, unit="/s"),
                figure(f"{what}, CPU a webhook", [turn["cpu_ms"] for turn in each], unit="ms"),
                figure(f"{what}, p50", [turn["p50"] for turn in each], unit="ms"),
                figure(f"{what}, p99", [turn["p99"] for turn in each], unit="ms", limit=LONGEST_MS),
            ]
    return told


def run(count: int = 6000, rounds: int = 3) -> dict:
    """Measure the receiver beside the same server without a database."""
    found = measure(count, rounds)
    return {"name": "intake", "measured": found, "figures": figures(found)}


def main() -> None:
    """Print rates, times and ratios; or serve the application without a database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=6000, help="webhooks in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bare", type=int, metavar="PORT", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.bare:
        serve_bare(chosen.bare)
        return
    for each in run(chosen.count, chosen.rounds)["figures"]:
        values = ", ".join(f"{value:.3g}" for value in each["rounds"])
        sys.stdout.write(f"{each['what']:<45} {each['value']:>8.3g} {each['unit']:<3} ({values})\n")


if __name__ == "__main__":
    main()
