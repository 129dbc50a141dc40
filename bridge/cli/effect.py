"""`bridge mappings effect`: what changed mappings would do to all tickets, before they count."""

from __future__ import annotations

from pathlib import Path

import click

from bridge.cli.effect_lines import print_effect
from bridge.cli.operator import at_desk
from bridge.cli.planning import looking
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
@click.option("--json", "as_json", is_flag=True, help="For programs: all counts, and samples.")
def effect(folder: Path | None, revision: int | None, file: Path | None, as_json: bool) -> None:
    """Say what changed mappings would write and where, from what the ledger knows alone.

    No system is called and nothing changes. 1 when it is more than the guard lets through.
    """
    if folder is not None and revision is not None:
        raise click.UsageError("give one of --from and --revision")
    with at_desk(files_have_changed=True) as desk:
        mappings = mapping_trials.tried(desk, folder, revision)
        with mapping_trials.listed(file) as take, looking() as look:
            found = mapping_trials.effect(desk, mappings, take=take, look=look)
    if as_json:
        say_json({"mappings": mappings.name} | found.as_data())
    else:
        say(f"{mappings.name}, against the mappings in force:")
        print_effect(found)
    if found.unsafe:
        raise SystemExit(1)
