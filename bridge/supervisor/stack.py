"""The whole bridge in one terminal: `bridge up` and `bridge demo` start, watch and stop it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final, Self

from bridge import wiring
from bridge.config import Config
from bridge.errors import BridgeError, ConfigError, LedgerError
from bridge.home import var_folder
from bridge.ledger.database import Ledger
from bridge.operations import mapping_folders
from bridge.queue.embedded_valkey import Embedded, socket_for, url_for
from bridge.sandbox import access
from bridge.sandbox.deployments import Deployment
from bridge.supervisor.account_file import write_accounts
from bridge.supervisor.processes import ChildFailed, Children, child_environ, free_port
from bridge.supervisor.sandbox_accounts import FILE, REDIS, sandbox_database
from bridge.supervisor.sandbox_client import SandboxClient

START_TIMEOUT: Final = 60.0
"""Seconds that a part may take to come up on a slow machine."""
START_LOOK_SECONDS: Final = 0.05
HEALTH_TIMEOUT: Final = 2.0
VALKEY_CHECK_SECONDS: Final = 2.0
FILES_CHECK_SECONDS: Final = 5.0
POLL_SECONDS: Final = 1.0
"""Seconds between polls of a sandbox. Some vendors announce only some of the changes (no tags, no
deletes), and whoever plays with a sandbox should not have to wait for minutes."""
POLLS_WITHOUT_WEBHOOKS: Final = 2
"""A sandbox without webhooks is polled only every so many times: it pays more for each."""
POLLS_FOR_FULL: Final = 10
"""Every so many times there is a full listing, where only that shows everything."""


class Stopped(BridgeError):
    """A signal came while something was being waited for."""


@dataclass(slots=True)
class StackSettings:
    """What to start."""

    home: Path
    say: Callable[[str], None]
    sandbox: bool = False
    accept: bool = False
    """Start, although the files changed in a doubtful way."""
    host: str = "127.0.0.1"
    port: int = 8080
    admin_port: int = 0
    """The port of the pages, or the next one that is free; 0: no pages."""
    workers: int = 0
    """0: one on SQLite, two otherwise."""
    without: Collection[str] = ()
    """Processes that are left out: `web`, `worker`."""
    seed: int = 0
    port_base: int = access.PORT_BASE
    """The first port of the sandboxes; 0: any free ones."""
    faults: Mapping[str, float] = field(default_factory=dict)
    deployment: Deployment = field(default_factory=dict)
    """How the sandboxes' deployments differ from the usual ones."""


class Stack:
    """The running whole: `with Stack(settings) as stack: ... stack.look_after() ...`."""

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings
        self.stop = threading.Event()
        self.sandboxes: dict[str, SandboxClient] = {}
        """By connection."""
        self.url = ""
        self.pages_url = ""
        """Where the pages are; empty: nowhere."""
        self.ready = False
        self.poll_every = POLL_SECONDS
        self.polling = True
        """Whether `look_after` has the sandboxes polled."""
        self.children = Children(settings.say)
        self.bridge: wiring.Bridge
        self._valkey: Embedded | None = None
        self._valkey_checked_at = 0.0
        self._files_checked_at = 0.0
        self._untold: dict[str, str] = {}
        """Which processes are in trouble or well again, where the ledger has not been told."""
        self._polled_at = 0.0
        self._polls = 0
        self._ledger_down = False
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

    # Looking after what runs.

    def look_after(self) -> None:
        """Start again what has ended, and poll. Call it often; it raises Stopped after a signal."""
        if self.stop.is_set():
            raise Stopped("stopped")
        self.children.restart_ended()
        now = time.monotonic()
        if self._valkey is not None and now - self._valkey_checked_at > VALKEY_CHECK_SECONDS:
            self._valkey_checked_at = now
            self._restart_valkey_if_gone(self._valkey)
        if self.ready and now - self._files_checked_at > FILES_CHECK_SECONDS:
            self._files_checked_at = now
            with self.tolerating_ledger_outage():
                self._tell_ledger()
                self._follow_files()
        if self.polling and self.ready and now - self._polled_at > self.poll_every:
            self._polled_at = now
            self._polls += 1
            with self.tolerating_ledger_outage():
                for name in self.sandboxes:
                    self._poll(name)

    def _tell_ledger(self) -> None:
        for name, trouble in list(self._untold.items()):
            self.bridge.store_start(name, trouble)
            del self._untold[name]

    def _follow_files(self) -> None:
        """Start all anew when others than our files are in force: by ours nothing is begun.

        A process that had to be started again reads the files as they are by then, and puts them in
        force.
        """
        self.bridge.follow()
        if not self.bridge.is_outdated():
            return
        try:
            fresh = wiring.build_bridge(self.settings.home)
            fresh.enter("up")
        except ConfigError as error:
            self.settings.say(f"other files are in force, and these cannot be: {error}")
            return
        self.settings.say("other files are in force by now: all processes start again by them")
        self._leave()
        self._close_bridge()
        self.bridge = fresh
        self.children.restart_all()

    def _restart_valkey_if_gone(self, valkey: Embedded) -> None:
        if url_for(self.settings.home):
            return
        self.settings.say("the embedded Valkey is gone; starting another (nothing was kept in it)")
        valkey.stop()
        valkey.start()

    @contextlib.contextmanager
    def tolerating_ledger_outage(self) -> Iterator[None]:
        """Skip the block while the ledger does not answer: the processes wait for it as well."""
        try:
            yield
        except LedgerError as error:
            if not self._ledger_down:
                self.settings.say(f"waiting for the ledger: {error}")
            self._ledger_down = True
        else:
            self._ledger_down = False

    def _poll(self, name: str) -> None:
        has_webhooks = self.bridge.config.connections[name].webhook is not None
        if has_webhooks or self._polls % POLLS_WITHOUT_WEBHOOKS == 0:
            self.bridge.start_run(name, "poll")
        capabilities = self.bridge.context.capabilities[name].values()
        needs_full = any(entity.only_listed for entity in capabilities)
        if needs_full and self._polls % POLLS_FOR_FULL == 0:
            self.bridge.start_run(name, "full")

    # Setting up. Whatever is set up registers in `_exits` how it is taken down again.

    def _take_signals(self) -> None:
        # The handler only sets a flag; `look_after` raises where that harms nothing.
        def asked(_number: int, _frame: FrameType | None) -> None:
            self.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            before = signal.signal(number, asked)
            self._exits.callback(signal.signal, number, before)

    def _set_up(self) -> None:
        var_folder(self.settings.home)
        self._set("BRIDGE_HOME", str(self.settings.home))
        self._choose_stores()
        config = wiring.load_config(self.settings.home)
        if config.settings.redis == "embedded" and self._valkey is None:
            self._start_valkey()
        # Each step needs those before it: a process checks the ledger's version when it starts, the
        # sandboxes send webhooks to the port, and the bridge calls the sandboxes.
        on_sqlite = self._upgrade_ledger(config)
        port = self._choose_port()
        self.children = Children(self.settings.say, child_environ(), tell=self._untold.__setitem__)
        self._exits.callback(self.children.stop)
        if self.settings.sandbox:
            systems = {name: connection.system for name, connection in config.connections.items()}
            self._start_sandbox(systems)
        self.bridge = wiring.build_bridge(self.settings.home)
        self._exits.callback(self._close_bridge)
        self.bridge.enter("up", accept=self.settings.accept)
        self._exits.callback(self._leave)
        self._start_processes(port, self.settings.workers or (1 if on_sqlite else 2))
        if differs := mapping_folders.notice(self.bridge.config):
            self.settings.say(differs)
        # Those of an earlier one may have been in trouble when it ended.
        self._untold |= {child.name: child.trouble for child in self.children.running}
        self.ready = self.children.have_begun = True

    # Not bound to the bridge of the beginning: other files bring another one.

    def _close_bridge(self) -> None:
        self.bridge.close()

    def _leave(self) -> None:
        self.bridge.leave()

    def _choose_stores(self) -> None:
        """Point ourselves, and so the children, to the sandbox's stores or to the real ones."""
        if not self.settings.sandbox:
            # A sandbox that was killed has left its accounts.
            (var_folder(self.settings.home) / FILE).unlink(missing_ok=True)
            return
        if not os.environ.get(REDIS):
            # First of all: its lock keeps a second bridge from deleting the first one's ledger.
            self._start_valkey()
        self._use_sandbox_stores()

    def _upgrade_ledger(self, config: Config) -> bool:
        """Bring the ledger to this version; return whether it is on SQLite."""
        ledger = Ledger(config.settings.database)
        ledger.upgrade()
        ledger.close()
        return ledger.url.get_backend_name() == "sqlite"

    def _choose_port(self) -> int:
        """Return the port for the receiver, and set the URL under which it will answer."""
        host, wanted = self.settings.host, self.settings.port
        port = free_port(host, wanted)
        if port != wanted:
            self.settings.say(f"port {wanted} is taken: using {port}")
        self.url = _address(host, port)
        return port

    def _start_processes(self, port: int, workers: int) -> None:
        if "web" not in self.settings.without:
            self.children.start("web", ["web", "--host", self.settings.host, "--port", str(port)])
            self._await("the receiver", self._answers)
        if "worker" not in self.settings.without:
            for number in range(workers):
                self.children.start(f"worker {number + 1}", ["worker"])
        self.children.start("clock", ["clock"])
        if self.settings.admin_port:
            self._start_pages()
        # Whoever reads that the bridge runs may edit its files: those are read by then.
        with self.tolerating_ledger_outage():
            self._comes(self._have_entered)
            # Whoever reads their address may follow it at once.
            self._comes(self._pages_listen)

    def _start_pages(self) -> None:
        host, port = self.settings.host, free_port(self.settings.host, self.settings.admin_port)
        self.pages_url = _address(host, port)
        where = ["--host", host, "--port", str(port)]
        # Where vendors reach it by another way, as through a proxy, the environment says so.
        where += [] if os.environ.get("BRIDGE_RECEIVER") else ["--receiver", self.url]
        self.children.start("admin", ["admin", *where])

    def _start_valkey(self) -> None:
        self._valkey = self._exits.enter_context(Embedded(socket_for(self.settings.home).parent))

    def _set(self, name: str, value: str | None) -> None:
        """Change our environment, which the children inherit, until the end."""
        self._exits.callback(_put, name, os.environ.get(name))
        _put(name, value)

    def _use_sandbox_stores(self) -> None:
        """Use a new ledger every time, and a Redis apart: nothing mixes with the real ones."""
        var = var_folder(self.settings.home)
        for end in ("", "-wal", "-shm"):
            (var / f"sandbox.db{end}").unlink(missing_ok=True)
        self._set("BRIDGE_DATABASE_URL", sandbox_database(self.settings.home))
        self._set("BRIDGE_REDIS_URL", os.environ.get(REDIS))
        self._set("BRIDGE_SANDBOX", "1")
        # The configuration needs accounts before the sandboxes, which need it, have ports.
        port_base = self.settings.port_base or access.PORT_BASE
        write_accounts(var / FILE, access.accounts(seed=self.settings.seed, port_base=port_base))
        self._exits.callback((var / FILE).unlink, missing_ok=True)

    def _start_sandbox(self, systems: Mapping[str, str]) -> None:
        """Start a sandbox for each connection (name -> system), and learn where they listen."""
        settings = self.settings
        accounts_file = var_folder(settings.home) / FILE
        accounts_file.unlink()  # the sandbox writes it anew, with the ports that it has found
        specs = [
            {
                "system": system,
                "name": name,
                "webhook_url": f"{self.url}/webhooks/{name}",
                "faults": dict(settings.faults),
                "options": dict(settings.deployment.get(system, {})),
            }
            for name, system in systems.items()
        ]
        command = ["sandbox", "--port-base", str(settings.port_base), "--seed", str(settings.seed)]
        command += ["--specs", json.dumps(specs), "--announce", str(accounts_file)]
        self.children.start("sandbox", command, vital=True)
        self._await("the sandbox", accounts_file.exists)
        accounts = json.loads(accounts_file.read_text())
        self.sandboxes = {
            name: SandboxClient(system, accounts[system]["base_url"])
            for name, system in systems.items()
        }

    def _answers(self) -> bool:
        """Return whether the receiver answers."""
        # Never through a proxy of the machine: the receiver is on this one.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/healthz", timeout=HEALTH_TIMEOUT) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def _pages_listen(self) -> bool:
        """Return whether somebody who opens the pages finds them, if there are any."""
        if not self.pages_url:
            return True
        place = urllib.parse.urlsplit(self.pages_url)
        try:
            with socket.create_connection((place.hostname, place.port), HEALTH_TIMEOUT):
                return True
        except OSError:
            return False

    def _have_entered(self) -> bool:
        """Return whether all that began by the files has begun."""
        those = [child.process for child in self.children.running if not child.vital]
        return all(those) and self.bridge.have_entered([each.pid for each in those if each])

    def _await(self, what: str, ready: Callable[[], bool]) -> None:
        if not self._comes(ready):
            raise ChildFailed(f"{what} did not come up within {START_TIMEOUT:.0f} s")

    def _comes(self, ready: Callable[[], bool]) -> bool:
        """Return whether it was ready within START_TIMEOUT."""
        until = time.monotonic() + START_TIMEOUT
        while not ready():
            self.look_after()
            if time.monotonic() > until:
                return False
            self.stop.wait(START_LOOK_SECONDS)
        return True


def _address(host: str, port: int) -> str:
    """Return the URL at which something that listens there answers on this machine."""
    reachable = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - not bound
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
