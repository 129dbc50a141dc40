"""What no file knows, in lines for a terminal: values that wait or are ignored, and fields."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from bridge.cli.screen import say
from bridge.core.model.counting import counted
from bridge.core.model.values import shown
from bridge.operations.times import when
from bridge.operations.unknown_values import UnknownValue
from bridge.operations.vendor_fields import IgnoredValue, UnknownField


def print_unknown(
    values: Iterable[UnknownValue],
    ignored: Iterable[IgnoredValue],
    fields: Iterable[UnknownField],
) -> None:
    """Print each with where it was seen and what to do about it."""
    for value in values:
        say(
            f"{value.connection}: {value.field} {_value(value)}, "
            f"{counted(value.records, value.entity)} waiting"
            f"{_times(value.first_seen, value.last_seen)}",
            f"    {value.at}; for example {', '.join(value.examples)}",
            f"    {value.by_hand}" if value.by_hand else f"    {_command(value)}",
        )
    for left in ignored:
        seen = f"seen {counted(left.seen, 'time')}{_times(left.first_seen, left.last_seen)}"
        say(f"{left.connection}: {left.field} {left.value}, ignored (unknown_values), {seen}")
    for each in fields:
        seen = f"seen {counted(each.seen, 'time')}{_times(each.first_seen, each.last_seen)}"
        say(f"{each.connection}: {each.field} of {each.entity}s, {_shape(each.shape)}, {seen}")
        for file, line in each.proposed.items():
            say(f"    {file}  {line}")
        if each.proposed:
            place = f"{each.connection} {shlex.quote(each.field)}{_of(each.entity)}"
            say(f"    bridge values accept {place}")


def _value(value: UnknownValue) -> str:
    return shown(value.value) if value.given else str(value.value)


def _command(value: UnknownValue) -> str:
    """Return the command that takes a value in, as a shell wants it."""
    theirs = _for_a_shell(value.given) if value.given else "VALUE"
    ours = shlex.quote(value.proposed) if value.proposed else "OURS"
    dashes = " --" if value.given.startswith("-") else ""
    place = f"{value.connection} {value.field}{_of(value.entity)}"
    return f"bridge values accept {place}{dashes} {theirs} {ours}    (OURS: {value.allowed})"


def _of(entity: str) -> str:
    """Return the option that says of what a value or field is, where it is not of a ticket."""
    return "" if entity == "ticket" else f" --entity {entity}"


def _for_a_shell(text: str) -> str:
    """Return a vendor's text as one word of a command: no shell does what stands in it."""
    quoted = text.replace("'", "'\"'\"'")
    return f"'{quoted}'"


def _times(first: datetime | None, last: datetime | None) -> str:
    return (f", first {when(first)}" if first else "") + (f", last {when(last)}" if last else "")


def _shape(shape: Mapping[str, Any]) -> str:
    kinds = " or ".join(kind for kind in shape.get("kinds", ()) if kind != "null") or "empty"
    if words := shape.get("words"):
        return f"{kinds} ({', '.join(words)})"
    return f"{kinds} of up to {shape['longest']} characters" if shape.get("longest") else kinds
