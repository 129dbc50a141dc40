"""Serves the application with granian: one process with threads; several where the ledger takes it.

SQLite has one writer, and two receivers would only wait for each other. At PostgreSQL each process
commits for the webhooks that reach it; what is counted they count together (shared_numbers.py).
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from bridge.core.model.syncs import Secret
from bridge.errors import ConfigError
from bridge.queue.process_memory import keep_loaded
from bridge.web.receiver.gateway import Gateway
from bridge.web.receiver.intake import intake_for
from bridge.web.receiver.shared_numbers import FILE, SIZE, shared

NAME: Final = "BRIDGE_RECEIVER"
"""Environment of a server process: the name under which the process that began it has entered."""
PROCESSES: Final = "BRIDGE_WEB_PROCESSES"
"""Environment: how many server processes there are to be."""
MOST_BY_ITSELF: Final = 4
"""More are started if asked for: each has its connections to the database."""
MAX_CONNECTIONS: Final = 8192
"""Held at once, silent ones among them: a connection occupies a little memory and no thread."""
FEWEST_CONNECTIONS: Final = 128
SPARE_FILES: Final = 256
"""Open files that are left to the rest of a server process: the ledger, Redis, modules."""
KILL_AFTER_SECONDS: Final = 4
"""The time that a worker has to end its requests; process managers kill after about five."""
PARENT_CHECK_SECONDS: Final = 0.25
HEADER_TIMEOUT_MS: Final = 5_000
"""The time in which a request's headers have to arrive; a silent connection is closed then."""
HEADER_BYTES: Final = 16 * 1024
"""Of one request's headers; that much is kept for a connection whose headers are not whole."""


def application() -> Gateway:
    """Build the application in a server process; granian calls this function by name."""
    from bridge import wiring  # noqa: PLC0415 - a server for something else needs none of it
    from bridge.operations import desk, doctor  # noqa: PLC0415
    from bridge.web.app import create_app  # noqa: PLC0415

    end_with_parent()
    bridge = wiring.current()
    bridge.kind = "web"
    # This is a new process, which does not inherit its parent's logging, nor the scrubbing in it.
    wiring.configure_logging("web", bridge.config)
    intake = intake_for(bridge.ledger, bridge.doorbell)
    numbers = shared()
    token = os.environ.get("BRIDGE_METRICS_TOKEN", "")
    app = create_app(
        bridge.config,
        bridge.ledger,
        bridge.doorbell,
        bridge.clock,
        bridge.connectors,
        intake=intake,
        metrics_token=Secret(token) if token else None,
        limit=bridge.config.settings.body_limit,
        troubles=lambda: doctor.examine(desk.of(bridge, "metrics")),
        numbers=numbers,
    )
    names = [os.environ.get(NAME, "")]
    if numbers is not None:  # one that hangs is to show, though the others do not
        bridge.enter_beside("web")
        names.append(bridge.worker.owner)

    def close() -> None:
        intake.close()
        if numbers is not None:
            bridge.leave()

    keep_loaded()
    return Gateway(
        app,
        app.extensions["bridge"]["receiver"],
        limit=bridge.config.settings.body_limit,
        on_close=close,
        beat=lambda: bridge.keep_up(*names),
    )


def processes_for(asked: int, database: str) -> int:
    """Return by how many processes a receiver with this ledger serves; `asked`: 0 leaves it open.

    Raises ConfigError where more are asked for than SQLite has writers.
    """
    if database.startswith("sqlite"):
        if asked > 1:
            ways = f"leave --processes and {PROCESSES} out, or keep the ledger in PostgreSQL"
            raise ConfigError([f"a ledger in SQLite has one receiver process, not {asked}: {ways}"])
        return 1
    return asked or min(_cores(), MOST_BY_ITSELF)


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def end_with_parent() -> None:
    """End this server process when the one that began it has ended, even by kill -9.

    It would keep the port, and whoever starts the receiver again could not have it.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(2 * KILL_AFTER_SECONDS)
        os._exit(1)  # it does not end by itself

    threading.Thread(target=watch, name="parent", daemon=True).start()


def serve(
    host: str,
    port: int,
    *,
    workers: int = 1,
    target: str = "bridge.web.serve:application",
    interface: Interfaces = Interfaces.RSGI,
    threads: int | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. Raises ConfigError when the port is taken.

    `threads`: so many requests at a time, where the interface knows no other way.
    """
    check_port(host, port)
    connections = _connections()
    with _sharing(workers):
        Granian(
            target,
            address=host,
            port=port,
            interface=interface,
            blocking_threads=threads,
            factory=True,
            workers=workers,
            backlog=connections,
            backpressure=connections,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=HEADER_TIMEOUT_MS, max_buffer_size=HEADER_BYTES
            ),
            websockets=False,
            workers_kill_timeout=KILL_AFTER_SECONDS,
            respawn_failed_workers=True,
            log_level=LogLevels.warning,
            process_name=None,
        ).serve()


@contextmanager
def _sharing(workers: int) -> Iterator[None]:
    """Let several processes share a file of numbers until the block ends.

    On Linux it has a name in no folder: nobody clears it away while a process that takes the place
    of a dead one may need it, and a kill -9 leaves nothing behind.
    """
    if workers == 1:
        os.environ.pop(FILE, None)
        yield
        return
    if sys.platform == "linux":
        descriptor = os.memfd_create("bridge-receiver")
        name = f"/proc/{os.getpid()}/fd/{descriptor}"
    else:
        descriptor, name = tempfile.mkstemp(prefix="bridge-receiver-")
    try:
        os.ftruncate(descriptor, SIZE)
        os.environ[FILE] = name
        yield
    finally:
        os.close(descriptor)
        if sys.platform != "linux":
            Path(name).unlink(missing_ok=True)


def check_port(host: str, port: int) -> None:
    """Raise ConfigError unless the port is free: granian would silently share it."""
    try:
        flags = socket.AI_PASSIVE
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
        family, kind, _, _, address = addresses[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(
            [f"cannot listen on {host}:{port} ({error.strerror}); choose another port with --port"]
        ) from None


def _connections() -> int:
    """Return how many connections a server process can hold; it may open as many files then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + SPARE_FILES
    allowed = wanted if resource.RLIM_INFINITY in {soft, hard} else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))  # its processes inherit it
    return max(FEWEST_CONNECTIONS, min(MAX_CONNECTIONS, allowed - SPARE_FILES))
