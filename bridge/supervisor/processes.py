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
"""Environment of a child: the process whose death is also its own."""
GRACE: Final = 10.0
"""Seconds that a child has to end by itself."""
LONGEST_PAUSE: Final = 30.0
CALM: Final = 60.0
"""A child that ran this long failed anew, not again."""


class ChildFailed(BridgeError):
    """A process that the others cannot do without has ended."""


@dataclass(slots=True)
class Child:
    """One process and how often it had to be started."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    vital: bool = False
    """Not started again: what it held is gone with it."""
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    not_before: float = 0.0

    def start(self) -> None:
        """Start it, away from the terminal's own signals: Ctrl-C is passed on by us, in order."""
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own command
            [sys.executable, "-m", "bridge", *self.command],
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            stdout=2,  # ours is for results: programs read it
            process_group=0,
        )
        self.started = time.monotonic()

    def ended(self) -> int | None:
        """Give the exit code of a child that ended; None while it runs, or is waiting to be started."""
        return None if self.process is None else self.process.poll()

    def signal(self, number: int) -> None:
        """Send a signal to the child and to whatever it started."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


def child_environ(**extra: str) -> dict[str, str]:
    """Give the environment for children: ours, with a way to the package and to us."""
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
    """All of them. `tend` is called every moment; `stop` ends them in the reverse order of their start."""

    say: Callable[[str], None]
    environ: Mapping[str, str] = field(default_factory=child_environ)
    running: list[Child] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str], *, vital: bool = False) -> Child:
        """Start one."""
        child = Child(name, command, self.environ, vital)
        child.start()
        self.running.append(child)
        return child

    def tend(self) -> None:
        """Start again what has ended, waiting longer each time. Raises ChildFailed for one that cannot be replaced."""
        now = time.monotonic()
        for child in self.running:
            code = child.ended()
            if child.process is None:
                if now >= child.not_before:
                    child.start()
            elif code is not None:
                if (
                    child.vital or code == 2
                ):  # 2: it cannot work as it is configured, and has said why
                    raise ChildFailed(f"{child.name} ended with code {code}")
                child.failures = 1 if now - child.started > CALM else child.failures + 1
                pause = min(LONGEST_PAUSE, 0.5 * 2 ** (child.failures - 1))
                self.say(f"{child.name} ended with code {code}; starting it again in {pause:g} s")
                child.process = None
                child.not_before = now + pause

    def stop(self) -> None:
        """End them all, politely first; returns when none is left."""
        for child in reversed(self.running):
            child.signal(signal.SIGTERM)
        until = time.monotonic() + GRACE
        for child in reversed(self.running):
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{child.name} does not end; killing it")
                child.signal(signal.SIGKILL)
                child.process.wait()
        self.running.clear()


def free_port(host: str, wanted: int, tries: int = 50) -> int:
    """Give the wanted port, or the next one that is free."""
    for port in range(wanted, min(wanted + tries, 65536)):
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        except OSError as error:
            raise ConfigError(
                [f"--host {host}: {error.strerror}; allowed: an address of this machine"]
            ) from error
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except PermissionError as error:
                raise ConfigError(
                    [f"port {port} needs more rights; choose one above 1023 with --port"]
                ) from error
            except OSError as error:
                if error.errno not in {98, 48}:  # taken, in Linux and in macOS
                    raise ConfigError(
                        [f"cannot listen on {host}:{port}: {error.strerror}"]
                    ) from error
                continue
            return port
    raise ConfigError(
        [f"no free port from {wanted} to {wanted + tries - 1}; choose another with --port"]
    )


def watch_parent() -> None:
    """End with the process that started this one, even when that one was killed and could not say so."""
    parent = os.environ.get(PARENT, "")
    if parent.isdigit():
        threading.Thread(target=_watch, args=(int(parent),), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.25)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)
