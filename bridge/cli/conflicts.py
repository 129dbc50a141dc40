"""`bridge conflicts`: fields that wait for a human's decision, and the decision."""

from __future__ import annotations

import json

import click

from bridge.cli.operator import at_desk, named
from bridge.cli.screen import say, say_rows
from bridge.cli.value_text import short_value
from bridge.operations import conflicts
from bridge.operations.conflicts import OpenConflict
from bridge.operations.times import when


@click.group("conflicts")
def group() -> None:
    """List fields that were edited on several sides and wait for a human, and decide one."""


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_conflicts(as_json: bool) -> None:
    """List open conflicts, the oldest first, with what each side says."""
    with at_desk() as desk:
        waiting = conflicts.list_open(desk)
    if as_json:
        say_rows(waiting)
        return
    for conflict in waiting:
        says = ", ".join(
            f"{name} {json.dumps(value, ensure_ascii=False)}{_gone(conflict, name)}"
            for name, value in conflict.candidates.items()
        )
        about = f"  “{short_value(conflict.subject)}”" if conflict.subject else ""
        say(
            f"{conflict.ref}{about}  {conflict.field}  since {when(conflict.opened_at)}  {says}  "
            f"({conflict.why})"
        )
    if not waiting:
        say("no conflict is open")


def _gone(conflict: OpenConflict, name: str) -> str:
    return f" ({conflict.gone[name]})" if name in conflict.gone else ""


@group.command()
@click.argument("ref")
@click.argument("field")
@click.argument("value", required=False)
@click.option("--take", metavar="CONNECTION", help="What this connection says.")
def resolve(ref: str, field: str, value: str | None, take: str | None) -> None:
    """Decide FIELD of ticket REF: a VALUE (`null`: none, a set with commas), or what --take says.

    It becomes the newest edit there is, and is written wherever something else is shown.
    """
    if (value is None) == (take is None):
        raise click.UsageError("give either a VALUE or --take CONNECTION")
    with at_desk() as desk:
        decision = conflicts.resolve(desk, named(desk, ref), field, value=value, take=take)
    decided = json.dumps(decision.value, default=str, ensure_ascii=False)
    say(f"{field} of {decision.link} is {decided}; it is being written")
