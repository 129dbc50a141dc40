"""What `bridge up` says when all runs: where everything is, and what to try."""

from __future__ import annotations

import getpass

from rich.console import Console
from rich.text import Text

from bridge.cli.actor import actor
from bridge.cli.screen import say_json
from bridge.errors import BridgeError
from bridge.operations import desk, users
from bridge.supervisor.stack import Stack


def welcome(console: Console, stack: Stack, *, as_json: bool) -> None:
    """Say where everything is, and what to try."""
    connections = stack.bridge.config.connections
    webhooks = {
        name: f"{stack.url}/webhooks/{name}"
        for name, connection in connections.items()
        if connection.webhook is not None
    }
    if as_json:
        addresses = {
            "listening": stack.url,
            "pages": stack.pages_url,
            "webhooks": webhooks,
            "sandboxes": {name: sandbox.url for name, sandbox in stack.sandboxes.items()},
            "home": str(stack.settings.home),
        }
        say_json(addresses)
        return
    where = Text.assemble(("Bridge", "bold"), " is running on ", (stack.url, "bold"))
    console.print(where.append("   (Ctrl-C ends it)"))
    if stack.pages_url:
        _print_pages(console, stack)
    for name, connection in connections.items():
        console.print(f"  {name:<10} {connection.system:<9} {connection.base_url}")
        if name in webhooks:
            console.print(f"  {'':<10} webhooks  {webhooks[name]}", style="dim")
    for name, sandbox in list(stack.sandboxes.items())[:1]:
        _suggest_edit(console, name, sandbox.url)
    console.print()


def _suggest_edit(console: Console, name: str, url: str) -> None:
    console.print()
    console.print(
        f"Play a user of {name}: list the tickets, then change one, and watch it arrive below."
    )
    console.print(f"  curl -s {url}/_control/tickets", soft_wrap=True)
    body = '{"id": "ID", "fields": {"priority": "high"}}'
    console.print(f"  curl -s {url}/_control/edit -d '{body}'", soft_wrap=True)


def _print_pages(console: Console, stack: Stack) -> None:
    """Print where the pages are, as a link that signs whoever sits here in."""
    token = _link(stack)
    if token:
        address = f"{stack.pages_url}/sign-in/link/{token}"
        console.print(Text.assemble("Look at it: ", (address, "bold")), soft_wrap=True)
        console.print("  (signs you in once, on this machine, within an hour)", style="dim")
    else:
        console.print(Text.assemble("Look at it: ", (stack.pages_url, "bold")))


def _link(stack: Stack) -> str:
    """Return a token for whoever sits at this machine; empty: they are none of the users."""
    try:
        return users.first_link(desk.of(stack.bridge, actor()), getpass.getuser().lower())
    except (KeyError, OSError, BridgeError):  # no name, or none that a user may have
        return ""
