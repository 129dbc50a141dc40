"""Reads `.env` of a home: values for references, where the environment has none."""

from __future__ import annotations

import io
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import parse_stream

from bridge.config.yaml_reader import Problem

ENV_FILE = ".env"
MAX_ENV_BYTES = 64 * 1024


@dataclass(slots=True)
class EnvFile:
    """What a `.env` says, and what is wrong with it. The problems never show a value."""

    values: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def below(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment, and for names that it lacks or has empty, what the file says."""
        return self.values | {name: value for name, value in environ.items() if value}


def read_env_file(home: Path) -> EnvFile:
    """Read the `.env` of a home; one that is not there says nothing.

    Lines are `NAME=value`, with or without quotes and a leading `export`; nothing within a value
    is filled in.
    """
    path, found = home / ENV_FILE, EnvFile()
    try:
        with path.open("rb") as stream:
            raw, mode = stream.read(MAX_ENV_BYTES + 1), path.stat().st_mode
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        return found
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        found.problems.append((ENV_FILE, 1, f"it cannot be read: {why}"))
        return found
    if len(raw) > MAX_ENV_BYTES:
        found.problems.append((ENV_FILE, 1, "it is larger than 64 KiB"))
        return found
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        what = f"other accounts of this machine can read it: chmod 600 {path}"
        found.warnings.append((ENV_FILE, 1, what))
    for line in parse_stream(io.StringIO(text)):
        if line.error or (line.key is not None and line.value is None):
            what = "the line is not understood; allowed NAME=value, and comments after #"
            found.problems.append((ENV_FILE, line.original.line, what))
        elif line.key is not None and line.value is not None:
            found.values[line.key] = line.value
    return found
