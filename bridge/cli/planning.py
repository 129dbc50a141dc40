"""What commands that plan share: the bridge of the home, opened for it, and the progress."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from bridge import wiring
from bridge.cli.actor import actor
from bridge.cli.operator import say_if_files_differ
from bridge.cli.running_sandbox import follow_sandbox
from bridge.cli.screen import say_over
from bridge.errors import UnknownName
from bridge.home import find_home
from bridge.operations import desk
from bridge.operations.desk import Desk
from bridge.preview.plan_parts import Look

WIDTH: Final = 40
"""Of the line that shows the progress."""


@contextmanager
def opened(
    *, sandbox: bool, writes: str = "", files_have_changed: bool = False
) -> Iterator[tuple[wiring.Bridge, Desk]]:
    """Open the bridge of this home. `sandbox`: that of the running sandbox, or none.

    `files_have_changed`: that is why the command is given. `writes`: the command that is going to
    write. Raises FilesDiffer when processes run by other files; without it, that is only said.
    """
    home = find_home()
    if not follow_sandbox(home) and sandbox:
        raise click.UsageError(
            "no sandbox runs in this home: start `bridge up --sandbox`, then plan again"
        )
    bridge = wiring.build_bridge(home)
    try:
        if writes:
            bridge.enter(writes, alone=True)
        elif not files_have_changed:
            say_if_files_differ(bridge.files_notice())
        yield bridge, desk.of(bridge, actor())
    except UnknownName as error:
        raise click.UsageError(str(error)) from error
    finally:
        if writes:
            bridge.leave()
        bridge.close()


@contextmanager
def looking() -> Iterator[Look]:
    """Show on a terminal how much was looked at, in one line that is gone at the end."""
    if not sys.stderr.isatty():
        yield lambda _seen: None
        return
    yield lambda seen: say_over(f"{seen:,} looked at", width=WIDTH)
    say_over("", width=WIDTH)
