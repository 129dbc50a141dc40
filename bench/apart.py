"""Measuring in a process of its own: its memory is no other step's, and nothing is warm."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping

Step = Callable[..., dict]
"""A step of a benchmark; it takes words of a command line and returns figures."""


def peak() -> float:
    """Give the most memory that this process had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def apart(module: str, step: str, *words: object) -> dict:
    """Let a module's `main` run one step in a process of its own, and return its figures."""
    command = [sys.executable, "-m", module, step, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main(steps: Mapping[str, Step]) -> None:
    """Run the step that the command line names, and print its figures for `apart`."""
    name, *words = sys.argv[1:] or [""]
    if name not in steps:
        raise SystemExit(f"one of {', '.join(steps)}, not {name!r}")
    sys.stdout.write(json.dumps(steps[name](*words)) + "\n")
