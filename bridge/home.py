"""Finds the home: the folder with `config/`, `mappings/` and `var/`, not the working directory."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bridge.errors import ConfigError

_PACKAGE: Final = Path(__file__).resolve().parent
PARTS: Final = ("config", "mappings")
"""The folders of a home of which the package ships a copy."""


def checkout() -> Path | None:
    """Return the source checkout that the package is installed from; None for a wheel."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "mappings").is_dir() else None


def find_home(given: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the given home, else `$BRIDGE_HOME`, else the checkout, else `~/.bridge`."""
    if given is not None:
        return given.expanduser().resolve()
    named = environ.get("BRIDGE_HOME", "")
    if named:
        return Path(named).expanduser().resolve()
    source = checkout()
    if source is not None:
        return source
    try:
        return Path.home() / ".bridge"
    except RuntimeError as error:
        raise ConfigError(
            ["this user has no home folder: name one with --home or BRIDGE_HOME"]
        ) from error


def shipped_folder(part: str) -> Path:
    """Return the shipped copy of `config` or `mappings`."""
    root = checkout()
    return root / part if root is not None else _PACKAGE / "shipped" / part


def var_folder(home: Path) -> Path:
    """Return the folder for what the bridge itself writes, made readable by its owner only."""
    folder = home / "var"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_private(folder)
    except OSError as error:
        raise ConfigError(
            [f"{folder}: cannot be made ({error.strerror}); name another home with --home"]
        ) from error
    return folder


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, also if it, or its folder, was there before."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_private(file.parent)
    with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as stream:
        make_private(file)
        stream.write(text)


def make_private(path: Path) -> None:
    """Take the rights of everybody but the owner away, if it is ours to do so."""
    known = path.stat()
    if known.st_uid == os.getuid() and stat.S_IMODE(known.st_mode) & 0o077:
        path.chmod(stat.S_IMODE(known.st_mode) & 0o700)


def shipped_files() -> dict[str, str]:
    """Return the texts of all shipped files of a home, by their path in it."""
    return {
        f"{part}/{file.relative_to(shipped_folder(part)).as_posix()}": file.read_text("utf-8")
        for part in PARTS
        for file in sorted(shipped_folder(part).rglob("*"))
        if file.suffix in {".yaml", ".yml", ".json"}
    }


def fill_home(home: Path, files: Mapping[str, str] | None = None) -> list[Path]:
    """Write the files that a home does not have yet; return the new files.

    `files`: their texts by path, the shipped ones by default. A hidden one is for its owner only.
    """
    new_files: list[Path] = []
    for name, text in (shipped_files() if files is None else files).items():
        target = home / name
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o600 if target.name.startswith(".") else 0o644
        opened = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        with os.fdopen(opened, "w", encoding="utf-8") as stream:
            stream.write(text)
        new_files.append(target)
    var_folder(home)
    return new_files
