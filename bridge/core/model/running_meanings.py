"""Meanings of the outcome codes that are about the bridge itself and not about single tickets.

`outcome_meanings` has all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bridge.core.model.outcome_codes import Code


@dataclass(frozen=True, slots=True)
class OutcomeMeaning:
    """What one code says, for an admin."""

    title: str
    happened: str
    tickets: str
    """What it means for tickets."""
    do: str
    """What to do about it; for a group of parked work it stands before the command that frees."""


RUNNING_MEANINGS: Final[Mapping[Code, OutcomeMeaning]] = {
    Code.RUN_FAILS: OutcomeMeaning(
        "a run fails",
        "A poll, a comparison or an import could not be finished.",
        "What webhooks tell goes on; what only that run would find arrives late.",
        "it is tried again by itself, at the latest within an hour; mend what the reason names, "
        "then `bridge reconcile NAME` tries at once",
    ),
    Code.RUN_LATE: OutcomeMeaning(
        "no run begins although it is time",
        "The clock begins runs, and none has begun.",
        "Lost webhooks and systems without webhooks are not noticed.",
        "is `bridge clock` running? Start it, or `bridge up`",
    ),
    Code.RUN_PAUSED: OutcomeMeaning(
        "a run is paused for more than an hour",
        "An admin has paused a change of the mappings or an import, and not resumed it.",
        "Those that it has not reached stay as they are; what people edit is mirrored as always.",
        "`bridge runs resume N` lets it go on, `bridge undo N` takes back what it has done",
    ),
    Code.ROWS: OutcomeMeaning(
        "rows of a listing show no record",
        "The vendor lists rows that cannot be read; they are named, and were left out.",
        "All other rows were taken. Until the listing is whole, no record counts as missing.",
        "look at what the vendor lists there, and tell them",
    ),
    Code.WORK_IDLE: OutcomeMeaning(
        "work is due and nobody does it",
        "Nothing has been claimed although work waits.",
        "Every edit waits; none is lost.",
        "is a worker running? Start `bridge worker` and `bridge clock`, or `bridge up`",
    ),
    Code.PROCESS_STILL: OutcomeMeaning(
        "a process stands still",
        "A worker, clock or receiver runs, and has not said for 40 s that it is at work: it hangs.",
        "What a worker was at waits until its claim runs out; other workers go on.",
        "restart it; if it happens again, report what its log says last",
    ),
    Code.PROCESS_DOWN: OutcomeMeaning(
        "a process cannot be started again",
        "A process of `bridge up` ended, and ends again at each start.",
        "All other processes go on. Without a worker every edit waits; none is lost.",
        "it is tried again by itself, twice a minute; mend what `bridge check` names, or what "
        "`bridge up` said last",
    ),
    Code.REDIS_DOWN: OutcomeMeaning(
        "Redis does not answer",
        "The doorbell cannot be rung.",
        "Webhooks are taken, and their work waits; none is lost.",
        "start it, and compare its address with BRIDGE_REDIS_URL",
    ),
    Code.REDIS_READ_ONLY: OutcomeMeaning(
        "Redis takes no writes",
        "It answers, but is a read-only replica, or cannot save to its disk.",
        "Webhooks are taken, and their work waits; none is lost.",
        "let BRIDGE_REDIS_URL name the primary, and see that Redis can write its files",
    ),
    Code.REDIS_FULL: OutcomeMeaning(
        "Redis is full",
        "It answers, but has reached its `maxmemory`.",
        "Webhooks are taken, and their work waits; none is lost.",
        "give it more memory, or empty it: the bridge keeps nothing in it that it needs",
    ),
    Code.REDIS_KEYS: OutcomeMeaning(
        "Redis has keys of the wrong type",
        "Something else writes under the bridge's names.",
        "Webhooks are taken, and their work waits until the keys are gone.",
        "give the bridge a Redis, or a database number, of its own; the doorbell's own keys are "
        "put right by the next ring",
    ),
    Code.REDIS_REFUSES: OutcomeMeaning(
        "Redis refuses the bridge",
        "It answers with an error: a password, a right or a command is missing.",
        "Webhooks are taken, and their work waits; none is lost.",
        "see the log for what it says; compare BRIDGE_REDIS_URL with the server's users and rights",
    ),
    Code.DISK: OutcomeMeaning(
        "the disk is nearly full",
        "The disk of the bridge's home or of its ledger has little room left, or none.",
        "When it is full, no webhook can be stored: vendors are asked to send them again.",
        "make room there, or move the home or the ledger",
    ),
    Code.LEDGER: OutcomeMeaning(
        "the ledger cannot be used",
        "Its database does not answer, takes no writes, or is of another version.",
        "Nothing is mirrored; vendors are asked to send their webhooks again.",
        "do what the message says: start the database, let it take writes, or `bridge db upgrade`",
    ),
    Code.CATCHING_UP: OutcomeMeaning(
        "a restored or new ledger has to catch up first",
        "The ledger is older than what stands in the systems.",
        "Edits travel; nothing is made before every system was listed once.",
        "nothing: it goes on by itself as soon as the listings are through",
    ),
    Code.ACCOUNT: OutcomeMeaning(
        "the account of webhooks does not add up",
        "Rows of the inbox were lost, or put in by hand.",
        "A webhook may be without effect until the next full comparison.",
        "compare with a backup, then `bridge reconcile --full`",
    ),
    Code.FILES: OutcomeMeaning(
        "the files cannot be used, or look like a mistake",
        "The configuration or a mapping has problems, or a change that would double tickets.",
        "What runs goes on by the files that it was started with.",
        "mend it; `bridge check` names every problem of the files",
    ),
    Code.FILES_DIFFER: OutcomeMeaning(
        "the bridge runs by other files",
        "The files were changed after the processes were started.",
        "Tickets are mirrored by the older files.",
        "restart it, so that all of it works by the same",
    ),
}
