"""Serves the application with granian: one process with threads; several may share PostgreSQL."""

from __future__ import annotations

import os
import socket
from typing import Final

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from bridge.core.model.syncs import Secret
from bridge.errors import ConfigError
from bridge.web.receiver.gateway import Gateway
from bridge.web.receiver.intake import intake_for

NAME: Final = "BRIDGE_RECEIVER"
"""Environment of a server process: the name under which the process that began it has entered."""
MAX_REQUESTS: Final = 512
"""Requests accepted at once; most of them wait for their bodies, which occupies no thread."""
KILL_AFTER_SECONDS: Final = 4
"""The time that a worker has to end its requests; process managers kill after about five."""
HEADER_TIMEOUT_MS: Final = 10_000


def application() -> Gateway:
    """Build the application in a server process; granian calls this function by name."""
    from bridge import wiring  # noqa: PLC0415 - a server for something else needs none of it
    from bridge.operations import desk, doctor  # noqa: PLC0415
    from bridge.web.app import create_app  # noqa: PLC0415

    bridge = wiring.current()
    # This is a new process, which does not inherit its parent's logging, nor the scrubbing in it.
    wiring.configure_logging("web", bridge.config)
    intake = intake_for(bridge.ledger, bridge.doorbell)
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
    )
    name = os.environ.get(NAME, "")
    return Gateway(
        app,
        limit=bridge.config.settings.body_limit,
        on_close=intake.close,
        beat=lambda: bridge.note_seen(name),
    )


def serve(
    host: str, port: int, *, workers: int = 1, target: str = "bridge.web.serve:application"
) -> None:
    """Serve until SIGINT or SIGTERM. Raises ConfigError when the port is taken."""
    check_port(host, port)
    Granian(
        target,
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        factory=True,
        workers=workers,
        backpressure=MAX_REQUESTS,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS),
        websockets=False,
        workers_kill_timeout=KILL_AFTER_SECONDS,
        respawn_failed_workers=True,
        log_level=LogLevels.warning,
        process_name=None,
    ).serve()


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
