"""Serves the application with granian: one process and its threads. Several may share a ledger in PostgreSQL."""

from __future__ import annotations

import os
import socket
from typing import Final

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from bridge.core.model.syncs import Connection, Secret
from bridge.errors import ConfigError
from bridge.observability import log
from bridge.web.receiver.gateway import Gateway
from bridge.web.receiver.intake import DirectIntake, GroupIntake, Intake

CALLERS: Final = 512
"""Requests taken at once; most of them are waiting for their bodies, which takes no thread."""
KILL_AFTER: Final = 4
"""Seconds that a worker has to end its requests; process managers lose patience at about five."""
HEADER_MS: Final = 10_000


def application() -> Gateway:
    """Build the application in a server process; granian calls this by name."""
    from bridge import wiring  # noqa: PLC0415 - a server for something else needs none of it
    from bridge.web.app import create_app  # noqa: PLC0415

    engine = wiring.current()
    # A process of its own: what its parent has set up for logging, scrubbing included, did not come
    # along.
    found = engine.config.connections.values()
    log.configure(
        "web",
        form=os.environ.get("BRIDGE_LOG", "text"),
        level=os.environ.get("BRIDGE_LOG_LEVEL", "info"),
        secrets=[
            secret for each in found for secret in (*each.credentials.values(), *_secrets(each))
        ],
    )
    # On SQLite one thread commits for all; PostgreSQL groups commits by itself.
    grouped = engine.ledger.url.get_backend_name() == "sqlite"
    intake: Intake = (GroupIntake if grouped else DirectIntake)(engine.ledger, engine.doorbell)
    token = os.environ.get("BRIDGE_METRICS_TOKEN", "")
    app = create_app(
        engine.config,
        engine.ledger,
        engine.doorbell,
        engine.clock,
        engine.connectors,
        intake=intake,
        metrics_token=Secret(token) if token else None,
        limit=engine.config.settings.body_limit,
    )
    return Gateway(app, limit=engine.config.settings.body_limit, on_close=intake.close)


def _secrets(connection: Connection) -> tuple[Secret, ...]:
    return connection.webhook.secrets if connection.webhook else ()


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
        backpressure=CALLERS,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MS),
        websockets=False,
        workers_kill_timeout=KILL_AFTER,
        respawn_failed_workers=True,
        log_level=LogLevels.warning,
        process_name=None,
    ).serve()


def check_port(host: str, port: int) -> None:
    """Raise ConfigError unless the port is free: two servers could otherwise share it without a word."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(
            [f"cannot listen on {host}:{port} ({error.strerror}); choose another with --port"]
        ) from None
