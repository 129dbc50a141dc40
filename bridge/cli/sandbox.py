"""`bridge sandbox`: the vendors' documented APIs on this machine."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import click

from bridge.cli.deployment_option import parse_deployment
from bridge.cli.sandbox_lines import access_as_json, print_access
from bridge.cli.screen import say, say_json
from bridge.sandbox import access, server
from bridge.sandbox.deployments import written
from bridge.sandbox.registry import sandbox_class, systems
from bridge.supervisor.account_file import write_accounts
from bridge.supervisor.processes import watch_parent


@click.command("sandbox")
@click.option(
    "--port-base", default=access.PORT_BASE, show_default=True, help="First port; 0: any free ones."
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
@click.option(
    "--webhook",
    "webhooks",
    multiple=True,
    metavar="SYSTEM=URL",
    help="Where a system's webhooks go, such as http://127.0.0.1:8080/webhooks/helpdesk.",
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
    webhooks: Sequence[str],
    specs: str,
    announce: Path | None,
    as_json: bool,
) -> None:
    """Serve the vendors' documented APIs on this machine, with records in memory, until Ctrl-C."""
    targets = _targets(webhooks)
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
        wanted = [
            server.Spec(name, options=deployed.get(name), webhook_url=targets.get(name, ""))
            for name in systems()
        ]
    served = server.serve(wanted, seed=seed, port_base=port_base)
    try:
        accounts = access.accounts(
            served.urls, seed, deployment={spec.system: spec.options or {} for spec in wanted}
        )
        if announce is not None:
            write_accounts(announce, accounts)
        elif as_json:
            say_json(
                {
                    system: access_as_json(account, targets.get(system, ""))
                    for system, account in accounts.items()
                }
            )
        else:
            print_access(accounts, served.urls, targets)
            if deployed:
                say(f"deployment {written(deployed)}")
        sys.stdout.flush()
        stop.wait()
    finally:
        served.stop()


def _targets(texts: Sequence[str]) -> dict[str, str]:
    """Return where webhooks are to go, by system. Raises UsageError."""
    targets = {}
    for text in texts:
        system, _, url = text.partition("=")
        sends = [name for name in systems() if sandbox_class(name).SIGNING is not None]
        if system not in sends:
            raise click.UsageError(
                f"--webhook: {system} sends no webhooks; those that do: {', '.join(sends)}"
            )
        if not url.startswith(("http://", "https://")):
            raise click.UsageError(
                f"--webhook {system}=URL: the URL begins with http:// or https://"
            )
        targets[system] = url
    return targets
