"""The loop of the pages: it serves them until the process is told to stop."""

from __future__ import annotations

import os
import secrets
import threading
from typing import Final

from flask import Flask
from granian.constants import Interfaces

from bridge import wiring
from bridge.core.model.syncs import Rate
from bridge.errors import ConfigError
from bridge.home import find_home, var_folder, write_private
from bridge.operations import desk
from bridge.supervisor import played_people
from bridge.web.api.service import PREFIX, create_service
from bridge.web.pages import visitor
from bridge.web.pages.site import SiteSettings, create_site
from bridge.web.receiver.rates import RateMeter
from bridge.web.serve import check_port, end_with_parent, serve

KEY: Final = "BRIDGE_ADMIN_KEY"
"""Environment: what signs the cookies, the same on all machines."""
KEY_FILE: Final = "admin.key"
SHORTEST_KEY: Final = 32
PROXIES: Final = "BRIDGE_ADMIN_PROXIES"
PATH: Final = "BRIDGE_ADMIN_PATH"
DEVELOPMENT: Final = "BRIDGE_ADMIN_DEVELOPMENT"
RECEIVER: Final = "BRIDGE_RECEIVER"
"""Environment: the address at which vendors reach the receiver, as `https://hooks.example.com`."""
NAME: Final = "BRIDGE_ADMIN"
"""Environment of a server process: the name under which the process that began it has entered."""
MOST_THREADS: Final = 4
"""Requests at a time; a page is work for the processor, so more would only wait for one another."""
BEAT_SECONDS: Final = 5.0
API_RATES: Final = (Rate(600, 60.0),)
"""Requests of one token that are answered in a minute; all without a good one count together."""


def run_admin(host: str, port: int, name: str) -> None:
    """Serve on an address until SIGTERM or SIGINT. Raises ConfigError when the port is taken.

    `name`: under which this process has entered.
    """
    check_port(host, port)
    signing_key()  # one that cannot be used is said here, and not by a server process
    wiring.current.cache_clear()
    os.environ[NAME] = name
    serve(
        host,
        port,
        target="bridge.admin_loop:application",
        interface=Interfaces.WSGI,
        threads=min(MOST_THREADS, os.cpu_count() or 1),
    )


def application() -> Flask:
    """Build the application in a server process; granian calls this function by name."""
    end_with_parent()
    bridge = wiring.current()
    bridge.kind = "admin"
    wiring.configure_logging("admin", bridge.config)
    _keep_up(bridge)
    if bridge.provider is not None:
        bridge.provider()  # loads what it takes, so that nobody waits for that at the sign-in
    stage = played_people.of_home(bridge.config.home, bridge.config.connections)
    meter, served = RateMeter(bridge.clock), settings()
    service = create_service(
        lambda: desk.of(bridge, "api"),
        lambda name: meter.wait(name, API_RATES),
        visitor.whose_browser(served.key),
    )
    return create_site(lambda: desk.of(bridge, "pages"), served, {PREFIX: service}, stage)


def settings() -> SiteSettings:
    """Return how the pages are served, as the environment says. Raises ConfigError."""
    proxies = os.environ.get(PROXIES, "") or "0"
    if not proxies.isdecimal():
        raise ConfigError([f"{PROXIES} is the number of proxies before the pages: 0, 1, 2"])
    return SiteSettings(
        key=signing_key(),
        development=os.environ.get(DEVELOPMENT, "") == "1",
        proxies=int(proxies),
        path=os.environ.get(PATH, ""),
        receiver=os.environ.get(RECEIVER, ""),
    )


def signing_key() -> str:
    """Return what signs the cookies, made at the first start. Raises ConfigError."""
    given = os.environ.get(KEY, "")
    if given:
        if len(given) < SHORTEST_KEY:
            raise ConfigError([f"{KEY} is too short: at least {SHORTEST_KEY} random characters"])
        return given
    file = var_folder(find_home()) / KEY_FILE
    if not file.is_file() or len(file.read_text().strip()) < SHORTEST_KEY:
        write_private(file, secrets.token_urlsafe(SHORTEST_KEY))
    return file.read_text().strip()


def _keep_up(bridge: wiring.Bridge) -> None:
    """Take published mappings up, and say that this process is at work, beside the requests."""
    name, ended = os.environ.get(NAME, ""), threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            bridge.keep_up(name)

    threading.Thread(target=beat, name="beat", daemon=True).start()
