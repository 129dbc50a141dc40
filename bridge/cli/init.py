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
from bridge.operations.home_recipes import EVERYTHING, RECIPES, HomeRecipe


def _offered() -> str:
    """Return the recipes, as the help lists them."""
    return "\n".join(f"  {name:<11} {recipe.does}" for name, recipe in RECIPES.items())


@click.command("init", epilog=f"\b\nRecipes:\n{_offered()}")
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--recipe",
    "named",
    type=click.Choice([*RECIPES]),
    help="What the bridge is to do, below. [default: asks, else everything]",
)
@click.option(
    "--system",
    "texts",
    multiple=True,
    metavar="SYSTEM[=NAME]",
    help="A system that you have, and your name for it; again for each. "
    "[default: the recipe's; asks, else all]",
)
def command(directory: Path | None, named: str | None, texts: Sequence[str]) -> None:
    """Make a home: commented configuration and mappings to edit. Files that exist stay as they are.

    Only what the recipe and the chosen systems need is in it. Without DIRECTORY the home is the one
    that --home or BRIDGE_HOME names, else ~/.bridge.
    """
    home = _target(directory)
    recipe = RECIPES[named] if named else EVERYTHING
    if not named and not texts and _is_somebody_there():
        recipe = _ask_recipe()
    asked = [*texts] or _ask_systems(recipe, named=bool(named))
    chosen = new_home.choose(new_home.shipped_names() if asked is None else asked)
    files = new_home.files_for(chosen, recipe)
    try:
        if asked is not None:
            new_home.refuse_others(home, chosen)
        if recipe is not EVERYTHING:
            new_home.refuse_other_syncs(home, recipe, files)
        made = fill_home(home, files)
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


def _is_somebody_there() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _ask_recipe() -> HomeRecipe:
    """Ask what the bridge is to do."""
    say("What is the bridge to do?", *_offered().split("\n"))
    names = click.Choice([*RECIPES])
    return RECIPES[click.prompt("Recipe", type=names, default=EVERYTHING.name, show_choices=False)]


def _ask_systems(recipe: HomeRecipe, *, named: bool) -> list[str] | None:
    """Ask which systems there are, and their names here; None: all that are shipped.

    A recipe's own are not asked for, and where nobody can answer, or it was named in the command,
    they have the usual names.
    """
    known, own = new_home.shipped_names(), recipe is not EVERYTHING
    systems = new_home.systems_of(recipe)
    if named or not _is_somebody_there():
        return systems if own else None
    if not own:
        say("Which systems are to be connected?")
    texts = []
    for system in systems:
        if own or click.confirm(f"  {system}", default=False):
            where = f"  your name for {system}" if own else "    its name here"
            texts.append(f"{system}={click.prompt(where, default=known[system])}")
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
