"""One home that runs for real: `bridge up --sandbox` in processes of its own."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Self

from bridge.home import fill_home
from bridge.supervisor.demo import FIRST_PORTS, lift_rate_limits
from bridge.supervisor.sandbox_accounts import FILE
from bridge.supervisor.sandbox_client import SandboxClient

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"Look at it: (http\S+)/sign-in/link/(\S+)")
RECEIVER = re.compile(r"Bridge is running on (http\S+)")
UP = (
    "from bridge.supervisor import stack; stack.POLL_SECONDS = 4.0\n"
    "from bridge.cli import main; main()"
)
"""The command `bridge`, with fewer polls: the machine has other tests to run."""
POLICY = '    "*": latest\n'
"""What the shipped sync says of fields without a policy of their own; here priorities wait for a
human where two sides were edited, so that there is something to decide."""


class LiveHome:
    """`with LiveHome(folder) as home:` a running bridge whose mappings are published by pages."""

    def __init__(self, folder: Path, more: str = "") -> None:
        """Take a folder. `more`: of config/bridge.yaml, with `{pages}` for where the pages are."""
        self.folder, self._more = folder, more
        self.url = ""
        """Where the pages are."""
        self.receiver = ""
        self.first_link = ""
        """The way in that was printed: it works once."""
        self.sandboxes: dict[str, SandboxClient] = {}
        self._process: subprocess.Popen[str]
        self._reader: threading.Thread

    def __enter__(self) -> Self:
        fill_home(self.folder)
        lift_rate_limits(self.folder)
        settings = self.folder / "config" / "bridge.yaml"
        port = secrets.choice(FIRST_PORTS)
        more = self._more.format(pages=f"http://127.0.0.1:{port + 20}")
        text = settings.read_text()
        settings.write_text(f"mappings: ledger\nmask_personal: true\n{more}{text}")
        syncs = self.folder / "mappings" / "syncs.yaml"
        assert POLICY in syncs.read_text()
        syncs.write_text(syncs.read_text().replace(POLICY, f"{POLICY}    priority: manual\n", 1))
        self._start(port)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def restart_receiver(self) -> None:
        """End the receiver, as somebody does who has changed a secret; another one is started."""
        begun = f"/proc/{self._process.pid}/task/{self._process.pid}/children"
        for number in Path(begun).read_text().split():
            if b"bridge\0web\0" in Path(f"/proc/{number}/cmdline").read_bytes():
                os.kill(int(number), signal.SIGTERM)

    def answers(self) -> bool:
        """Return whether the receiver is there."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.receiver}/healthz", timeout=60) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def log(self) -> str:
        """Return the end of what the bridge and its processes said, for an error."""
        return (self.folder / "errors.log").read_text()[-4000:]

    def _start(self, port: int) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
        here = {"BRIDGE_HOME": str(self.folder), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-c", UP, "up", "--sandbox", "--port", str(port)]
        with (self.folder / "errors.log").open("w") as errors:
            self._process = subprocess.Popen(
                [*command, "--admin-port", str(port + 20)],
                env=kept | here,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := RECEIVER.search(line):
                self.receiver = found[1]
            if found := LINK.search(line):
                self.url, self.first_link = found[1], found[2]
                break
        else:
            raise AssertionError(f"`bridge up --sandbox` ended: {self.log()}")
        # Whoever prints into a pipe that nobody reads stands still.
        self._reader = threading.Thread(target=self._process.stdout.read, daemon=True)
        self._reader.start()
        stored = json.loads((self.folder / "var" / FILE).read_text())
        where = {account["base_url"]: system for system, account in stored.items()}
        self.sandboxes = {system: SandboxClient(system, url) for url, system in where.items()}
