"""The receiver's loop: it takes webhooks in until the process is told to stop."""

from __future__ import annotations

import os

from bridge import wiring
from bridge.web.serve import NAME, check_port, serve


def run_receiver(host: str, port: int, name: str) -> None:
    """Serve on an address until SIGTERM or SIGINT. Raises ConfigError when the port is taken.

    `name`: under which this process has entered.
    """
    check_port(host, port)
    # The server's processes each build their own: connections must not be shared over a fork.
    wiring.current.cache_clear()
    os.environ[NAME] = name
    serve(host, port)
