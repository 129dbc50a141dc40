"""`bridge init`: a home to start from."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from bridge.cli.screen import say
from bridge.errors import ConfigError
from bridge.home import fill_home, find_home
from bridge.operations import new_home


@click.command("init")
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--system",
    "texts",
    multiple=True,
    metavar="SYSTEM[=NAME]",
    help="A system that you have, and your name for it; again for each. [default: asks, else all]",
)
def command(directory: Path | None, texts: Sequence[str]) -> None:
    """Make a home: commented configuration and mappings to edit. Files that exist stay as they are.

    Only what the chosen systems need is in it. Without DIRECTORY the home is the one that --home or
    BRIDGE_HOME names, else ~/.bridge.
    """
    home = _target(directory)
    asked = [*texts] or _ask()
    chosen = new_home.choose(new_home.shipped_names() if asked is None else asked)
    try:
        if asked is not None:
            new_home.refuse_others(home, chosen)
        made = fill_home(home, new_home.files_for(chosen))
    except OSError as error:
        raise ConfigError(
            [f"{error.filename or home}: {error.strerror}; name another folder"]
        ) from error
    for file in made:
        say(f"made {file}")
    if not made:
        say(f"{home} has everything already; nothing was changed")
    say(
        "next:",
        f"  fill in {home / '.env'}: your keys, and addresses where the defaults are not yours",
        f"  look through {home / 'config' / 'bridge.yaml'} and {home / 'mappings'}",
        f"  bridge --home {_quoted(home)} check",
    )


def _ask() -> list[str] | None:
    """Ask which systems there are, and their names here; None where nobody can answer."""
    known = new_home.shipped_names()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    say("Which systems are to be connected?")
    texts = []
    for system, name in known.items():
        if click.confirm(f"  {system}", default=False):
            texts.append(f"{system}={click.prompt('    its name here', default=name)}")
    return texts


def _target(directory: Path | None) -> Path:
    """Return the folder that is meant. A checkout is none, unless it is named."""
    if directory is not None:
        return find_home(directory)
    if os.environ.get("BRIDGE_HOME"):
        return find_home()
    try:
        return Path.home() / ".bridge"
    except RuntimeError as error:
        raise ConfigError(["this user has no home folder: name a DIRECTORY"]) from error


def _quoted(path: Path) -> str:
    text = str(path)
    return f'"{text}"' if " " in text else text
