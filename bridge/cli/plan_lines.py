"""A plan as lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bridge.cli.screen import say
from bridge.cli.value_text import short_value
from bridge.core.model.counting import counted
from bridge.core.model.outcome_meanings import in_words
from bridge.core.planning.planned_write import PlannedWrite
from bridge.operations.plans import HeldWrite
from bridge.preview.dry_run import Preview, summary

MAX_NOTES: Final = 20
OPS: Final = ("create", "update", "delete")


def print_plan(plan: Preview, held: Sequence[HeldWrite], sample: int) -> None:
    """Print a plan for people."""
    if headline := _headline(plan):
        say(headline)
    _print_writes(plan, sample)
    for (kind, name, field, why), count in plan.notes.most_common(MAX_NOTES):
        what = f"{field} of {name}" if field else name
        say(f"{kind}: {what}, {counted(count, 'time')}: {why}".removesuffix(": "))
    for (name, agent), count in plan.unmapped.most_common(MAX_NOTES):
        say(f"{count}x nobody knows who {agent} of {name} is: see `bridge agents`")
    for (name, code), count in plan.parked.items():
        say(f"{count} set aside on {name}: {in_words(code)}")
    for write in held[:sample]:
        release = f"`bridge apply --held {write.connection}` lets it through"
        say(f"held: {write.subject} on {write.connection}; {release}")
    costs = [_cost(plan, name) for name, calls in plan.calls.items() if calls]
    say(f"calls: {', '.join(costs) or 'none'}")
    for why in plan.stopped:
        say(f"stopped: {why}", err=True)
    for why in plan.unsafe:
        say(f"UNSAFE {why}", err=True)


def _headline(plan: Preview) -> str:
    """Return what a plan without writes comes to, as far as that can be said; empty with writes."""
    missing = ", ".join(plan.silent)
    if not plan.answered:
        return f"nothing can be said: no system answered well ({missing})"
    if plan.writes:
        return ""
    if not plan.live and not plan.known:
        return (
            "the ledger knows no tickets yet: `bridge plan --live` lists the systems, and shows "
            "what a first import would write"
        )
    return "nothing would be written" + (
        f", as far as can be said without {missing}" if missing else ""
    )


def _print_writes(plan: Preview, sample: int) -> None:
    for name, counts in summary(plan).items():
        say(f"{name}: " + ", ".join(counted(counts[op], op) for op in OPS))
        fields = [f"{field} {count}" for field, count in counts["fields"].most_common()]
        say("    " + ", ".join(fields))
        for op in OPS:
            writes = [w for w in plan.writes if (w.connection, w.op) == (name, op)]
            for write in writes[:sample]:
                say(f"    {write_line(write)}")
            if len(writes) > sample:
                say(f"    and {len(writes) - sample} more of this kind")


def write_line(write: PlannedWrite) -> str:
    """Return a planned write as one line for people."""
    values = "  ".join(_change(write, name) for name in write.sent)
    subject = f"  “{short_value(write.subject)}”" if write.subject else ""
    return f"{write.op} {'from ' if write.op == 'create' else ''}{write.id}{subject}  {values}"


def _change(write: PlannedWrite, name: str) -> str:
    """Return a field with the value that it gets, and the one that it has if there is any."""
    after = short_value(write.sent[name])
    return (
        f"{name} {short_value(write.before[name])} → {after}"
        if name in write.before
        else f"{name} {after}"
    )


def _cost(plan: Preview, name: str) -> str:
    seconds = plan.seconds[name]
    duration = f" (about {seconds:.0f} s)" if seconds else ""
    return f"{name} {plan.calls[name]}{duration}"
