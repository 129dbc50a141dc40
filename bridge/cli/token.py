"""`bridge token`: which programs may use the API, and as what."""

from __future__ import annotations

import click
from rich.table import Table

from bridge.cli.operator import at_desk
from bridge.cli.screen import Screen, say, say_json, say_rows
from bridge.operations import tokens
from bridge.operations.permissions import Role
from bridge.operations.times import when
from bridge.operations.tokens import Token


@click.group("token")
def group() -> None:
    """Say which programs may use the API, and as what.

    A token has the role of a user: viewers see, operators mend, mappers publish, admins do all.
    """


@group.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.VIEWER.value,
    show_default=True,
)
@click.option(
    "--connection",
    "connections",
    multiple=True,
    metavar="NAME",
    help="It is for this connection alone; may be repeated. [default: the whole bridge]",
)
@click.option(
    "--days",
    default=tokens.USUAL_DAYS,
    show_default=True,
    type=click.IntRange(1, tokens.LONGEST_DAYS),
    help="It is good for so long.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def create(name: str, role: str, connections: tuple[str, ...], days: int, as_json: bool) -> None:
    """Make a token, and print it: it is shown this once, and kept nowhere."""
    with at_desk() as desk:
        made = tokens.create(desk, name, Role(role), connections=connections, days=days)
    if as_json:
        say_json(made)
        return
    say(made.secret)
    say(f"{name} may use the API as {role} until {when(made.token.ends_at)}", err=True)


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_all(as_json: bool) -> None:
    """List the tokens, those that let nobody in any more among them."""
    with at_desk() as desk:
        known, now = tokens.every(desk), desk.now()
    if as_json:
        say_rows(known)
        return
    table = Table("token", "role", "for", "by", "used", "until", "", box=None, header_style="dim")
    for token in known:
        of = ", ".join(token.connections) or "the whole bridge"
        last = when(token.used_at) if token.used_at else "never"
        state = _state(token, good=token.is_good(now))
        table.add_row(token.name, token.role, of, token.made_by, last, when(token.ends_at), state)
    if known:
        Screen().print(table)
    else:
        say("no tokens yet: `bridge token create NAME --role viewer`")


@group.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Let nobody in with a token any more, at once and for good."""
    with at_desk() as desk:
        tokens.revoke(desk, name)
    say(f"{name} lets nobody in any more")


def _state(token: Token, *, good: bool) -> str:
    if token.revoked_at is not None:
        return f"revoked {when(token.revoked_at)}"
    if token.maker_is_out:
        return "its maker is out"
    return "" if good else "too old"
