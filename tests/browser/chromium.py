"""A real Chromium, Debian's: it is there, or is installed, or it is said why it cannot be."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
INSTALL = (
    ("apt-get", "update", "-q"),
    ("apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"),
)
SWITCHES = (
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
)
"""It knows of no other machine than this one, and asks for none of itself."""


class NoChromium(AssertionError):
    """There is no Chromium, and none could be installed."""


def path_of_chromium(lock: Path) -> Path:
    """Return where Chromium is; install Debian's where it is not. Raises NoChromium, with why."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # several test processes begin at once
        for command in () if CHROMIUM.exists() else INSTALL:
            _run(command)
    if not CHROMIUM.exists():
        raise NoChromium(f"Debian's package `chromium` is installed, and {CHROMIUM} is not there")
    return CHROMIUM


def _run(command: tuple[str, ...]) -> None:
    how = f"install Debian's package `chromium` as root, so that {CHROMIUM} is there"
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NoChromium(f"tests/browser needs Chromium; `{command[0]}`: {error}; {how}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-600:]
        raise NoChromium(f"tests/browser needs Chromium; `{' '.join(command)}`: {said}; {how}")
