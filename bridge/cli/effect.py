"""`bridge mappings effect`: what changed mappings would do to all tickets, before they count."""

from __future__ import annotations

from pathlib import Path

import click

from bridge.cli.effect_lines import print_effect
from bridge.cli.planning import looking, opened
from bridge.cli.process import lend_redis
from bridge.cli.screen import say, say_json
from bridge.operations import mapping_trials


@click.command("effect")
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The mappings in this folder; by default the home's own.",
)
@click.option("--revision", type=int, help="The mappings of this revision.")
@click.option(
    "--plan",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every planned write into FILE, a line of JSON each.",
)
@click.option("--read", "reads", is_flag=True, help="Read what the ledger does not know.")
@click.option("--json", "as_json", is_flag=True, help="For programs: all counts, and samples.")
def effect(
    folder: Path | None, revision: int | None, file: Path | None, reads: bool, as_json: bool
) -> None:
    """Say what changed mappings would write and where, from what the ledger knows alone.

    No system is called, unless --read, and nothing changes. 1 when it is more than the guard lets
    through.
    """
    if folder is not None and revision is not None:
        raise click.UsageError("give one of --from and --revision")
    with opened(sandbox=False) as (bridge, desk):
        if reads:
            lend_redis(bridge.config.settings.redis)
        mappings = mapping_trials.tried(desk, folder, revision)
        read = mapping_trials.reader(bridge, desk) if reads else None
        with mapping_trials.listed(file) as take, looking() as look:
            found = mapping_trials.effect(desk, mappings, take=take, look=look, read=read)
    for name, why in (read.failed if read is not None else {}).items():
        say(f"{name} could not be read: {why}", err=True)
    if as_json:
        say_json({"mappings": mappings.name} | found.as_data())
    else:
        say(f"{mappings.name}, against the mappings in force:")
        print_effect(found)
    if found.unsafe:
        raise SystemExit(1)
