"""A ticket's timeline as sentences, in words that need no knowledge of the bridge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bridge.core.model.outcome_codes import DECLARED, Code, code_named
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.ledger.timeline import TimelineEntry
from bridge.operations.times import moment_of

LONGEST_VALUE: Final = 120
"""Characters of a value within a sentence."""
NOTHING: Final = "nothing"

SENTENCES: Final[Mapping[str, str]] = {
    "linked": "{where} showed the record {ref}, and the ticket began with it",
    "matched": "{ref} was found to be the same thing, and joined the ticket",
    "created": "The bridge made the record at {where}",
    "changed": "{field} was changed at {where}, from {before} to {value}",
    "observed": "{where} showed {field} for the first time: {value}",
    "agreed": "{where} says the same of {field} by now: {value}",
    "remapped": "By a changed mapping, {field} of {where} reads as {value}",
    "wrote": "The bridge wrote {field} to {where}: {sent}",
    "written": "{where} took {field} as it was sent: {sent}",
    "landed": "{where} took {field}, as a later look showed: {sent}",
    "first contact": "Two sides met that each had a {field} already",
    "conflict": "{field} was edited on several sides at once",
    "uncertain": "{field} was edited on several sides, and nobody can say which edit came last",
    "waiting": "{field} waits for a decision",
    "settled": "{field} is settled: {value}",
    "resolved": "{by} decided that {field} is {value}",
    "reverted": "{where} changed {field}, which another side owns; that was put back",
    "ignored": "{where} changed {field}, which another side owns; that was left there",
    "not carried": "{where} does not show {field} as agreed",
    "refused": "{where} refused {field}",
    "unreadable": "What {where} shows as {field} could not be read",
    "ambiguous empty": "{where} shows {field} as empty, which is not believed",
    "ambiguous removal": "A removal from {field} at {where} is not believed",
    "fidelity": "Not all of {field} from {where} can be shown elsewhere",
    "touched, no mapped change": "{where} says that the record changed, in nothing that travels",
    "missing": "{where} did not show the record",
    "deleted": "The record was deleted at {where}",
    "removed": "The bridge deleted the record at {where}",
    "returned": "The record is back at {where}",
    "left scope": "The record at {where} left the scope of the sync",
    "back in scope": "The record at {where} is back in the scope of the sync",
    "paused": "{by} paused the ticket",
    "resumed": "{by} let the ticket go on",
    "detached": "{by} took {ref} out of the ticket",
    "relinked": "{by} put {ref} into the ticket",
    "moved": "The record of {where} went to another ticket",
    "ambiguous": "It is not clear which record of {where} is the same",
    "unsafe": "A change at {where} waits, because it would destroy much",
    "suspect": "What {where} shows is doubtful, and is read again before it counts",
    "fused": "{field} changed hands too often and is held until somebody decides",
    "stale": "A reading of {where} came too late, and does not count",
    "unknown outcome": "Nobody knows yet whether {where} did what it was sent",
    "re-sent": "The record was sent to {where} again, for nothing was found of it",
    "planned again": "The record at {where} changed in between: the write was planned again",
}
"""Kind of entry -> what happened; whatever a name in braces stands for comes from the entry."""


@dataclass(frozen=True, slots=True)
class TimelineSentence:
    """One entry of a timeline, to be read by people."""

    at: datetime
    kind: str
    connection: str
    text: str
    why: str
    """The reason, where the entry has one."""
    code: str
    title: str
    """What the code means, in a few words; empty without a code."""
    meant: bool = False
    """It is so because mapping or sync says so."""


def sentences(entries: Sequence[TimelineEntry]) -> list[TimelineSentence]:
    """Return entries as sentences, in the same order."""
    return [_sentence(entry) for entry in entries]


def _sentence(entry: TimelineEntry) -> TimelineSentence:
    known = code_named(entry.code) if entry.code else None
    return TimelineSentence(
        at=entry.at,
        kind=entry.kind,
        connection=entry.connection,
        text=_text(entry),
        why=str(entry.detail.get("why") or ""),
        code=entry.code,
        title=_title(known),
        meant=known in DECLARED,
    )


def _title(code: Code | None) -> str:
    return MEANINGS[code].title if code is not None else ""


def _text(entry: TimelineEntry) -> str:
    named = {
        "where": entry.connection or "a side",
        "field": entry.field or "a field",
        "ref": entry.detail.get("ref") or "a record",
        "by": entry.detail.get("by") or "somebody",
        **{name: entry.detail.get(name) for name in ("before", "value", "sent")},
    }
    plain = f"{entry.kind} {entry.field}".strip()
    # No `format`: a value may have braces of its own.
    text = SENTENCES.get(entry.kind, plain)
    parts = text.replace("{", "\0{").replace("}", "}\0").split("\0")
    return "".join(
        value_words(named[part[1:-1]]) if part.startswith("{") else part for part in parts
    )


def value_words(value: Any) -> str:
    """Return a value as a part of a sentence, not too long."""
    if value is None or value in ("", [], {}, ()):
        return NOTHING
    if isinstance(value, Mapping):
        named = [f"{name} {value_words(each)}" for name, each in value.items()]
        text = ", ".join(named) if len(named) > 1 else value_words(*value.values())
    elif isinstance(value, list | tuple):
        text = ", ".join(map(str, value))
    else:
        text = moment_of(value) or str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
