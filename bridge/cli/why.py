"""`bridge why REF FIELD`: why a field has its value, and why a side does or does not show it."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from bridge.cli.operator import at_desk, named
from bridge.cli.screen import say, say_json
from bridge.cli.timeline_lines import detail_text
from bridge.core.model.outcome_codes import of_entry
from bridge.operations import why
from bridge.operations.times import moment_of, when
from bridge.operations.why import Explanation

UNKNOWN: Final = {
    "quarantine": "it waits until the mapping reads that value",
    "ignore": "`unknown_values: ignore` leaves it alone",
    "pass": "`unknown_values: pass` takes it as it is",
}
"""What becomes of a value that the mapping does not know, by the connection's policy."""


@click.command("why")
@click.argument("ref")
@click.argument("field")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(ref: str, field: str, as_json: bool) -> None:
    """Say why FIELD of ticket REF has its value, and why each side does or does not show it."""
    with at_desk() as desk:
        explanation = why.explain(desk, named(desk, ref), field, called=ref)
    if as_json:
        say_json(explanation)
    else:
        _print(explanation)


def _print(explanation: Explanation) -> None:
    field, state = explanation.field, explanation.state
    if state.in_conflict:
        say(f"{field} is in conflict and stays as it is on every side: {state.in_conflict}")
    else:
        say(f"{field} is {_in_words(state.value)}, set by {state.set_by or 'nobody'}")
    say(f"policy: {explanation.policy}{_in_brackets(explanation.policy_at)}")
    for moment in explanation.history:
        details = detail_text(moment.detail, of_entry(moment.kind, moment.detail))
        say(f"  {when(moment.at)}  {moment.kind}  {moment.connection}  {details}")
    for name, side in explanation.sides.items():
        code = f"  [{side.code}]" if side.code else ""
        shows = "nothing" if side.shows is None else _in_words(side.shows)
        unknown = f"  ({UNKNOWN[side.unknown]})" if side.unknown else ""
        say(f"{name}:{side.id} shows {shows}: {side.because}{code}{unknown}{_in_brackets(side.at)}")


def _in_brackets(place: str) -> str:
    return f"  ({place})" if place else ""


def _in_words(value: Any) -> str:
    return moment_of(value) or json.dumps(value, default=str, ensure_ascii=False)
