"""What `bridge backfill` says: the cost of an import, and what it leaves to a human."""

from __future__ import annotations

from typing import Any

from bridge.cli.screen import say
from bridge.core.model.counting import counted
from bridge.core.model.outcome_meanings import in_words
from bridge.operations import availability
from bridge.operations.imports import ImportOutcome, ImportProgress
from bridge.runs.forecast import ImportCost


def print_costs(costs: list[ImportCost]) -> None:
    """Say what it will cost, as far as the ledger can tell."""
    for cost in costs:
        if cost.records is None:
            say(f"{cost.connection}: never listed, so its cost is not known yet", err=True)
            continue
        seen = f"{counted(cost.records, 'record')} last time"
        duration = f", about {cost.seconds:.0f} s at its declared rate" if cost.seconds else ""
        calls, creates = counted(cost.calls, "call"), counted(cost.creates, "create")
        about = f"about {calls}, at most {creates}{duration}"
        say(f"{cost.connection}: {seen}; {about}", err=True)
    if any(cost.records is None for cost in costs):
        hint = "lists the systems and counts everything before anything is written"
        say(f"`bridge plan --live` {hint}", err=True)


def outcome_as_json(progress: ImportProgress, outcome: ImportOutcome) -> dict[str, Any]:
    """Return the outcome for programs."""
    return {
        "listed": progress.listed,
        "created": outcome.made,
        "waiting": outcome.left.waiting,
        "parked": outcome.left.parked,
        "stopped": progress.shut,
        "review": outcome.review,
        "errors": progress.errors,
    }


def print_outcome(progress: ImportProgress, outcome: ImportOutcome) -> None:
    """Say what is left to a human, and what to do about it."""
    for error in progress.errors:
        say(error, err=True)
    if progress.errors:
        say("  -> mend what is named; then start it again: it goes on with what is left", err=True)
    if outcome.over_limit:
        why = "this was all that it may make; start it again to go on"
        say(f"{counted(outcome.over_limit, 'record was', 'records were')} not made: {why}")
    if outcome.review:
        join = "join each with `bridge link relink REF --to TICKET`"
        say(f"{len(outcome.review)} match more than one ticket; {join}:")
        for row in outcome.review:
            say(f"  {row['parked_why']}")
    for code, count in outcome.set_aside.items():
        say(f"{count} set aside: {in_words(code)}; see `bridge parked list`")
    for run in progress.paused:
        say(f"run {run} is paused: `bridge runs resume {run}` lets it go on", err=True)
    if progress.halted:
        waits = f"the rest ({progress.undone}) waits for {', '.join(progress.halted)}"
        then = "the workers go on with it by themselves, or start it again"
        say(f"{waits}: after {availability.resume(progress.halted)} {then}", err=True)
