"""Records that the bridge made though there was a counterpart already."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from bridge.verify.evidence_index import TICKET, EvidenceIndex, Ref, Row, about_ticket, ref_of

REFUSED_FROM: Final = 400
SAME_MOMENT: Final = timedelta(seconds=1)
"""What humans opened on several systems within this time is one ticket."""

Made = tuple[str, Ref]
"""A record that the bridge made: entity and ref."""


@dataclass(frozen=True, slots=True)
class _Lost:
    """What a ledger knew that was lost since, and nobody can know again."""

    deleted: set[Ref]
    """That a human deleted it: it is made again there, and what was made of it stays."""
    renamed: set[Ref]
    """That it was a copy of the bridge's: a human has given it another subject."""

    @classmethod
    def of(cls, index: EvidenceIndex, linked: set[Ref]) -> _Lost:
        edited = {edit.ref for edit in index.edits if edit.name == "subject"}
        return cls((index.known & set(index.deleted)) - linked, index.known & edited)


def duplicates(index: EvidenceIndex) -> Iterator[tuple[str, Row]]:
    """Yield second counterparts.

    One shows as a record that no link knows, a marker used twice, or one copy too many; a record in
    two links is one, too.
    """
    links_of = _links_of(index)
    linked = {ref for _, ref in links_of}
    lost = _Lost.of(index, linked)
    opened, made = _created(index, linked, lost)
    unlisted = {ref_of(row) for row in opened if _unlisted(index, row)}
    for ref in sorted(unlisted):
        yield "unlisted_twins", {"ref": list(ref)}
    apart = unlisted | {edit.ref for edit in index.edits if edit.name == "subject"}
    for (_, ref), times in links_of.items():
        if times > 1:
            yield "duplicates", {"ref": list(ref), "why": f"in {times} links"}
    others = {ref for entity, ref in links_of if entity != TICKET}
    aside = _set_aside(index, [row for row in made if ref_of(row) not in others])
    for _, ref in sorted(_too_many(made, linked | aside, opened, apart, lost.deleted)):
        yield "duplicates", {"ref": list(ref), "why": "one counterpart too many"}


def _set_aside(index: EvidenceIndex, made: Sequence[Row]) -> set[Ref]:
    """Return copies of the bridge's of which a human must say what they are copies of.

    They are not made once too often as long as their system has no more of the bridge's tickets
    than humans ever opened.
    """
    ever_opened = sum(actor == "human" for actor in index.made_by.values())
    copies = [ref_of(row) for row in made if about_ticket(row)]
    per_system = Counter(where for where, _ in copies)
    return {
        ref
        for ref in copies
        if index.excepted("ambiguous", ref, None) and per_system[ref[0]] <= ever_opened
    }


def _links_of(index: EvidenceIndex) -> Counter[Made]:
    """Return in how many links each record is."""
    return Counter(
        (_entity(row), ref) for row in index.facts["link"] for ref in dict(row["refs"]).items()
    )


def _created(index: EvidenceIndex, linked: set[Ref], lost: _Lost) -> tuple[list[Row], list[Row]]:
    """Return the rows of tickets that humans opened, and of records that the bridge made.

    What a human deleted before the bridge could know of it never was: it is made again. So is a
    copy that was deleted, by a ledger that was lost since.
    """
    opened, made = [], []
    for row in index.journal:
        if row["kind"] != "create" or not row["record"]:
            continue
        ref = ref_of(row)
        is_ours = row["actor"] != "human" and ref not in lost.renamed
        if ref in index.deleted and ref not in linked and (is_ours or ref not in lost.deleted):
            continue
        if is_ours:
            made.append(row)
        elif about_ticket(row):
            opened.append(row)
    return opened, made


def _too_many(
    made: Sequence[Row],
    linked: set[Ref],
    opened: Sequence[Row],
    apart: set[Ref],
    forgotten: set[Ref],
) -> set[Made]:
    """Return what the bridge made and no link knows, and what it made once too often."""
    # A system may keep as one kind of record what others tell apart (a reply that is a text like
    # any other), so a ref that is linked as another entity is known.
    too_many = {(_entity(row), ref_of(row)) for row in made if ref_of(row) not in linked}
    for (_, where, by, key), copies in _alike(made).items():
        allowed = 1 if by == "marker" else _to_be_made(opened, apart, forgotten, key, where)
        surplus = len(copies) - allowed - len(too_many & set(copies))
        # Without a key nobody can say what is alike. The latest copies are those too many.
        if key and surplus > 0:
            latest_first = [copy for copy in reversed(copies) if copy not in too_many]
            too_many.update(latest_first[:surplus])
    return too_many


def _alike(made: Sequence[Row]) -> dict[tuple[str, str, str, str], list[Made]]:
    """Return records that may be copies of one another: by marker, and tickets by customer."""
    alike: dict[tuple[str, str, str, str], list[Made]] = defaultdict(list)
    for row in made:
        ref, entity = ref_of(row), _entity(row)
        alike[entity, ref[0], "marker", row["marker"]].append((entity, ref))
        if about_ticket(row):
            alike[entity, ref[0], "customer", row["customer"]].append((entity, ref))
    return alike


def _entity(row: Row) -> str:
    return str(row.get("entity", TICKET))


def _unlisted(index: EvidenceIndex, twin: Row) -> bool:
    """Return whether nothing had shown a ticket when the bridge made a counterpart of its twin.

    Listings must have left it out, for it was new or out of reach, or its customer by whom it is
    found, and none may have shown that one since. Or answers showed in its place what is no record.
    """
    if not index.left_out and not index.illegible:
        return False
    copy = _copy_beside(index, twin)
    if copy is None:
        return False
    made, (where, own) = datetime.fromisoformat(copy["at"]), ref_of(twin)
    if _is_left_out(index, (where, own), made) or index.is_illegible((where, own), made):
        return True
    listed = index.listed.get((where, own))
    if listed is not None and listed < made:
        return False
    return _is_left_out(index, (where, twin["customer_id"]), made)


def _is_left_out(index: EvidenceIndex, ref: Ref, at: datetime) -> bool:
    """Return whether listings left a record out at a time, and none had shown it since."""
    left_out, listed = index.left_out.get(ref), index.listed.get(ref)
    if left_out is None or left_out >= at:
        return False
    return listed is None or not left_out <= listed < at


def _copy_beside(index: EvidenceIndex, twin: Row) -> Row | None:
    """Return the row of the bridge's first ticket for the same customer beside one of a human's.

    None: there is none, or a call that named the human's ticket came before it, so that the bridge
    could know. One that was refused has shown nothing, nor has one whose answer was illegible.
    """
    where, own = ref_of(twin)
    for row in index.journal:
        if row["seq"] <= twin["seq"] or row["connection"] != where or row["actor"] != "bridge":
            continue
        if row["id"] == own and _has_shown(index, row):
            return None
        if row["kind"] == "create" and about_ticket(row) and row["customer"] == twin["customer"]:
            return row
    return None


def _has_shown(index: EvidenceIndex, row: Row) -> bool:
    """Return whether the answer to a call that named a record has shown that it is there."""
    if row["kind"] == "read" and index.is_illegible(ref_of(row), datetime.fromisoformat(row["at"])):
        return False
    return bool(row["status"] < REFUSED_FROM)


def _to_be_made(
    opened: Sequence[Row], apart: set[Ref], forgotten: set[Ref], customer: str, where: str
) -> int:
    """Return how many tickets of a customer a system lacks.

    What humans have opened on several systems at one moment is one ticket, unless nobody need know
    it again on one of them: it was given another subject there, or was not listed when it was
    looked for. One that is gone there, of which nobody knows any more, is lacking again.
    """
    lacking, before, alike = 0, datetime.min.replace(tzinfo=UTC), Counter[str]()
    for row in opened:
        if row["customer"] != customer:
            continue
        connection, at = row["connection"], datetime.fromisoformat(row["at"])
        lacking += connection == where and ref_of(row) in forgotten
        if ref_of(row) in apart:
            lacking += connection != where
            continue
        if at - before > SAME_MOMENT:
            lacking += _most(alike) - alike[where]
            alike = Counter()
        alike[connection] += 1
        before = at
    return lacking + _most(alike) - alike[where]


def _most(counts: Counter[str]) -> int:
    return max(counts.values(), default=0)
