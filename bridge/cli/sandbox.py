"""`bridge sandbox`: the documented APIs of the vendors on this machine, and the hand that plays their users."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bridge.errors import BridgeError
from bridge.sandbox import server
from bridge.supervisor.processes import watch_parent
from bridge.supervisor.sandbox_accounts import stored


class ControlError(BridgeError):
    """A sandbox did not do as it was told."""


class Control:
    """The control API of one sandbox."""

    def __init__(self, system: str, base_url: str) -> None:
        parts = urllib.parse.urlsplit(base_url)
        self.system = system
        self.url = f"{parts.scheme}://{parts.netloc}"

    def get(self, path: str, **query: str | int) -> Any:
        """Ask."""
        url = f"{self._address(path)}?{urllib.parse.urlencode(query)}"
        return self._send(urllib.request.Request(url))  # noqa: S310

    def post(self, path: str, **body: Any) -> Any:
        """Tell."""
        data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        return self._send(urllib.request.Request(self._address(path), data, headers))  # noqa: S310

    def _address(self, path: str) -> str:
        return f"{self.url}/_control/{path}"

    def _send(self, request: urllib.request.Request) -> Any:
        # Never through a proxy of the machine: the sandbox is on loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(
                    f"{self.system} sandbox: {error.code} {error.read(300).decode()}"
                ) from error
        except OSError as error:
            raise ControlError(
                f"{self.system} sandbox at {self.url} does not answer: {error}"
            ) from error


def write_accounts(path: Path, accounts: dict[str, server.Account]) -> None:
    """Store the accounts, whole or not at all, for the owner alone."""
    contents = {system: stored(account) for system, account in accounts.items()}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(contents, file)
    new.replace(path)


@click.command()
@click.option(
    "--port-base", default=server.PORT_BASE, show_default=True, help="First port; 0: any free ones."
)
@click.option(
    "--seed", default=0, show_default=True, help="Derives keys, secrets and everything random."
)
@click.option("--specs", hidden=True, default="", help="How each is to be served, as JSON.")
@click.option(
    "--announce", hidden=True, type=click.Path(path_type=Path), help="Where to store the accounts."
)
@click.option(
    "--json", "as_json", is_flag=True, help="For programs: one line with the addresses and keys."
)
def sandbox(port_base: int, seed: int, specs: str, announce: Path | None, as_json: bool) -> None:
    """Serve the vendors' documented APIs on this machine alone, with records in memory, until Ctrl-C."""
    watch_parent()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # A reset on purpose is a fault that was asked for, not news.
    logging.getLogger("waitress").setLevel(logging.CRITICAL)
    wanted = [server.Spec(**spec) for spec in json.loads(specs)] if specs else None
    served = server.serve(wanted, seed=seed, port_base=port_base)
    try:
        accounts = server.accounts(served.urls, seed)
        if announce is not None:
            write_accounts(announce, accounts)
        elif as_json:
            click.echo(
                json.dumps({system: asdict(account) for system, account in accounts.items()})
            )
        else:
            for system, account in accounts.items():
                click.echo(f"{system:<10} {account.base_url}   key {account.api_key}")
                click.echo(
                    f"{'':<10} {served.urls[system]}/_control/   plays its users: tickets, edit, populate, faults"
                )
            click.echo("Ctrl-C ends it; nothing is kept.")
        sys.stdout.flush()
        stop.wait()
    finally:
        served.stop()
