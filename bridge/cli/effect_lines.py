"""The effect of changed mappings as lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bridge.cli.plan_lines import OPS, write_line
from bridge.cli.screen import say
from bridge.core.model.counting import counted, counted_each
from bridge.workbench.effect_summary import EffectSummary

MAX_LINES: Final = 20


def print_effect(found: EffectSummary) -> None:
    """Print what a change comes to."""
    looked = counted_each(found.entities, none="no tickets")
    say(f"{looked} looked at, {found.tickets:,} concerned, {found.written:,} of them written to")
    print_writes(found)
    noun = "record" if len(found.concerned) > 1 else next(iter(found.concerned), "ticket")
    for (field, before, after), count in found.moved.most_common(MAX_LINES):
        change = f" from {before} to {after}" if before or after else ""
        say(f"agreed {field} moves{change}: {counted(count, noun)}")
    for loss, count in found.lossy.most_common(MAX_LINES):
        what = f"{loss.field} of {loss.connection}"
        say(f"{loss.kind}: {what}, {counted(count, noun)}: {loss.why}".removesuffix(": "))
    for (connection, field), count in found.unread.most_common(MAX_LINES):
        say(f"not known until read: {field} of {connection}, {counted(count, 'record')}")
    if found.owed:
        say(f"{counted(found.owed, 'write')} more are due without the change")
    if found.open_attempts:
        say(f"{counted(found.open_attempts, noun)} of these are being written to right now")
    costs = [
        f"{name} {calls}{_duration(found.seconds[name])}" for name, calls in found.calls.items()
    ]
    say(f"calls: {', '.join(costs) or 'none'}")
    for why in found.unsafe:
        say(f"UNSAFE {why}", err=True)


def print_writes(found: EffectSummary) -> None:
    """Print what is written, connection by connection."""
    for connection in dict.fromkeys(name for name, _op in found.writes):
        _print_connection(found, connection)


def _print_connection(found: EffectSummary, connection: str) -> None:
    counts = ", ".join(
        counted(found.writes[connection, op], op) for op in OPS if found.writes[connection, op]
    )
    say(f"{connection}: {counts}")
    fields = {name: count for (of, name), count in found.written_fields.items() if of == connection}
    for name, count in sorted(fields.items(), key=lambda row: -row[1])[:MAX_LINES]:
        say(f"    {name} {count:,}{_values(found.values, connection, name)}")
    for (of, _op, _fields), kept in found.samples.items():
        for write in kept if of == connection else ():
            say(f"    {write_line(write)}")


def _values(values: Mapping[tuple[str, str, str, str], int], connection: str, field: str) -> str:
    rows = [
        (count, f"{before} → {after} {count:,}")
        for (of, name, before, after), count in values.items()
        if (of, name) == (connection, field)
    ]
    told = ", ".join(text for _count, text in sorted(rows, reverse=True)[:MAX_LINES])
    return f": {told}" if told else ""


def _duration(seconds: float) -> str:
    return f" (about {seconds:.0f} s)" if seconds else ""
