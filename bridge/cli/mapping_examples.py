"""`bridge mappings test` and `record`: the mappings' own examples, and new ones of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from bridge import wiring
from bridge.cli.operator import at_desk
from bridge.cli.screen import say, say_json, say_rows
from bridge.config.mapping_files import TriedExample
from bridge.core.model.counting import counted
from bridge.errors import UnknownName
from bridge.home import find_home
from bridge.operations import mapping_examples


@click.command("test")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--json", "as_json", is_flag=True, help="For programs: a line an example.")
def test(files: Sequence[str], as_json: bool) -> None:
    """Run the examples that stand in the mappings, and show what differs.

    FILE is one of the home's mappings, such as mappings/switch.yaml; all of them where none is
    named. Neither keys nor a running bridge are needed. 1 when an example fails.
    """
    try:
        tried, problems = mapping_examples.run(find_home(), files)
    except UnknownName as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        say_rows(map(_row, tried))
    else:
        for each in tried:
            _print(each)
    for problem in problems:
        say(problem, err=True)
    failed = sum(bool(each.problems) for each in tried)
    if not as_json:
        say(f"{counted(len(tried), 'example')}, {failed or 'none'} failed")
    if failed or problems:
        raise SystemExit(1)


@click.command("record")
@click.argument("ref")
@click.option("--connection", help="Whose record it is, where REF is its id alone.")
@click.option("--entity", default="ticket", show_default=True)
@click.option("--write", is_flag=True, help="Add it to the mapping's file, and run it.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def record(ref: str, connection: str | None, entity: str, write: bool, as_json: bool) -> None:
    """Read the record REF (CONNECTION:ID) at its system, and make an example of it.

    What tells of a person is replaced: everything but the values that the mapping's rules look at.
    Look it over before you show it to anybody.
    """
    with at_desk(files_have_changed=True) as desk:
        named = ref if connection is None else f"{connection}:{ref.removeprefix(f'{connection}:')}"
        made = mapping_examples.record(desk, named, entity)
        accounts = wiring.sandbox_accounts(find_home())
        tried = mapping_examples.add(desk, accounts, made) if write else None
    if as_json:
        say_json(made)
    else:
        say(*made.text.split("\n"))
    if tried is not None:
        _print(tried)


def _row(each: TriedExample) -> dict[str, object]:
    return {
        "ok": not each.problems,
        "at": each.at,
        "entity": each.entity,
        "number": each.number,
        "record": each.record,
        "problems": [what for _file, _line, what in each.problems],
        "differences": [
            {"line": line} | asdict(difference)
            for line, difference in zip(each.lines, each.differences, strict=True)
        ],
    }


def _print(each: TriedExample) -> None:
    mark = "failed" if each.problems else "ok"
    record = f"  {each.record}" if each.record else ""
    say(f"{mark:<6}  {each.at}  {each.entity} {each.number}{record}")
    if not each.differences:
        for _file, number, what in each.problems:
            say(f"    line {number}: {what}")
    for line, found in zip(each.lines, each.differences, strict=True):
        name = ".".join(map(str, found.where))
        if not found.expected:
            say(f"    {name}: {found.what}" if name else f"    {found.what}")
            continue
        which = f"{name} {found.field}" if found.where == ("unreadable",) else name
        say(
            f"    {which}  {line}",
            f"        expected  {found.expected}",
            f"        got       {found.got}",
        )
