"""`bridge action CONNECTION ACTION key=value…`: done by hand at a system, and never by a sync."""

from __future__ import annotations

from collections.abc import Iterable

import click

from bridge.cli.operator import at_desk
from bridge.cli.screen import say
from bridge.operations import action


@click.command("action")
@click.argument("connection")
@click.argument("name", metavar="ACTION")
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
def command(connection: str, name: str, arguments: tuple[str, ...]) -> None:
    """Do something by hand at a system, such as opening a screen share.

    The answer is shown once and kept nowhere. That it was asked for is written down in the audit,
    before it is done. It is never repeated by itself.
    """
    with at_desk() as desk:
        say(action.act(desk, connection, name, _pairs(arguments)))


def _pairs(arguments: Iterable[str]) -> dict[str, str]:
    """Return the arguments by key. Raises UsageError unless each is `key=value`, given once."""
    pairs: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or not key or key in pairs:
            raise click.UsageError(f"{key!r} must be given once, as key=value")
        pairs[key] = value
    return pairs
