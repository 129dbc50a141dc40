"""The sandboxes on loopback ports, for the demo and as processes of their own.

`python -m bridge.sandbox.server` serves all of them. Secrets come from a seed or on standard input,
never from the command line. One line of JSON on standard output tells the addresses.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import random
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import waitress
from waitress import wasyncore

from bridge.clock import Clock, SystemClock
from bridge.core.model.syncs import Webhook
from bridge.sandbox.access import HOST, PORT_BASE, SandboxAccess, accounts
from bridge.sandbox.faults import Dropped
from bridge.sandbox.outbox import WebhookTarget
from bridge.sandbox.registry import sandbox_class, systems
from bridge.sandbox.transport import sender
from bridge.sandbox.vendor_app import Sandbox


@dataclass(frozen=True, slots=True)
class Spec:
    """One sandbox that is to be served."""

    system: str
    name: str = ""
    """The connection's name, which its journal rows carry; empty: the system's."""
    port: int = 0
    webhook_url: str = ""
    options: Mapping[str, Any] | None = None
    faults: Mapping[str, float] | None = None


class Served:
    """Sandboxes that are being served, by system."""

    def __init__(
        self, apps: Mapping[str, Sandbox], servers: Mapping[str, Any], urls: Mapping[str, str]
    ) -> None:
        self.apps = apps
        self.urls = dict(urls)
        self._servers = servers
        self._threads = [
            threading.Thread(target=_run, args=(server,), name=f"sandbox-{system}", daemon=True)
            for system, server in servers.items()
        ]

    def start(self) -> None:
        """Answer requests and send webhooks."""
        for thread in self._threads:
            thread.start()
        for app in self.apps.values():
            app.outbox.start()

    def target(self, system: str, url: str, webhook: Webhook) -> None:
        """Tell a sandbox where its webhooks go."""
        self.apps[system].outbox.target = WebhookTarget(url, webhook)

    def stop(self) -> None:
        """Stop answering; waits for the threads."""
        for app in self.apps.values():
            app.outbox.stop()
        for server in self._servers.values():
            # In the server's own thread; open keep-alive connections would hold its loop otherwise.
            server.trigger.pull_trigger(
                lambda server=server: wasyncore.close_all(server._map, ignore_all=True)  # noqa: SLF001
            )
        for thread in self._threads:
            thread.join(timeout=5)
        for server in self._servers.values():
            server.task_dispatcher.shutdown(cancel_pending=True, timeout=1)


def serve(
    specs: Sequence[Spec] | None = None,
    *,
    clock: Clock | None = None,
    seed: int = 0,
    port_base: int = PORT_BASE,
    hang: float = 15.0,
    threads: int = 12,
) -> Served:
    """Bind and start. Call `stop` in the end.

    A taken port gives way to the next free one, port base 0 to any. `hang` is how long a
    `timeout-after` fault keeps its caller waiting: longer than the caller's timeout.
    """
    clock = clock or SystemClock()
    wanted = list(specs or (Spec(system) for system in systems()))
    known = accounts(seed=seed, port_base=port_base or PORT_BASE)
    sequence = itertools.count(1)  # of all journals together, which are read as one story
    apps: dict[str, Sandbox] = {}
    servers: dict[str, Any] = {}
    urls: dict[str, str] = {}
    for number, spec in enumerate(wanted):
        account = known[spec.system]
        app = sandbox_class(spec.system)(
            clock,
            random.Random(f"{seed} {spec.system}"),
            api_key=account.api_key,
            name=spec.name,
            webhook=_target(account, spec.webhook_url),
            options=spec.options,
            faults=spec.faults,
            sequence=sequence,
            send=sender(),
        )
        apps[spec.system] = app
        port = spec.port or (port_base + number if port_base else 0)
        listening = _bind(port)
        urls[spec.system] = f"http://{HOST}:{listening.getsockname()[1]}"
        servers[spec.system] = waitress.create_server(
            over_http(app, clock, hang),
            sockets=[listening],
            threads=threads,
            clear_untrusted_proxy_headers=True,
        )
    served = Served(apps, servers, urls)
    served.start()
    return served


def over_http(
    app: Sandbox, clock: Clock, hang: float
) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """Turn a fault that leaves no answer into a cut body, after a long wait for a timeout."""

    def answering(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except Dropped as dropped:
            if dropped.kind == "timeout-after":
                clock.sleep(hang)
            # The caller is told to wait for more than it gets, then the connection closes.
            start_response(
                "200 OK", [("Content-Type", "application/json"), ("Content-Length", "1000")]
            )
            return [b'{"data":']

    return answering


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until standard input ends or a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m bridge.sandbox.server", description=__doc__)
    parser.add_argument(
        "--port-base", type=int, default=PORT_BASE, help="first port; 0: any free ones"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="derives keys, secrets and all randomness"
    )
    parser.add_argument(
        "--settings",
        action="store_true",
        help="read JSON specs from the first line of standard input",
    )
    given = parser.parse_args(arguments)
    specs = None
    if given.settings:
        specs = [Spec(**spec) for spec in json.loads(sys.stdin.readline())]
    served = serve(specs, seed=given.seed, port_base=given.port_base)
    sys.stdout.write(json.dumps({"urls": served.urls}) + "\n")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        served.stop()
    return 0


def _bind(port: int) -> socket.socket:
    for candidate in (port,) if port == 0 else (*range(port, min(port + 50, 65536)), 0):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, candidate))
            listening.listen(128)
        except OSError:
            listening.close()
        else:
            return listening
    raise OSError(f"no free port from {port} on")


def _target(account: SandboxAccess, url: str) -> WebhookTarget | None:
    signing = account.webhook()
    return WebhookTarget(url, signing) if url and signing is not None else None


def _run(server: Any) -> None:
    try:
        server.run()
    except OSError:
        logging.getLogger(__name__).debug("sandbox server closed", exc_info=True)


if __name__ == "__main__":
    sys.exit(main())
