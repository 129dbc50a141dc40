"""Laws of fields with few values: what one side shows must not come back as something else.

A side keeps its own value as long as that reads as the agreed one, or is how the agreed one is
written there. So two values that a system cannot tell apart are harmless; one that it could hold
and is not given is not.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from bridge.core.mapping.unknown_fields import told
from bridge.core.model.entities import ENDED, PRIORITIES, STATUS, STATUSES
from bridge.core.model.outcome_codes import Code
from bridge.core.model.syncs import AS_IT_IS
from bridge.core.model.values import Canonical, NotCarried, Raw, Unreadable, same_json, shown
from bridge.workbench.carriers import Carrier, as_yaml, raw_words, read_words, some
from bridge.workbench.proof_findings import ProofFinding, ProofSubject, Severity

MAX_VALUES: Final = 20_000
"""Of one field of a sync, over all members: so many are followed through every member."""
LIKE: Final = 0.75
"""How like two words must be to be taken for one with a slip in it."""


@dataclass(slots=True)
class KnownValues:
    """What the members of a sync can bring of one field."""

    sources: dict[tuple[type, Canonical], tuple[str, Raw]] = field(default_factory=dict)
    """Our value -> the member that brings it, and what it shows."""
    raw_of: dict[str, dict[tuple[type, Canonical], Raw]] = field(default_factory=dict)
    """Member -> our value -> the first of its values that reads so."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One of our values on its way to a member."""

    value: Canonical
    raw: Raw
    back: Canonical | Unreadable
    source: tuple[str, Raw]

    def words(self, at: str) -> str:
        """Return the way of the value as a counter-example."""
        shows = f"{raw_words(self.source[1])} at {self.source[0]} → " if self.source[0] else ""
        ours = read_words(self.value)
        return f"{shows}{ours} → {raw_words(self.raw)} at {at} → {read_words(self.back)}"


@dataclass(slots=True)
class Reach:
    """What becomes at one member of the values that a sync can bring."""

    changed: list[Passage] = field(default_factory=list)
    uncarried: list[Canonical] = field(default_factory=list)


def known_values(carriers: Sequence[Carrier]) -> KnownValues:
    """Return what the members can bring of a field; nothing where that is not known."""
    found = KnownValues()
    read: dict[tuple[object, ...], dict[tuple[type, Canonical], Raw]] = {}
    for carrier in carriers:
        if carrier.alike not in read:
            read[carrier.alike] = of_member = _read_values(carrier)
            for key, raw in of_member.items():
                if len(found.sources) < MAX_VALUES:
                    found.sources.setdefault(key, (carrier.connection, raw))
        found.raw_of[carrier.connection] = read[carrier.alike]
    return found


def _read_values(carrier: Carrier) -> dict[tuple[type, Canonical], Raw]:
    """Return the values that a member can bring, each with the first that it shows for it."""
    found: dict[tuple[type, Canonical], Raw] = {}
    for raw in carrier.known_values():
        value = carrier.map.read(raw)
        if not isinstance(value, Unreadable | list | dict | tuple):
            found.setdefault((type(value), value), raw)
    return found


def reaches_of(carriers: Sequence[Carrier], known: KnownValues) -> dict[str, Reach]:
    """Return by member what becomes of all known values there."""
    alike: dict[tuple[object, ...], Reach] = {}
    for carrier in carriers:
        if carrier.alike not in alike:
            alike[carrier.alike] = _reach(carrier, known)
    return {carrier.connection: alike[carrier.alike] for carrier in carriers}


def _reach(carrier: Carrier, known: KnownValues) -> Reach:
    """Return what becomes of all known values at one member."""
    found = Reach()
    if not carrier.writes:
        return found
    for (_type, value), source in known.sources.items():
        raw = carrier.write(value)
        if isinstance(raw, NotCarried):
            if value is not None:
                found.uncarried.append(value)
            continue
        back = carrier.map.read(raw)
        if isinstance(back, Unreadable) or not same_json(back, value):
            found.changed.append(Passage(value, raw, back, source))
    return found


def check_values(
    subject: ProofSubject,
    carriers: Sequence[Carrier],
    known: KnownValues,
    reaches: Mapping[str, Reach],
) -> Iterator[ProofFinding]:
    """Yield what is to be said of a field with known values, over all members of a sync."""
    lost: dict[str, list[Passage]] = {}
    first: dict[tuple[object, ...], Carrier] = {}
    for carrier in carriers:
        one = first.setdefault(carrier.alike, carrier)
        if one is not carrier:  # what is to be said of it was said
            lost[carrier.connection] = lost[one.connection]
            continue
        found = reaches[carrier.connection]
        harmless = lost[carrier.connection] = list[Passage]()
        for passage in found.changed:
            judged = _judge(subject, carrier, passage, known.raw_of[carrier.connection])
            if judged is None:
                harmless.append(passage)
            else:
                yield judged
        yield from _harmless(subject, carrier, harmless)
        yield from _uncarried(subject, carrier, found.uncarried)
        yield from _out_of_order(subject, carrier)
        yield from _swapped(subject, carrier)
        yield from _merged_there(subject, carrier)
    yield from _wins_without_holding(subject, carriers, lost)


def _judge(
    subject: ProofSubject,
    carrier: Carrier,
    passage: Passage,
    of_member: Mapping[tuple[type, Canonical], Raw],
) -> ProofFinding | None:
    """Return what is wrong with the way of a value; None: the system has nothing closer to it."""
    name, value = carrier.field.name, passage.value
    words, at = passage.words(carrier.connection), carrier.at(subject, "write", value)
    better = of_member.get((type(value), value))
    if better is not None or (type(value), value) in of_member:
        one_way = bool(carrier.writable.forward)
        what = (
            f"{read_words(value)} is written as {raw_words(passage.raw)}, "
            f"though {raw_words(better)} there reads as {read_words(value)}: "
            f"a {carrier.sync.entity} would lose its {name}"
        )
        row = f"{as_yaml(value)}: {as_yaml(better)}"
        severity: Severity = "warning" if one_way else "refused"
        return carrier.finding(
            "round-trip", severity, at, what, others=[passage.source[0]], example=words,
            proposed=row,
        )  # fmt: skip
    if isinstance(passage.back, Unreadable):
        what = (
            f"{read_words(value)} is written as {raw_words(passage.raw)}, for which `read` has no "
            f"row: {name} of that {carrier.sync.entity} could not be read any more"
        )
        row = f"read: {{{as_yaml(passage.raw)}: {as_yaml(value)}}}"
        return carrier.finding("round-trip", "refused", at, what, example=words, proposed=row)
    if name == STATUS and (value in ENDED) != (passage.back in ENDED):
        becomes = "is over would be open again" if value in ENDED else "is open would be over"
        what = f"what {becomes} at {carrier.connection}: it says {raw_words(passage.raw)} there"
        return carrier.finding(
            "round-trip", "refused", at, what, others=[passage.source[0]], example=words,
            proposed=_nearest_status(value, of_member),
        )  # fmt: skip
    return None


def _nearest_status(value: Canonical, of_member: Mapping[tuple[type, Canonical], Raw]) -> str:
    """Return the row of a table by which a status is over where it is over, and only there."""
    place = STATUSES.index(value)
    kept = [
        (abs(STATUSES.index(ours) - place), raw)
        for (_type, ours), raw in of_member.items()
        if ours in STATUSES and (ours in ENDED) == (value in ENDED)
    ]
    if not kept:
        return f"not_carried: [{as_yaml(value)}]"
    nearest = min(kept, key=lambda each: each[0])
    return f"{as_yaml(value)}: {as_yaml(nearest[1])}"


def _harmless(
    subject: ProofSubject, carrier: Carrier, passages: Sequence[Passage]
) -> Iterator[ProofFinding]:
    """Yield a note of the values that a system cannot tell apart."""
    if passages:
        listed = [f"{read_words(each.value)} as {raw_words(each.raw)}" for each in passages]
        what = f"{carrier.connection} has no word of its own and shows {some(listed)}: harmless, "
        what += "the side agrees as long as nobody changes it there"
        yield carrier.finding(
            "lossy", "note", carrier.at(subject, "write"), what,
            example=passages[0].words(carrier.connection),
        )  # fmt: skip


def _uncarried(
    subject: ProofSubject, carrier: Carrier, values: Sequence[Canonical]
) -> Iterator[ProofFinding]:
    """Yield what a member is not told of: declared so it is a note, else a warning."""
    declared = [value for value in values if value in carrier.declared.not_carried]
    if declared:
        what = f"{some(declared)}: not carried to {carrier.connection}, where the field is left "
        what += "as it is; the ticket's timeline says so"
        yield carrier.finding("not-carried", "note", carrier.at(subject, "not_carried"), what)
    silent = [value for value in values if value not in carrier.declared.not_carried]
    if silent and carrier.declared.parts.write_table is not None:
        what = f"has no row for {some(silent)}, which other members bring: "
        what += "the field is left as it is there, and the ticket's timeline says so"
        yield carrier.finding(
            "no-writing", "warning", carrier.at(subject, "write"), what,
            proposed=f"{as_yaml(silent[0])}: …",
        )  # fmt: skip


def _out_of_order(subject: ProofSubject, carrier: Carrier) -> Iterator[ProofFinding]:
    """Yield two priorities of which the higher arrives as the lower one."""
    if carrier.field.name != "priority" or not carrier.writes:
        return
    arrives: list[tuple[str, Raw, int]] = []
    for value in PRIORITIES:
        raw = carrier.write(value)
        back = None if isinstance(raw, NotCarried) else carrier.map.read(raw)
        if back in PRIORITIES:
            arrives.append((value, raw, PRIORITIES.index(back)))
    for (lower, low, low_rank), (higher, high, high_rank) in pairwise(arrives):
        if low_rank > high_rank:
            what = f"{higher} arrives below {lower}: who looks at {carrier.connection} would take "
            what += "the less urgent one first"
            example = f"{lower} → {shown(low)} → {PRIORITIES[low_rank]}, "
            example += f"{higher} → {shown(high)} → {PRIORITIES[high_rank]}"
            at = carrier.at(subject, "write", higher)
            yield carrier.finding("order", "refused", at, what, example=example)


def _swapped(subject: ProofSubject, carrier: Carrier) -> Iterator[ProofFinding]:
    """Yield two words that the system and we both have, each read as the other."""
    choices = carrier.field.choices
    for number, one in enumerate(choices):
        for other in choices[number + 1 :]:
            if carrier.map.read(one) == other and carrier.map.read(other) == one:
                what = f"{shown(one)} there reads as {other}, and {shown(other)} as {one}: "
                what += "are the two rows mixed up?"
                row = f"{{{as_yaml(one)}: {one}, {as_yaml(other)}: {other}}}"
                at = carrier.at(subject, "read", one)
                yield carrier.finding("swapped", "warning", at, what, proposed=row)


def _merged_there(subject: ProofSubject, carrier: Carrier) -> Iterator[ProofFinding]:
    """Yield a note of a system's values that we do not tell apart."""
    merged: list[str] = []
    if carrier.writes and carrier.field.kind == "choice":
        for raw in carrier.known_values():
            value = carrier.map.read(raw)
            back = raw if isinstance(value, Unreadable) else carrier.write(value)
            if not isinstance(back, NotCarried) and not same_json(back, raw):
                reads = f"{raw_words(raw)} reads as {read_words(value)} and is written as "
                merged.append(f"{reads}{raw_words(back)}")
    if merged:
        what = f"{some(merged)}: harmless, the side agrees and keeps its own word"
        yield carrier.finding("merged", "note", carrier.at(subject, "read"), what)


def _wins_without_holding(
    subject: ProofSubject, carriers: Sequence[Carrier], lost: Mapping[str, Sequence[Passage]]
) -> Iterator[ProofFinding]:
    """Yield a member that wins at first contact, or owns the field, and cannot hold all of it."""
    for carrier in carriers:
        here = lost[carrier.connection]
        hit = [each.connection for each in carriers if each is not carrier and each.on_update]
        if here and hit:
            better = [
                each.connection
                for each in carriers
                if each.known_values() and len(lost[each.connection]) < len(here)
            ]
            yield from _wins_at_first(subject, carrier, here, better, hit[0])
            yield from _owns(subject, carrier, here, hit[0])


def _wins_at_first(
    subject: ProofSubject,
    carrier: Carrier,
    lost: Sequence[Passage],
    better: Sequence[str],
    hit: str,
) -> Iterator[ProofFinding]:
    """Yield that another member would lose less, if it won where two records meet."""
    name = carrier.field.name
    if carrier.policy.on_link != carrier.connection or not better:
        return
    what = (
        f"{carrier.connection} wins where two records meet, and cannot hold "
        f"{some(each.value for each in lost)}: such {carrier.sync.entity}s would be changed at "
        f"{hit}"
    )
    yield carrier.finding(
        "first-contact", "warning", subject.places.in_syncs(carrier.sync.name, "on_link", name),
        what, others=[hit], example=lost[0].words(carrier.connection),
        proposed=f"{name}: {better[0]}",
    )  # fmt: skip


def _owns(
    subject: ProofSubject, carrier: Carrier, lost: Sequence[Passage], hit: str
) -> Iterator[ProofFinding]:
    """Yield that an owner puts back what it cannot hold."""
    policy, name = carrier.policy, carrier.field.name
    if policy.policy != "owner" or policy.owner != carrier.connection or not policy.revert:
        return
    what = (
        f"{carrier.connection} owns it and cannot hold {some(each.value for each in lost)}: who "
        f"chooses that at {hit} would see it put back"
    )
    yield carrier.finding(
        "owner", "warning", subject.places.in_syncs(carrier.sync.name, "fields", name), what,
        others=[hit], example=lost[0].words(carrier.connection), proposed=f"{name}: latest",
    )  # fmt: skip


def check_seen(subject: ProofSubject, carrier: Carrier) -> Iterator[ProofFinding]:
    """Yield the values that a vendor was seen to send and its mapping cannot read."""
    key = (carrier.connection, carrier.sync.entity, carrier.field.name)
    for seen in subject.seen.get(key, ()):
        reading = carrier.map.read(seen.raw)
        if not isinstance(reading, Unreadable):
            continue
        records = f"{seen.records} {carrier.sync.entity}{'' if seen.records == 1 else 's'}"
        ignored = reading.code is Code.READ_IGNORED
        waits = "the field is left alone, as `unknown_values` says" if ignored else "they wait"
        said = told(carrier.field, seen.raw, tabled=carrier.map.tabled)
        what = f"{carrier.connection} shows {said} on {records}, and that has no "
        what += f"reading: {waits}"
        like = difflib.get_close_matches(str(seen.raw), carrier.field.choices, n=1, cutoff=0.5)
        ours = "null" if seen.raw is None else like[0] if like else "…"
        row = f"{as_yaml(seen.raw)}: {ours}"
        severity: Severity = "note" if ignored else "warning"
        row = row if said == raw_words(seen.raw) else ""  # else it may tell of a person
        yield carrier.finding("seen", severity, carrier.at(subject, "read"), what, proposed=row)


def check_null(subject: ProofSubject, carrier: Carrier) -> Iterator[ProofFinding]:
    """Yield a table without a row for null, where records show null as long as nobody set it."""
    parts = carrier.declared.parts
    behind_door = any(
        path.plain and path.source.rpartition(".")[0] in carrier.able.doors for path in parts.paths
    )
    if not behind_door or parts.read_table is None or not _waits(carrier, None):
        return
    key = (carrier.connection, carrier.sync.entity, carrier.field.name)
    if any(seen.raw is None for seen in subject.seen.get(key, ())):
        return  # that it was seen says more
    what = f"a {carrier.sync.entity} of {carrier.connection} that has nothing there shows null, "
    what += "for which the table has no row: each of them would wait"
    yield carrier.finding(
        "null", "warning", carrier.at(subject, "read"), what, proposed="null: null"
    )


def _waits(carrier: Carrier, raw: Raw) -> bool:
    """Return whether a value has no reading, and nobody said that it is to be left alone."""
    reading = carrier.map.read(raw)
    return isinstance(reading, Unreadable) and reading.code is not Code.READ_IGNORED


def check_passed(subject: ProofSubject, carriers: Sequence[Carrier]) -> Iterator[ProofFinding]:
    """Yield the members whose table lacks what another one lets pass though nobody knows it."""
    passing = [each for each in carriers if each.map.unknown == AS_IT_IS and each.counts]
    for carrier in carriers:
        tabled = carrier.declared.parts.write_table is not None
        others = [each.connection for each in passing if each is not carrier]
        if not (others and tabled and carrier.on_update) or carrier.map.unknown == AS_IT_IS:
            continue
        what = f"{others[0]} lets values pass that nobody knows yet, and the table has no row for "
        what += f"them: the field is left as it is at {carrier.connection} then"
        what += f"; `unknown_values` of {carrier.connection} can let them pass as well"
        at = carrier.at(subject, "write")
        yield carrier.finding(
            "no-writing", "warning", at, what, others=others,
            proposed=f"{carrier.field.name}: {AS_IT_IS}",
        )  # fmt: skip


def check_rows(subject: ProofSubject, carrier: Carrier) -> Iterator[ProofFinding]:
    """Yield rows of a table for values that the system is not known to send."""
    table = carrier.declared.parts.read_table
    sent = carrier.able.values.get(carrier.declared.source, ())
    if table is None or not sent:
        return
    words = [str(each) for each in sent if isinstance(each, str)]
    never = [raw for _type, raw in table.rows if raw not in sent]
    for raw in never[:MAX_NEVER_SENT]:
        like = difflib.get_close_matches(str(raw), words, n=1, cutoff=LIKE)
        what = f"{carrier.connection} is not known to send {raw_words(raw)}: the row does nothing"
        at = carrier.at(subject, "read", raw)
        if like:
            what += f"; it sends {shown(like[0])}"
        yield carrier.finding("unreachable", "warning" if like else "note", at, what)


MAX_NEVER_SENT: Final = 10
"""Rows of one table that are named one by one."""
