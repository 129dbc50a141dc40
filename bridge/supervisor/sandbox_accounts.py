"""The sandbox that runs in a home: whether there is one, and how a command comes to use it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

FILE: Final = "sandbox.json"
"""In the home's `var/`. Holds addresses and keys, so only its owner may read it."""
DATABASE: Final = "BRIDGE_SANDBOX_DATABASE_URL"
REDIS: Final = "BRIDGE_SANDBOX_REDIS_URL"


def sandbox_database(home: Path) -> str:
    """Return the address of the sandbox's ledger, which is never the home's own."""
    return os.environ.get(DATABASE) or f"sqlite:///{home / 'var' / 'sandbox.db'}"


def was_used(home: Path) -> bool:
    """Return whether `bridge up --sandbox` has left a ledger in this home."""
    return (home / "var" / "sandbox.db").exists()


def is_selected() -> bool:
    """Return whether this process was told to use the sandboxes."""
    return bool(os.environ.get("BRIDGE_SANDBOX"))


def use_running_sandbox(home: Path) -> bool:
    """Point this process to the sandbox that runs in the home; return False when none runs.

    Call it before the configuration is loaded: that of a sandbox needs no keys.
    """
    redis = os.environ.get(REDIS)  # set when the sandbox uses a Redis that it did not start itself
    if not (home / "var" / FILE).exists() or not (redis or _has_redis(home)):
        return False
    os.environ["BRIDGE_SANDBOX"] = "1"
    os.environ["BRIDGE_DATABASE_URL"] = sandbox_database(home)
    if redis:
        os.environ["BRIDGE_REDIS_URL"] = redis
    else:
        os.environ.pop("BRIDGE_REDIS_URL", None)
    return True


def _has_redis(home: Path) -> bool:
    """Return whether the embedded Redis of a home runs."""
    from bridge.queue.embedded_valkey import url_for  # noqa: PLC0415 - asked where one may run

    return bool(url_for(home))
