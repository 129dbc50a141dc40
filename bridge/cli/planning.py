"""What `bridge plan` and `bridge apply` share: the bridge of the home, opened for planning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from bridge import wiring
from bridge.cli.operator import actor, say_if_files_differ
from bridge.cli.running_sandbox import follow_sandbox
from bridge.errors import UnknownName
from bridge.home import find_home
from bridge.operations import desk
from bridge.operations.desk import Desk


@contextmanager
def opened(*, sandbox: bool, writes: str = "") -> Iterator[tuple[wiring.Bridge, Desk]]:
    """Open the bridge of this home. `sandbox`: that of the running sandbox, or none.

    `writes`: the command that is going to write. Raises FilesDiffer when processes run by other
    files; without it, that is only said.
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
        else:
            say_if_files_differ(bridge.files_notice())
        yield bridge, desk.of(bridge, actor())
    except UnknownName as error:
        raise click.UsageError(str(error)) from error
    finally:
        if writes:
            bridge.leave()
        bridge.close()
