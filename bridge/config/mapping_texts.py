"""The texts of mappings/: from a folder, or as they were published in the ledger.

What is published lies in the ledger, in backups and in the hands of all who may see mappings. So no
reference to a secret, and no secret, may stand in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bridge.config import yaml_reader
from bridge.config.yaml_reader import Problem
from bridge.core.model.syncs import Secret
from bridge.errors import ConfigError

FOLDER: Final = "mappings"
FILES: Final = "files"
LEDGER: Final = "ledger"
"""The two places from which a home may take its mappings: the values of the setting `mappings`."""
MIN_SECRET_CHARS: Final = 8
"""A shorter one may be a word that stands in a mapping for another reason."""


@dataclass(frozen=True, slots=True)
class Published:
    """A revision of the mappings, as it is in the ledger."""

    number: int
    files: Mapping[str, str] = field(repr=False)
    """File name below mappings/ -> its text, byte for byte."""


class MappingTexts:
    """The files of mappings/ by the names that people call them by: `mappings/syncs.yaml`."""

    def __init__(self, home: Path, published: Published | None = None) -> None:
        self.home, self.published = home, published
        self._read: dict[str, str] = {}
        """What was read of the folder: a file that is edited meanwhile is one text all the same."""

    def has(self, shown: str) -> bool:
        """Return whether there is such a file."""
        if self.published is None:
            return (self.home / shown).exists()
        return _name(shown) in self.published.files

    def read(self, shown: str) -> str:
        """Return the text of a file. Raises ConfigError."""
        if self.published is None:
            if shown not in self._read:
                self._read[shown] = yaml_reader.read_text(self.home / shown, shown)
            return self._read[shown]
        text = self.published.files.get(_name(shown))
        if text is None:
            number = self.published.number
            raise ConfigError([f"{shown}:1: is no file of revision {number} of the mappings"])
        return text

    def all(self) -> dict[str, str]:
        """Return every file by its name, in order; one that cannot be read is left out."""
        if self.published is not None:
            return dict(sorted(self.published.files.items()))
        found: dict[str, str] = {}
        for path in sorted((self.home / FOLDER).glob("*.yaml")):
            try:
                found[path.name] = self.read(f"{FOLDER}/{path.name}")
            except ConfigError:
                continue
        return found


def whose(in_force: Published | None, problems: Sequence[Problem]) -> list[Problem]:
    """Return that problems are those of mappings in force, not of the home's files, if so."""
    if in_force is None or all(not file.startswith(FOLDER) for file, _line, _what in problems):
        return []
    what = (
        f"these are the mappings of revision {in_force.number}, which is in force; `bridge "
        "mappings publish` puts the files of mappings/ in their place"
    )
    return [(f"{FOLDER}/", 1, what)]


def read_folder(folder: Path) -> dict[str, str]:
    """Return the texts of all files of a folder. Raises ConfigError naming the unreadable.

    For what is to be published: links that lead out of the folder are not followed, for whatever
    they lead to would lie in the ledger, for all to see.
    """
    texts: dict[str, str] = {}
    problems: list[str] = []
    if not folder.is_dir():
        raise ConfigError([f"{folder} is no folder"])
    inside = os.path.realpath(folder)
    for path in sorted(folder.glob("*.yaml")):
        if not Path(os.path.realpath(path)).is_relative_to(inside):
            problems.append(
                f"{FOLDER}/{path.name}:1: is a link that leads out of the folder; put the file "
                "itself here"
            )
            continue
        try:
            texts[path.name] = yaml_reader.read_text(path, f"{FOLDER}/{path.name}")
        except ConfigError as error:
            problems += error.problems
    if not texts and not problems:
        problems.append(f"{folder} has no mappings: no file there ends in .yaml")
    if problems:
        raise ConfigError(problems)
    return texts


def secret_problems(files: Mapping[str, str], secrets: Iterable[Secret]) -> list[Problem]:
    """Return what in mappings is a secret, or refers to one; no problem shows it."""
    known = [each.reveal() for each in secrets if len(each.reveal()) >= MIN_SECRET_CHARS]
    problems: list[Problem] = []
    for name, text in files.items():
        for number, line in enumerate(text.splitlines(), 1):
            if "${" in line:
                what = (
                    "${…} is filled in in config/bridge.yaml alone: write the value, or, if it "
                    "is a secret, leave it out of the mappings"
                )
                problems.append((f"{FOLDER}/{name}", number, what))
            if any(secret in line for secret in known):
                what = "a secret of config/bridge.yaml stands here: take it out of the mappings"
                problems.append((f"{FOLDER}/{name}", number, what))
    return problems


def _name(shown: str) -> str:
    return shown.removeprefix(f"{FOLDER}/")
