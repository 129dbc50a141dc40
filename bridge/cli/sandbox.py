"""`bridge sandbox`: the vendors' documented APIs on this machine."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click

from bridge.cli.deployment_option import parse_deployment
from bridge.cli.screen import say, say_json
from bridge.sandbox import server
from bridge.sandbox.deployments import written
from bridge.sandbox.registry import systems
from bridge.supervisor.processes import watch_parent
from bridge.supervisor.sandbox_accounts import write_accounts


@click.command("sandbox")
@click.option(
    "--port-base", default=server.PORT_BASE, show_default=True, help="First port; 0: any free ones."
)
@click.option(
    "--seed", default=0, show_default=True, help="Derives keys, secrets and everything random."
)
@click.option(
    "--deployment",
    default="",
    metavar="random|NAME=VALUE,…",
    help="How the vendors' deployments differ from the usual; `random` draws it by the seed.",
)
@click.option("--specs", hidden=True, default="", help="How each is to be served, as JSON.")
@click.option(
    "--announce", hidden=True, type=click.Path(path_type=Path), help="Where to store the accounts."
)
@click.option(
    "--json", "as_json", is_flag=True, help="For programs: one line with the addresses and keys."
)
def command(
    port_base: int,
    seed: int,
    deployment: str,
    specs: str,
    announce: Path | None,
    as_json: bool,
) -> None:
    """Serve the vendors' documented APIs on this machine, with records in memory, until Ctrl-C."""
    watch_parent()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # A reset on purpose is a fault that was asked for, not news.
    logging.getLogger("waitress").setLevel(logging.CRITICAL)
    deployed = parse_deployment(deployment, seed)
    if specs:
        wanted = [server.Spec(**spec) for spec in json.loads(specs)]
    else:
        wanted = [server.Spec(name, options=deployed.get(name)) for name in systems()]
    served = server.serve(wanted, seed=seed, port_base=port_base)
    try:
        accounts = server.accounts(
            served.urls, seed, deployment={spec.system: spec.options or {} for spec in wanted}
        )
        if announce is not None:
            write_accounts(announce, accounts)
        elif as_json:
            values = {system: asdict(account) for system, account in accounts.items()}
            say_json(values)
        else:
            _print(accounts, served.urls)
            if deployed:
                say(f"deployment {written(deployed)}")
        sys.stdout.flush()
        stop.wait()
    finally:
        served.stop()


def _print(accounts: Mapping[str, server.SandboxAccess], urls: Mapping[str, str]) -> None:
    for system, account in accounts.items():
        say(f"{system:<10} {account.base_url}   key {account.api_key}")
        plays = "plays its users: tickets, edit, populate, faults"
        say(f"{'':<10} {urls[system]}/_control/   {plays}")
    say("Ctrl-C ends it; nothing is kept.")
