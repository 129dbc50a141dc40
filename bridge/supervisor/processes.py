"""The processes of one terminal: started together, looked after, and ended in order."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bridge.errors import BridgeError, ConfigError

PARENT: Final = "BRIDGE_PARENT"
"""Environment of a child: the id of the process with which it ends."""
STOP_TIMEOUT: Final = 2.0
"""Seconds that children have to end by themselves when all are stopped."""
TERMINATE_TIMEOUT: Final = 10.0
"""Seconds that a process has to end by itself after the one that started it."""
FIRST_RESTART_PAUSE: Final = 0.5
"""Seconds before a child is started again; they double with each failure in a row ..."""
MAX_RESTART_PAUSE: Final = 30.0
"""... up to so many."""
STABLE_SECONDS: Final = 60.0
"""When a child that ran this long fails, the row of its failures begins anew."""
PARENT_CHECK_SECONDS: Final = 0.25
BAD_CONFIGURATION: Final = 2
"""Exit code of a child that cannot work as it is configured, and has said why.

Before all have begun that ends the whole. Later the others go on, and it is tried again: files that
are half saved, a ledger or a Redis that is away come to be right again.
"""
WELL_SECONDS: Final = 10.0
"""A child that was in trouble and has run for so long is well again."""
PORT_TAKEN: Final = {98, 48}
"""EADDRINUSE in Linux and in macOS."""


class ChildFailed(BridgeError):
    """A process without which the others cannot work has ended."""


@dataclass(slots=True)
class Child:
    """One process and how often it had to be started."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    vital: bool = False
    """Not started again, because what it held is gone with it."""
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    not_before: float = 0.0
    trouble: str = ""
    """Why it does not run, or has not run for long; empty: it is well, or ended but once."""

    def start(self) -> None:
        """Start it in a process group of its own, so that we pass Ctrl-C on, and in order."""
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own command
            [sys.executable, "-m", "bridge", *self.command],
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            stdout=2,  # our own stdout is for results, which programs read
            process_group=0,
        )
        self.started = time.monotonic()

    def ended(self) -> int | None:
        """Return the exit code of a child that ended; None while it runs or waits to be started."""
        return None if self.process is None else self.process.poll()

    def signal(self, number: int) -> None:
        """Send a signal to the child and to whatever it started."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


def child_environ(**extra: str) -> dict[str, str]:
    """Return the environment for children: ours, and where to find the package and us."""
    environ = dict(os.environ)
    package = str(Path(__file__).resolve().parents[2])
    # The package may run from a checkout that nothing installed.
    environ["PYTHONPATH"] = os.pathsep.join(
        [package, *filter(None, [environ.get("PYTHONPATH", "")])]
    )
    environ[PARENT] = str(os.getpid())
    environ.setdefault("BRIDGE_LOG_LEVEL", "warning")
    return environ | extra


@dataclass(slots=True)
class Children:
    """All of them. Call `restart_ended` every moment; `stop` ends the last one started first."""

    say: Callable[[str], None]
    environ: Mapping[str, str] = field(default_factory=child_environ)
    running: list[Child] = field(default_factory=list)
    tell: Callable[[str, str], None] = lambda _name, _trouble: None
    """Told which child cannot be started, and why; without a reason: it is well again."""
    have_begun: bool = False
    """All of them have, so that the configuration was right once."""

    def start(self, name: str, command: Sequence[str], *, vital: bool = False) -> Child:
        """Start one."""
        child = Child(name, command, self.environ, vital)
        child.start()
        self.running.append(child)
        return child

    def restart_ended(self) -> None:
        """Start again what has ended, after a growing pause. Raises ChildFailed if that is vain."""
        now = time.monotonic()
        for child in self.running:
            if child.process is None:
                if now >= child.not_before:
                    child.start()
            elif (code := child.ended()) is not None:
                self._plan_restart(child, code, now)
            elif child.trouble and now - child.started > WELL_SECONDS:
                self._set_trouble(child, "")

    def restart_all(self) -> None:
        """End all but the vital ones in order, and start them again."""
        those = [child for child in self.running if not child.vital and child.process is not None]
        _end(those)
        for child in those:
            child.start()

    def _plan_restart(self, child: Child, code: int, now: float) -> None:
        if child.vital or (code == BAD_CONFIGURATION and not self.have_begun):
            raise ChildFailed(f"{child.name} ended with code {code}")
        # One that fails once a day is not to wait longer each day.
        child.failures = 1 if now - child.started > STABLE_SECONDS else child.failures + 1
        pause = min(MAX_RESTART_PAUSE, FIRST_RESTART_PAUSE * 2 ** (child.failures - 1))
        if code == BAD_CONFIGURATION:
            what = f"{child.name} cannot start, for the reason above; all others go on"
            self.say(f"{what}; trying it again in {pause:g} s")
        else:
            self.say(f"{child.name} ended with code {code}; starting it again in {pause:g} s")
        if code == BAD_CONFIGURATION or child.failures > 1:
            self._set_trouble(child, f"it ended with code {code}, and the log says why")
        child.process = None
        child.not_before = now + pause

    def _set_trouble(self, child: Child, trouble: str) -> None:
        if trouble != child.trouble:
            child.trouble = trouble
            self.tell(child.name, trouble)

    def stop(self) -> None:
        """End them all in order."""
        _end(self.running)
        self.running.clear()


def _end(children: Sequence[Child]) -> None:
    """End children, the last one first, by SIGTERM if they obey it; return when none is left."""
    # Whoever calls the receiver or the sandbox ends before them. All get the signal before any is
    # waited for, so that they end side by side.
    for child in reversed(children):
        child.signal(signal.SIGTERM)
    until = time.monotonic() + STOP_TIMEOUT
    for child in reversed(children):
        if child.process is None:
            continue
        try:
            child.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            # It waits for an answer, most often; what it had under way is taken up again.
            child.signal(signal.SIGKILL)
            child.process.wait()


def free_port(host: str, wanted: int, tries: int = 50) -> int:
    """Return the wanted port, or the next one that is free."""
    # The port is not kept: should another process take it meanwhile, the receiver says so.
    for port in range(wanted, min(wanted + tries, 65536)):
        if _is_free(host, port):
            return port
    last = wanted + tries - 1
    raise ConfigError([f"no free port from {wanted} to {last}; choose another with --port"])


def _is_free(host: str, port: int) -> bool:
    """Return whether a port is free. Raises ConfigError where no other port would do better."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ConfigError(
            [f"--host {host}: {error.strerror}; allowed: an address of this machine"]
        ) from error
    with socket.socket(family, kind) as probe:
        # As servers do: a port whose last connections are just closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except PermissionError as error:
            why = f"port {port} needs more rights; choose one above 1023 with --port"
            raise ConfigError([why]) from error
        except OSError as error:
            if error.errno in PORT_TAKEN:
                return False
            why = f"cannot listen on {host}:{port}: {error.strerror}"
            raise ConfigError([why]) from error
    return True


def watch_parent() -> None:
    """End this process when the one that started it has ended, even by kill -9."""
    parent = os.environ.get(PARENT, "")
    if parent.isdigit():
        threading.Thread(target=_end_with, args=(int(parent),), name="parent", daemon=True).start()


def _end_with(parent: int) -> None:
    # Whose parent has ended is handed to another process.
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(TERMINATE_TIMEOUT)
    os._exit(1)  # it does not end by itself
