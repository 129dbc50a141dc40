"""Lets commands use the sandbox that runs in the home, without being told each time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bridge import home_configuration
from bridge.cli.screen import say
from bridge.config import SandboxAccount
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


def accounts_of(home: Path, *, sandbox: bool) -> Mapping[str, SandboxAccount] | None:
    """Return the accounts of sandboxes that files are checked with; None: the files' own.

    `sandbox`: as if there were one; else those of the sandbox that this process was told to use.
    """
    if not sandbox:
        return home_configuration.sandbox_accounts(home)
    from bridge.supervisor.account_file import placeholder_accounts  # noqa: PLC0415 - as sandboxes

    return placeholder_accounts()
