"""What `bridge check` of the shipped files costs, as it is typed: a process from start to end.

Beside one that does no more than load the libraries which it needs.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Any

from bench.figures import figure

MOST_SECONDS = 1.0
CHECK = ("-m", "bridge", "check", "--sandbox")
LIBRARIES = ("-c", "import sqlalchemy.dialects.postgresql, marshmallow, yaml, click, rich.console")


def cpu_of(words: tuple[str, ...]) -> float:
    """Return the seconds of CPU that a process of Python takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(rounds: int = 7) -> dict[str, Any]:
    """Let both run in turns. What is compiled once was compiled by a turn that does not count."""
    cpu_of(CHECK)
    turns = [{"check": cpu_of(CHECK), "libraries": cpu_of(LIBRARIES)} for _ in range(rounds)]
    return {
        "name": "`bridge check` of the shipped files",
        "turns": turns,
        "figures": [
            figure(
                "check of the shipped files: CPU",
                [each["check"] for each in turns],
                unit="s",
                limit=MOST_SECONDS,
            ),
            figure(
                "check of the shipped files",
                [each["check"] / each["libraries"] for each in turns],
                peer="its libraries loaded",
            ),
        ],
    }
