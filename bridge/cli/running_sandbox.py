"""Lets commands use the sandbox that runs in the home, without being told each time."""

from __future__ import annotations

from pathlib import Path

from bridge.cli.screen import say
from bridge.supervisor import sandbox_accounts


def say_if_sandbox_stopped(home: Path) -> None:
    """Say, where the files cannot be used, that the home's sandbox, which needs no keys, is off."""
    if not sandbox_accounts.is_selected() and sandbox_accounts.was_used(home):
        say(
            "note: the sandbox that ran in this home is stopped, so your own systems are meant; "
            "`bridge up --sandbox` starts a new one",
            err=True,
        )


def follow_sandbox(home: Path) -> bool:
    """Use the sandbox that runs in this home, and say so; return False when none runs."""
    if sandbox_accounts.is_selected():
        return True
    if not sandbox_accounts.use_running_sandbox(home):
        return False
    say("(of the running sandbox)", err=True)
    return True
