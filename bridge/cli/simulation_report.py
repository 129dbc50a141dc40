"""What `bridge simulate` says: the story of a seed that failed, and the summary of all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from bridge.cli.screen import say
from bridge.simulate.seeds import SeedResult

MAX_BROKEN: Final = 10
MAX_MISSED: Final = 40
MISSED_PER_LINE: Final = 4


def print_failure(result: SeedResult) -> None:
    """Tell the story of a failing seed."""
    say(f"seed {result.seed}:", bold=True)
    for line in result.broken[:MAX_BROKEN]:
        say(f"  {line}")
    say(f"  steps ({len(result.steps)}):")
    for line in result.steps:
        say(f"    {line}")
    say("  what happened (seconds, who, what):")
    for line in result.story:
        say(f"    {line}")


def print_summary(figures: Mapping[str, Any]) -> None:
    """Say what was done and what came of it."""
    last = figures["first"] + figures["seeds"] - 1
    faults = "  ".join(f"{kind} {count}" for kind, count in figures["faults"].items())
    crash_points = f"{figures['crash_points_hit']} of {figures['crash_points']} crash points"
    window = "edits between our read and our write (docs/reliability.md)"
    lines = {
        "seeds": f"{figures['first']} to {last}, {len(figures['failed'])} failed",
        "steps": f"{figures['steps']}, of which {figures['fault_share']:.0%} are faults",
        "human edits": (
            f"{figures['edits']}, {figures['conflicting_edits']} of them against each other"
        ),
        "in the window": f"{figures['window_edits']} {window}",
        "webhooks": (
            f"{figures['webhooks']} brought, {figures['verdicts']} accepted, each with one verdict"
        ),
        "writes": figures["writes"],
        "faults": faults,
        "crashes": f"{figures['crashes']}, at {crash_points}",
    }
    for name, value in lines.items():
        say(f"{name:<16} {value}")
    missed = figures["crash_points_missed"][:MAX_MISSED]
    for number in range(0, len(missed), MISSED_PER_LINE):
        say(f"  not hit        {', '.join(missed[number : number + MISSED_PER_LINE])}")
    days, seconds = figures["virtual_days"], figures["seconds"]
    not_played = ", ".join(figures["not_played"]) or "-"
    say(f"{'not played':<16} {not_played}: what an operator starts")
    say(f"{'virtual time':<16} {days} days, in {seconds} s on {os.cpu_count()} cores")
    say(f"{'checked':<16} {', '.join(figures['promises'])}")
    verdict = "a promise was broken" if figures["failed"] else "every promise held"
    say(verdict, bold=True)
