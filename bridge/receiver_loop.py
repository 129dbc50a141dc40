"""The receiver's loop: it takes webhooks in until the process is told to stop."""

from __future__ import annotations

import os

from bridge import wiring
from bridge.web.serve import NAME, check_port, processes_for, serve

__all__ = ["processes_for", "run_receiver"]


def run_receiver(host: str, port: int, name: str, processes: int) -> None:
    """Serve on an address until SIGTERM or SIGINT. Raises ConfigError when the port is taken.

    `name`: under which this process has entered. `processes`: so many serve, begun by this one.
    """
    check_port(host, port)
    # The server's processes each build their own: connections must not be shared over a fork.
    wiring.current.cache_clear()
    os.environ[NAME] = name
    serve(host, port, workers=processes)
