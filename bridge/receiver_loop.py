"""The receiver's loop: it takes webhooks in until the process is told to stop."""

from __future__ import annotations

from bridge import wiring
from bridge.web.serve import check_port, serve


def run_receiver(host: str, port: int) -> None:
    """Serve on an address until SIGTERM or SIGINT. Raises ConfigError when the port is taken."""
    check_port(host, port)
    # The server's processes each build their own: connections must not be shared over a fork.
    wiring.current.cache_clear()
    serve(host, port)
