"""What is done about the run of an earlier change before mappings are published."""

from __future__ import annotations

from typing import Final

import click

from bridge.cli.publish_options import How
from bridge.cli.screen import say
from bridge.errors import Busy
from bridge.observability.visible_text import visible
from bridge.operations import mapping_runs
from bridge.operations.desk import Desk

LOOK_SECONDS: Final = 1.0
WAYS: Final = (
    "--wait waits for it; --no-effect publishes at once, and `bridge mappings apply` writes to the "
    "tickets later"
)


def let_runs_end(desk: Desk, how: How) -> None:
    """Wait until earlier changes have gone through the tickets; without --wait, say so and end."""
    told = False
    while True:
        try:
            return mapping_runs.refuse_beside(desk)
        except Busy as error:
            run = mapping_runs.under_way(desk)
            if not how.wait or (run is not None and run.state in {"paused", "waits"}):
                raise click.ClickException(
                    visible(f"nothing was published: {error}. {WAYS}")
                ) from error
            if not told:
                say(f"waiting, because {error}", err=True)
            told = True
            desk.context.clock.sleep(LOOK_SECONDS)
