"""`bridge admin`: the process that serves the pages."""

from __future__ import annotations

import os

import click

from bridge.cli.process import ACCEPT, begin


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8090,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Port to listen on.",
)
@click.option(
    "--proxies",
    default=0,
    show_default=True,
    type=click.IntRange(0, 9),
    envvar="BRIDGE_ADMIN_PROXIES",
    help="So many proxies stand before it, and say who asks and how.",
)
@click.option(
    "--path",
    default="",
    envvar="BRIDGE_ADMIN_PATH",
    help="The path below which the pages are: /bridge. [default: none]",
)
@click.option(
    "--receiver",
    default="",
    envvar="BRIDGE_RECEIVER",
    help="The address at which vendors reach the receiver: https://hooks.example.com. The pages "
    "show it, to be copied. [default: none]",
)
@click.option(
    "--development",
    is_flag=True,
    envvar="BRIDGE_ADMIN_DEVELOPMENT",
    help="Show /styleguide, with every component.",
)
@ACCEPT
def command(
    host: str,
    port: int,
    proxies: int,
    path: str,
    receiver: str,
    development: bool,
    accept: bool,
) -> None:
    """Serve the pages: what needs a human, the tickets, and why they are as they are."""
    from bridge import admin_loop  # noqa: PLC0415 - for this alone

    bridge = begin("admin", accept=accept)
    bridge.close()
    os.environ[admin_loop.PROXIES] = str(proxies)
    os.environ[admin_loop.PATH] = path
    os.environ[admin_loop.RECEIVER] = receiver
    os.environ[admin_loop.DEVELOPMENT] = "1" if development else ""
    admin_loop.run_admin(host, port, bridge.worker.owner)
    bridge.leave()
    bridge.close()
