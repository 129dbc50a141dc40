"""`bridge init`: a home to start from."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bridge.cli.screen import say
from bridge.errors import ConfigError
from bridge.home import fill_home, find_home


@click.command("init")
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False))
def command(directory: Path | None) -> None:
    """Make a home: commented configuration and mappings to edit. Files that exist stay as they are.

    Without DIRECTORY the home is the one that --home or BRIDGE_HOME names, else ~/.bridge.
    """
    home = _target(directory)
    try:
        made = fill_home(home)
    except OSError as error:
        raise ConfigError(
            [f"{error.filename or home}: {error.strerror}; name another folder"]
        ) from error
    for file in made:
        say(f"made {file}")
    if not made:
        say(f"{home} has everything already; nothing was changed")
    say(f"next: edit {home / 'config' / 'bridge.yaml'}, then: bridge --home {_quoted(home)} check")


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
