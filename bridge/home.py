"""Finds the home: the folder that holds `config/`, `mappings/` and `var/`. Never the working directory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bridge.errors import ConfigError

_PACKAGE: Final = Path(__file__).resolve().parent
PARTS: Final = ("config", "mappings")
"""What a home has and the package ships a copy of."""


def checkout() -> Path | None:
    """Give the source checkout that the package is installed from; None when it came as a wheel."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "mappings").is_dir() else None


def find_home(given: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Give the home: the one that was named, else `$BRIDGE_HOME`, else the checkout, else `~/.bridge`."""
    if given is not None:
        return given.expanduser().resolve()
    named = environ.get("BRIDGE_HOME", "")
    if named:
        return Path(named).expanduser().resolve()
    found = checkout()
    if found is not None:
        return found
    try:
        return Path.home() / ".bridge"
    except RuntimeError as error:
        raise ConfigError(
            ["this user has no home folder: name one with --home or BRIDGE_HOME"]
        ) from error


def shipped(part: str) -> Path:
    """Give the shipped copy of `config` or `mappings`."""
    root = checkout()
    return root / part if root is not None else _PACKAGE / "shipped" / part


def var(home: Path) -> Path:
    """Give the home's folder for what the bridge itself writes; made for its owner alone."""
    folder = home / "var"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            [f"{folder}: cannot be made ({error.strerror}); name another home with --home"]
        ) from error
    return folder


def fill(home: Path) -> list[Path]:
    """Copy the shipped configuration and mappings into a home. What is there already stays; gives the new files."""
    made: list[Path] = []
    for part in PARTS:
        source = shipped(part)
        for file in sorted(source.rglob("*")):
            target = home / part / file.relative_to(source)
            if file.suffix in {".yaml", ".yml", ".json"} and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
                made.append(target)
    var(home)
    return made
