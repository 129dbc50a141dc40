"""Everything in one terminal: what `bridge up` and `bridge demo` set up, look after and take down again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final, Self

from bridge import home as homes
from bridge import wiring
from bridge.errors import BridgeError, LedgerError
from bridge.ledger.database import Ledger
from bridge.queue import Embedded, socket_for, url_for
from bridge.sandbox import server
from bridge.supervisor.processes import ChildFailed, Children, child_environ, free_port
from bridge.supervisor.sandbox_accounts import FILE, REDIS, sandbox_database, write_accounts
from bridge.supervisor.sandbox_client import SandboxClient

START: Final = 30.0
"""Seconds that a part may take to come up on a slow machine."""
VALKEY_EVERY: Final = 2.0
ASK_EVERY: Final = 1.0
"""Seconds between polls of a sandbox. Some vendors announce only some of the changes (no tags, no deletes), and who
plays with a sandbox should not have to wait for minutes."""


SLOWER: Final = 2
SLOWEST: Final = 10
"""The same for sandboxes without webhooks, and for what only a full listing shows: every so many times."""


class Stopped(BridgeError):
    """A signal came while something was being waited for."""


@dataclass(slots=True)
class StackSettings:
    """What to set up."""

    home: Path
    say: Callable[[str], None]
    sandbox: bool = False
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 0
    """0: one on SQLite, two otherwise."""
    without: Collection[str] = ()
    seed: int = 0
    port_base: int = server.PORT_BASE
    faults: Mapping[str, float] = field(default_factory=dict)


class Stack:
    """The running whole: `with Stack(settings) as stack: ... stack.tend() ...`."""

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings
        self.stop = threading.Event()
        self.sandboxes: dict[str, SandboxClient] = {}
        """By connection."""
        self.url = ""
        self.ready = False
        self.ask_every = ASK_EVERY
        self.asking = True
        """The sandboxes are polled all the time: nobody who plays with them should have to wait."""
        self.children = Children(settings.say)
        self.engine: wiring.Engine
        self._valkey: Embedded | None = None
        self._looked = 0.0
        self._asked = 0.0
        self._asks = 0
        self._away = False
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            self._take_signals()
            self._set_up()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def tend(self) -> None:
        """Look after the processes. Called every moment; raises Stopped once a signal came."""
        if self.stop.is_set():
            raise Stopped("stopped")
        self.children.tend()
        now = time.monotonic()
        if self._valkey is not None and now - self._looked > VALKEY_EVERY:
            self._looked = now
            if not url_for(self.settings.home):
                self.settings.say(
                    "the embedded Valkey is gone; starting another (nothing was kept in it)"
                )
                self._valkey.stop()
                self._valkey.start()
        if self.asking and self.ready and self.sandboxes and now - self._asked > self.ask_every:
            self._asked = now
            self._asks += 1
            with self.patient():
                for name in self.sandboxes:
                    self._ask(name)

    @contextlib.contextmanager
    def patient(self) -> Iterator[None]:
        """Leave undone what the ledger is needed for while it does not answer: the processes wait for it as well."""
        try:
            yield
        except LedgerError as error:
            if not self._away:
                self.settings.say(f"waiting for the ledger: {error}")
            self._away = True
        else:
            self._away = False

    def _ask(self, name: str) -> None:
        """Poll a sandbox; one that sends no webhooks less often, for each time costs it more."""
        told = self.engine.config.connections[name].webhook is not None
        if told or self._asks % SLOWER == 0:
            self.engine.start_run(name, "poll")
        swept = any(able.swept for able in self.engine.context.capabilities[name].values())
        if swept and self._asks % SLOWEST == 0:
            self.engine.start_run(name, "full")

    def _take_signals(self) -> None:
        def asked(_number: int, _frame: FrameType | None) -> None:
            self.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            before = signal.signal(number, asked)
            self._exits.callback(signal.signal, number, before)

    def _set_up(self) -> None:
        settings = self.settings
        homes.var(settings.home)
        self._set("BRIDGE_HOME", str(settings.home))
        if settings.sandbox:
            if not os.environ.get(REDIS):
                # First of all: its lock keeps a second bridge from taking the first one's ledger
                # away.
                self._start_valkey()
            self._use_sandbox_stores()
        else:
            (homes.var(settings.home) / FILE).unlink(missing_ok=True)  # left by a killed sandbox
        config = wiring.load_config(settings.home)
        if config.settings.redis == "embedded" and self._valkey is None:
            self._start_valkey()
        ledger = Ledger(config.settings.database)
        ledger.upgrade()
        on_sqlite = ledger.url.get_backend_name() == "sqlite"
        ledger.close()
        port = free_port(settings.host, settings.port)
        if port != settings.port:
            settings.say(f"port {settings.port} is taken: using {port}")
        here = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104 - compared, not bound
        self.url = f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"
        self.children = Children(settings.say, child_environ())
        self._exits.callback(self.children.stop)
        if settings.sandbox:
            self._start_sandbox({name: found.system for name, found in config.connections.items()})
        self.engine = wiring.engine(settings.home)
        self._exits.callback(self.engine.close)
        if "web" not in settings.without:
            self.children.start("web", ["web", "--host", settings.host, "--port", str(port)])
            self._await("the receiver", self._answers)
        if "worker" not in settings.without:
            for number in range(settings.workers or (1 if on_sqlite else 2)):
                self.children.start(f"worker {number + 1}", ["worker"])
        self.children.start("clock", ["clock"])
        self.ready = True

    def _start_valkey(self) -> None:
        self._valkey = self._exits.enter_context(Embedded(socket_for(self.settings.home).parent))

    def _set(self, name: str, value: str | None) -> None:
        """Change our environment, which the children get, until the end."""
        before = os.environ.get(name)
        self._exits.callback(_put, name, before)
        _put(name, value)

    def _use_sandbox_stores(self) -> None:
        """Keep what is played out of what is real: another ledger, new every time, and a Redis of its own."""
        var = homes.var(self.settings.home)
        for end in ("", "-wal", "-shm"):
            (var / f"sandbox.db{end}").unlink(missing_ok=True)
        self._set("BRIDGE_DATABASE_URL", sandbox_database(self.settings.home))
        self._set("BRIDGE_REDIS_URL", os.environ.get(REDIS))
        self._set("BRIDGE_SANDBOX", "1")
        write_accounts(
            var / FILE,
            server.accounts(seed=self.settings.seed, port_base=self.settings.port_base or 9400),
        )
        self._exits.callback((var / FILE).unlink, missing_ok=True)

    def _start_sandbox(self, systems: Mapping[str, str]) -> None:
        """Start the sandboxes, each under the name of the connection that uses it, and learn where they listen."""
        settings = self.settings
        file = homes.var(settings.home) / FILE
        file.unlink()
        specs = [
            {
                "system": system,
                "name": name,
                "webhook_url": f"{self.url}/webhooks/{name}",
                "faults": dict(settings.faults),
            }
            for name, system in systems.items()
        ]
        command = ["sandbox", "--port-base", str(settings.port_base), "--seed", str(settings.seed)]
        self.children.start(
            "sandbox", [*command, "--specs", json.dumps(specs), "--announce", str(file)], vital=True
        )
        self._await("the sandbox", file.exists)
        stored = json.loads(file.read_text())
        self.sandboxes = {
            name: SandboxClient(system, stored[system]["base_url"])
            for name, system in systems.items()
        }

    def _answers(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def _await(self, what: str, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + START
        while not ready():
            self.tend()
            if time.monotonic() > until:
                raise ChildFailed(f"{what} did not come up within {START:.0f} s")
            self.stop.wait(0.05)


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def quiet(_: Any) -> None:
    """Say nothing."""
