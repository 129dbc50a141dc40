"""Human edits that vanished, and the documented reasons for which some of them may.

| kind | why the last word on a field may be missing on a side |
| --- | --- |
| `unread_edits` | its system has never shown the field to the bridge: nobody could know of it |
| `withheld_edits` | the last tag went where an empty set reads like one that is not shown |
| `before_they_met` | two records with a history of their own were joined: `on_link` decides |
| `unseen_edits` | the value went and came back between two reads, or a lost write had carried it |
| `window_edits` | the edit came between a read of ours and the write onto it |
| `lost_edits` | for no reason: a broken promise |
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from bridge.verify.evidence_index import (
    EvidenceIndex,
    HumanEdit,
    Ref,
    Row,
    could_show,
    shown_at,
    shows,
)
from bridge.verify.system_reading import names_of_person


def lost(index: EvidenceIndex) -> Iterator[tuple[str, Row]]:
    """Yield the last human words on a field that not all sides of the ticket show in the end.

    Edits that nobody could know of are yielded all, and stand for no word.
    """
    last: dict[tuple[int | Ref, str], HumanEdit] = {}
    # A record without a link is judged alone: its own edits must stand.
    for edit in index.edits:
        if index.excepted("never_read", edit.ref, edit.field):
            yield "unread_edits", _row(edit, [])  # no word that anybody could have heard
            continue
        last[edit.link if edit.link >= 0 else edit.ref, edit.name] = edit
    for edit in last.values():
        if edit.ref in index.deleted or _recorded(index, edit):
            continue
        sides = index.sides(edit.link, edit.ref)
        missing = [ref for ref in sides if not _arrived(index, ref, edit)]
        if missing:
            yield _kind(index, edit), _row(edit, missing)


def _row(edit: HumanEdit, missing: list[Ref]) -> Row:
    """Return what a report says of an edit."""
    return {
        "seq": edit.seq,
        "ref": list(edit.ref),
        "field": edit.name,
        "value": edit.new,
        "not_at": missing,
    }


def _kind(index: EvidenceIndex, edit: HumanEdit) -> str:
    """Return the first kind of the table above that fits."""
    if _withheld(index, edit):
        return "withheld_edits"
    if _before_they_met(index, edit):
        return "before_they_met"
    if _unseen(index, edit) or _taken_for_ours(index, edit):
        return "unseen_edits"
    return "window_edits" if _in_window(index, edit) else "lost_edits"


def _arrived(index: EvidenceIndex, ref: Ref, edit: HumanEdit) -> bool:
    """Return whether a side ends with an edit, as well as its system can show it."""
    if _need_not_arrive(index, ref, edit.field):
        return True
    record = index.finals.get(ref)
    if record is None:
        return False
    reading = index.connections.reading[ref[0]]
    ended_later = edit.name == "status" and index.ended.get(edit.link, -1) > edit.seq
    if ended_later and reading.agrees("status", "closed", record):
        return True  # a ticket that somebody deleted afterwards is closed where it still is
    if ref == edit.ref and edit.raw is not None and edit.name != "assignee":
        # Not only its class: in_progress must not be flattened to open.
        return bool(record[edit.name] == edit.raw)
    meant = {edit.new, *index.connections.reading[edit.ref[0]].held_only_as(edit.name, edit.raw)}
    return any(reading.agrees(edit.name, value, record, cleared=True) for value in meant)


def _need_not_arrive(index: EvidenceIndex, ref: Ref, field: str) -> bool:
    return (
        ref in index.deleted
        or index.excepted("not_carried", ref, field)
        or field not in index.connections.carries[ref[0]]
    )


def _recorded(index: EvidenceIndex, edit: HumanEdit) -> bool:
    """Return whether the edit stands in a recorded conflict, where a human can still choose it."""
    meant = [edit.new, edit.raw, *names_of_person(edit.raw)]
    for row in index.conflicts[edit.link, edit.field]:
        values = row.get("values")
        if edit.field == "tags" or values is None or any(value in values for value in meant):
            return True
    return False


def _before_they_met(index: EvidenceIndex, edit: HumanEdit) -> bool:
    """Return whether two records with a history of their own had yet to be joined.

    `on_link` decides then, not time. So it does of a counterpart of ours, once the ledger that
    knew it is lost.
    """
    sides = index.sides(edit.link, edit.ref)
    histories = [ref for ref in sides if index.made_by.get(ref) == "human" or ref in index.known]
    if len(histories) < 2 or edit.link not in index.links.met:
        return False
    met = [index.links.met[edit.link]]
    for connection, _ in histories:
        later = index.links.met_later.get((edit.link, connection, edit.field))
        if later is not None:
            met.append(later)
    return edit.at <= max(met)


def _in_window(index: EvidenceIndex, edit: HumanEdit) -> bool:
    """Return whether the journal proves that the edit came between a read of ours and its write.

    What the bridge's last read of the record before the write showed was older than the edit, and
    hardly any time lies between read and write.
    """
    for seq, at, _ in index.carried[edit.ref, edit.field]:
        if seq > edit.seq:
            read = index.last_read(edit.ref, seq)
            if read is None or could_show(read, edit):
                return False
            behind = timedelta(seconds=read.get("behind", 0.0))
            return at - shown_at(read) <= index.window + behind
    return False


def _unseen(index: EvidenceIndex, edit: HumanEdit) -> bool:
    """Return whether the journal proves that the value went and came back between two direct reads.

    The row of a listing is a hint to read the record, and nothing more: by then the value was back.
    """
    went = [
        other
        for other in index.edits
        if (other.ref, other.name) == (edit.ref, edit.name)
        and other.seq <= edit.seq
        and other.old == edit.new
    ]
    if not went:
        return False
    return not any(
        could_show(row, went[-1]) and not could_show(row, edit) and _read_directly(row, edit.ref)
        for row in index.journal
        if row["actor"] == "bridge"
    )


def _read_directly(row: Row, ref: Ref) -> bool:
    return shows(row, ref) and bool(row["id"] or "ids=" in row["path"])


def _taken_for_ours(index: EvidenceIndex, edit: HumanEdit) -> bool:
    """Return whether a human chose just what a lost write of ours had carried: nobody can tell."""
    value = index.links.landed.get((edit.ref, edit.name))
    if value is None:
        return False
    # A person is an object in one answer, and a name in another call.
    written = [after.get(edit.name) for _, _, after in index.carried[edit.ref, edit.name]]
    ours = [name for raw in written for name in (raw, *names_of_person(raw))]
    return value in (edit.raw, *names_of_person(edit.raw)) and value not in ours


def _withheld(index: EvidenceIndex, edit: HumanEdit) -> bool:
    """Return whether somebody took the last tag away where an empty set reads like a hidden one."""
    if edit.name == edit.field or edit.new is not False:
        return False
    emptied = index.finals.get(edit.ref, {}).get(edit.field) == []
    return emptied and index.excepted("not_carried", edit.ref, edit.field)
