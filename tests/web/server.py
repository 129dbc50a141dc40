"""A receiver in its own process."""

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bridge.ledger.database import Ledger
from tests.web.receiver import connections, rows, signed

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 60.0
SILENCE_SECONDS = 2.0
LIMIT = 64 * 1024
LISTEN = "0A"
"""A socket's state in /proc/net/tcp."""
NEVER_GIVEN = 20_000, 32_000
"""Ports below those from which systems choose."""


def free_port():
    """Return a port that no one is given by chance before it is used, or while its server is down.

    So it is not one of those that are given to whoever calls or listens anywhere.
    """
    while True:
        port = random.SystemRandom().randrange(*NEVER_GIVEN)  # not as Hypothesis seeds it
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    def __init__(self, folder, redis, url="", *, workers=1):
        self.folder, self.port, self.workers = folder, free_port(), workers
        self.url = url or f"sqlite:///{folder / 'bridge.db'}"
        self.ledger = Ledger(self.url)
        self.ledger.upgrade()
        self.environ = os.environ | {"TEST_LEDGER": self.url, "TEST_REDIS": str(redis.socket)}
        self.start()

    def start(self):
        script = (
            "import sys; from bridge.web.serve import serve\n"
            "if __name__ == '__main__': serve('127.0.0.1', int(sys.argv[1]), "
            f"workers={self.workers}, target='tests.web.receiver:application')"
        )
        (self.folder / "serve.py").write_text(script)
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(self.folder / "serve.py"), str(self.port)],
                cwd=ROOT,
                env=self.environ | {"PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        until = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(OSError):
                if self.listening() == self.workers and self.ask("GET", "/healthz")[0] == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(self.output())

    def listening(self):
        """Return by how many sockets the port is listened to: each process has its own.

        One that answers does not tell that the others do: kill it, and nobody may be there yet.
        """
        states = (line.split()[1:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
        return sum(
            local.endswith(f":{self.port:04X}") and state == LISTEN for local, _, state in states
        )

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def output(self):
        return (self.folder / "output").read_text()

    def ask(self, method, path, body=None, headers=None):
        caller = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        try:
            caller.request(method, path, body, headers or {})
            answer = caller.getresponse()
            return answer.status, answer.read()
        finally:
            caller.close()

    def hint(self, number, name="helpdesk"):
        raw = json.dumps({"entity": "ticket", "id": f"t{number}"}).encode()
        return self.ask(
            "POST", f"/webhooks/{name}", raw, signed(connections(), name, raw, datetime.now(UTC))
        )

    def raw(self, *parts):
        """Send raw bytes; return all that comes back until the server closes or falls silent.

        It may be silent for longer before it answers: that is no end of an answer.
        """
        found = b""
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT_SECONDS) as caller:
            with contextlib.suppress(OSError):
                for part in parts:
                    caller.sendall(part)
            with contextlib.suppress(OSError):
                while chunk := caller.recv(65536):
                    found += chunk
                    caller.settimeout(SILENCE_SECONDS)
                    if b"\r\n\r\n" in found and b'"error"' in found:
                        break
        return found


def ids(ledger):
    return {row["remote_id"] for row in rows(ledger, "inbox")}
