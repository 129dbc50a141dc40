"""`bridge user`: who may use the pages, and as what."""

from __future__ import annotations

import sys

import click
from rich.table import Table

from bridge.cli.operator import at_desk
from bridge.cli.screen import Screen, say, say_rows
from bridge.operations import tokens, users
from bridge.operations.permissions import Role
from bridge.operations.times import when

ADDRESS = "http://127.0.0.1:8090"


@click.group("user")
def group() -> None:
    """Say who may use the pages, and as what.

    Viewers see, operators mend, mappers publish, admins do all.
    """


@group.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.VIEWER.value,
    show_default=True,
)
@click.option("--no-password", is_flag=True, help="They come in by `bridge user link` alone.")
def add(name: str, role: str, no_password: bool) -> None:
    """Add a user; the password is asked for, or read from a pipe."""
    with at_desk() as desk:
        users.add(desk, name, Role(role), password="" if no_password else _password())
    say(f"{name} may use the pages as {role}")


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_all(as_json: bool) -> None:
    """List the users, those who are disabled among them."""
    with at_desk() as desk:
        known = users.every(desk)
    if as_json:
        say_rows(known)
        return
    table = Table("user", "role", "signs in by", "since", "", box=None, header_style="dim")
    for user in known:
        state = f"no role at the provider since {when(user.left_at)}" if user.left_at else ""
        state = f"disabled {when(user.disabled_at)}" if user.disabled_at else state
        table.add_row(user.name, user.role, user.signs_in_by, when(user.made_at), state)
    if known:
        Screen().print(table)
    else:
        say("no users yet: `bridge user add NAME --role admin`")


@group.command()
@click.argument("name")
def password(name: str) -> None:
    """Give a user another password, and end their sessions."""
    with at_desk() as desk:
        users.set_password(desk, name, _password())
    say(f"{name} has another password, and is signed out everywhere")


@group.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice([role.value for role in Role]))
def change_role(name: str, role: str) -> None:
    """Give a user another role."""
    with at_desk() as desk:
        users.set_role(desk, name, Role(role))
        say(f"{name} is {role}{tokens.stopped_with(desk, name)}")


@group.command()
@click.argument("name")
def disable(name: str) -> None:
    """Keep a user out, and end their sessions at once."""
    with at_desk() as desk:
        users.disable(desk, name)
        stopped = tokens.stopped_with(desk, name)
    say(f"{name} is out; `bridge user enable {name}` lets them in again{stopped}")


@group.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let a disabled user in again."""
    with at_desk() as desk:
        users.enable(desk, name)
    say(f"{name} may sign in again")


@group.command()
@click.argument("name")
@click.option("--url", default=ADDRESS, show_default=True, help="Where the pages are.")
def link(name: str, url: str) -> None:
    """Print a link that signs a user in on this machine, once, within an hour."""
    with at_desk() as desk:
        token = users.make_link(desk, name)
    say(f"{url.rstrip('/')}/sign-in/link/{token}")


def _password() -> str:
    """Ask for a new password twice on a terminal, else read a line: it is never an argument."""
    if sys.stdin.isatty():
        return str(click.prompt("password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")
