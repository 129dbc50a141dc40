"""In whose name a command acts."""

from __future__ import annotations

import getpass


def actor() -> str:
    """Return the name of whoever sits at this machine, for the audit."""
    try:
        return f"local:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have a number and no name
        return "local:unknown"
