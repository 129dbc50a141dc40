"""`bridge mappings schema`: what may stand in the files of a home, as an editor reads it."""

from __future__ import annotations

import json

import click

from bridge.cli.screen import say
from bridge.config.json_schemas import FILES
from bridge.errors import UnknownName
from bridge.home import find_home
from bridge.operations import file_schemas


@click.command("schema")
@click.argument("name", required=False)
@click.option("--shipped", is_flag=True, help="As it is shipped, without this home's names.")
@click.option("--write", is_flag=True, help="Write all into config/schemas, for your editor.")
def schema(name: str | None, shipped: bool, write: bool) -> None:
    """Print the JSON Schema NAME of the files of this home, or list them.

    This home's connections, fields and people are filled in: an editor that is told of it offers
    them, and marks what is wrong while you type. The files name it in their first line.
    """
    home = find_home()
    if write:
        for file in file_schemas.put_into(home):
            say(f"wrote {file}")
        return
    if name is None:
        for each, file_name in FILES.items():
            say(f"{each:<8}  {file_name}")
        return
    made = file_schemas.shipped() if shipped else file_schemas.of_home(home)
    try:
        say(*json.dumps(file_schemas.named(made, name), indent=1).split("\n"))
    except UnknownName as error:
        raise click.UsageError(str(error)) from error
