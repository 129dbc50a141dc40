"""`bridge doctor`: what is wrong, since when, and what to do about it, in words."""

from __future__ import annotations

from itertools import zip_longest

import click

from bridge.cli.actor import actor
from bridge.cli.running_sandbox import follow_sandbox, say_if_sandbox_stopped
from bridge.cli.screen import say, say_rows
from bridge.core.model.outcome_codes import Code
from bridge.home import find_home
from bridge.operations import doctor
from bridge.operations.times import since_when


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(as_json: bool) -> None:
    """Say what is wrong, since when, and what to do; 1 when something is."""
    home = find_home()
    follow_sandbox(home)
    troubles = doctor.examine_home(home, actor())
    wrong = [trouble for trouble in troubles if not trouble.note]
    if any(trouble.code is Code.FILES for trouble in troubles):
        say_if_sandbox_stopped(home)
    if as_json:
        say_rows(troubles)
    else:
        for trouble, after in zip_longest(troubles, troubles[1:]):
            since = f" (since {since_when(trouble.since)})" if trouble.since else ""
            note = "note: " if trouble.note else ""
            say(f"{note}{trouble.what}{since}  [{trouble.code}]")
            if after is None or after.do != trouble.do:  # once, where one thing mends several
                say(f"   -> {trouble.do}")
        if not wrong:
            say("nothing is wrong")
    if wrong:
        raise SystemExit(1)
