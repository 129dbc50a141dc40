"""What the checker looks for: edits that vanished, sides that differ, second counterparts, writes of nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.verify.evidence_index import EvidenceIndex, HumanEdit, Ref, Row, about_ticket, ref_of
from bridge.verify.expectations import (
    LOSSY,
    agrees,
    canonical,
    customer,
    found_by,
    known_as,
    marker,
    read_as,
)

_DONE = ("error-after", "reset-after", "timeout-after")
_ONE_TIME = timedelta(seconds=1)
_COMPARED = ("subject", "status", "priority", "assignee", "tags")


def all_of(index: EvidenceIndex) -> dict[str, list[Any]]:
    """Give every case found, by kind."""
    details: dict[str, list[Any]] = defaultdict(list)
    duplicates(index, details)
    lost(index, details)
    echoes(index, details)
    drift(index, details)
    return details


def lost(index: EvidenceIndex, details: dict[str, list[Any]]) -> None:
    """The last human word on each field of a ticket must be what all its sides ended with, unless recorded."""
    last: dict[tuple[int | Ref, str], HumanEdit] = {}
    for edit in index.edits:
        last[edit.link if edit.link >= 0 else edit.ref, edit.name] = edit
    for edit in last.values():
        if edit.ref in index.deleted or _recorded(index, edit):
            continue
        wrong = [ref for ref in index.sides(edit.link, edit.ref) if not _shows(index, ref, edit)]
        if wrong:
            kind = "window_edits" if _in_window(index, edit) else "lost_edits"
            kind = "unseen_edits" if _unseen(index, edit) or _taken_for_ours(index, edit) else kind
            kind = "before_they_met" if _before_they_met(index, edit) else kind
            kind = "withheld_edits" if _withheld(index, edit) else kind
            row = {
                "seq": edit.seq,
                "ref": list(edit.ref),
                "field": edit.name,
                "value": edit.new,
                "not_at": wrong,
            }
            details[kind].append(row)


def _shows(index: EvidenceIndex, ref: Ref, edit: HumanEdit) -> bool:
    record = index.finals.get(ref)
    name = edit.name.partition(":")[0]
    if (
        ref in index.deleted
        or index.excepted("not_carried", ref, name)
        or name not in index.carries[ref[0]]
    ):
        return True
    if record is None:
        return False
    if (
        name == "status"
        and index.ended.get(edit.link, -1) > edit.seq
        and _closed(index, ref, record)
    ):
        return True  # a ticket that somebody deleted afterwards is closed where it still is
    if ref == edit.ref and edit.raw is not None and name != "assignee":
        return bool(
            record[name] == edit.raw
        )  # not only its class: in_progress must not be flattened to open
    meant = {edit.new, *read_as(index.system[edit.ref[0]], edit.name, edit.raw)}
    return any(
        agrees(index.system[ref[0]], edit.name, value, record, cleared=True) for value in meant
    )


def _met_an_edit(index: EvidenceIndex, write: Row) -> bool:
    """Tell whether a human changed a field that a write was about to set, after our last read of the record."""
    ref, read = ref_of(write), 0
    for row in index.journal:
        if row["seq"] >= write["seq"]:
            break
        if row["actor"] == "bridge" and row["kind"] == "read" and _covers(row, ref):
            read = row["seq"]
    # Calls name a field as records do, or by a longer word: `tagId`, `assignee_id`.
    stems = tuple(
        each.name.partition(":")[0].removesuffix("s")
        for each in index.edits
        if each.ref == ref and read < each.seq < write["seq"]
    )
    return any(name.startswith(stems) for name in write["sent"])


def _closed(index: EvidenceIndex, ref: Ref, record: Row) -> bool:
    """Tell whether a side shows its ticket as closed, as well as it can."""
    return agrees(index.system[ref[0]], "status", "closed", record)


def _recorded(index: EvidenceIndex, edit: HumanEdit) -> bool:
    name = edit.name.partition(":")[0]
    values = [row.get("values") for row in index.conflicts[edit.link, name]]
    meant = [edit.new, edit.raw, *known_as(edit.raw)]
    return any(
        name == "tags" or told is None or any(each in told for each in meant) for told in values
    )


def _before_they_met(index: EvidenceIndex, edit: HumanEdit) -> bool:
    """Tell whether two records with a history of their own had yet to be joined: then `on_link` decides, not time."""
    histories = [
        ref for ref in index.sides(edit.link, edit.ref) if index.made_by.get(ref) == "human"
    ]
    if len(histories) < 2 or edit.link not in index.met:
        return False
    name = edit.name.partition(":")[0]
    later = [index.met_later.get((edit.link, connection, name)) for connection, _ in histories]
    return edit.at <= max([index.met[edit.link], *(at for at in later if at is not None)])


def _in_window(index: EvidenceIndex, edit: HumanEdit) -> bool:
    """Tell whether the journal proves that the edit landed between a read of ours and the write onto it.

    The bridge's last read of the record before the write came before the edit, and hardly any time
    lies between them.
    """
    name = edit.name.partition(":")[0]
    over = next((seq for seq, _, _ in index.carried[edit.ref, name] if seq > edit.seq), None)
    if over is None:
        return False
    read: Row | None = None
    for row in index.journal:
        if row["seq"] == over:
            at = datetime.fromisoformat(row["at"])
            return (
                read is not None
                and read["seq"] < edit.seq
                and at - datetime.fromisoformat(read["at"]) <= index.window
            )
        if row["actor"] == "bridge" and row["kind"] == "read" and _covers(row, edit.ref):
            read = row
    return False


def _unseen(index: EvidenceIndex, edit: HumanEdit) -> bool:
    """Tell whether the journal proves that the value went away and came back between two direct reads of the record.

    The row of a listing is a hint to read the record, and nothing more: by then the value was back.
    """
    away = [
        each
        for each in index.edits
        if each.ref == edit.ref and each.name == edit.name and each.seq <= edit.seq
    ]
    first = next((each for each in reversed(away) if each.old == edit.new), None)
    if first is None:
        return False
    between = (
        row
        for row in index.journal
        if first.seq < row["seq"] < edit.seq and row["actor"] == "bridge"
    )
    return not any(
        _covers(row, edit.ref) and (row["id"] or "ids=" in row["path"]) for row in between
    )


def _taken_for_ours(index: EvidenceIndex, edit: HumanEdit) -> bool:
    """Tell whether a human chose just what a lost write of ours had carried, which never arrived: nobody can tell."""
    value = index.landed.get((edit.ref, edit.name))
    written = (after.get(edit.name) for _, _, after in index.carried[edit.ref, edit.name])
    return value is not None and value == edit.raw and value not in written


def _withheld(index: EvidenceIndex, edit: HumanEdit) -> bool:
    """Tell whether somebody took the last tag away where an empty set reads like one that is not shown at all."""
    name, *element = edit.name.split(":")
    emptied = bool(element) and edit.new is False and index.finals.get(edit.ref, {}).get(name) == []
    return emptied and index.excepted("not_carried", edit.ref, name)


def _covers(row: Row, ref: Ref) -> bool:
    """Tell whether a call's answer showed a record: one that was asked for by name, or a listing that may show it."""
    if row["connection"] != ref[0]:
        return False
    named = "ids=" in row["path"]
    return ref[1] in row["path"] if named else bool(row["id"] in {ref[1], ""})


def drift(index: EvidenceIndex, details: dict[str, list[Any]]) -> None:
    """All sides of a ticket must show the same, each as well as it can, and every ticket must have all its sides."""
    cleared = {edit.link: edit.new is None for edit in index.edits if edit.name == "priority"}
    for number, refs in enumerate(index.links):
        present = [ref for ref in refs.items() if ref[0] in index.system]
        if any(ref in index.deleted for ref in present):
            continue
        for ref in present:
            if ref not in index.finals:
                details["drifted"].append(
                    {"ref": list(ref), "field": "id", "why": "the record is gone"}
                )
        sides = [(ref, index.finals[ref]) for ref in present if ref in index.finals]
        for name in _COMPARED:
            if any(row.get("open") for row in index.conflicts[number, name]):
                continue
            holding = [
                (index.system[ref[0]], record, ref)
                for ref, record in sides
                if name in index.carries[ref[0]] and not index.excepted("not_carried", ref, name)
            ]
            wanted = [canonical(system, name, record.get(name)) for system, record, _ in holding]
            wanted += [
                None,
                *sorted({value for side in LOSSY.values() for value in side.get(name, {})}),
            ]
            if not any(
                all(
                    agrees(system, name, value, record, cleared=cleared.get(number, False))
                    for system, record, _ in holding
                )
                for value in wanted
            ):
                values = {ref[0]: record.get(name) for _, record, ref in holding}
                details["drifted"].append({"refs": dict(refs), "field": name, "values": values})
    for ref, actor in index.made_by.items():
        linked = set(index.links[index.link_of[ref]]) if ref in index.link_of else {ref[0]}
        missing = index.creating - linked
        excepted = any(index.excepted(kind, ref, None) for kind in ("out_of_scope", "ambiguous"))
        dead = ref in index.deleted or ref not in index.finals or excepted
        if actor == "human" and ref[0] in index.mirrored and missing and not dead:
            details["unlinked"].append({"ref": list(ref), "missing_at": sorted(missing)})


def duplicates(index: EvidenceIndex, details: dict[str, list[Any]]) -> None:
    """A second counterpart shows as a record that no link knows, a marker used twice, or one copy too many."""
    known = Counter(
        (row.get("entity", "ticket"), ref)
        for row in index.facts["link"]
        for ref in dict(row["refs"]).items()
    )
    linked = {ref for _, ref in known}
    created = [row for row in index.journal if row["kind"] == "create" and row["record"]]
    # What a human deleted before the bridge could know of it never was: it is made again.
    created = [row for row in created if ref_of(row) in linked or ref_of(row) not in index.deleted]
    opened = [row for row in created if row["actor"] == "human" and about_ticket(row)]
    unlisted = {ref_of(row) for row in opened if _unlisted(index, row)}
    details["unlisted_twins"] += [{"ref": list(ref)} for ref in sorted(unlisted)]
    apart = unlisted | {edit.ref for edit in index.edits if edit.name == "subject"}
    found: dict[tuple[str, Ref], None] = {}
    same: dict[tuple[str, str, str, str], list[tuple[str, Ref]]] = defaultdict(list)
    for row in created:
        if row["actor"] == "human":
            continue
        ref, entity = ref_of(row), row.get("entity", "ticket")
        # A system may keep as one kind of record what others tell apart (a reply that is a text
        # like any other).
        if not known[entity, ref] and ref not in linked:
            found[entity, ref] = None
        same[entity, ref[0], "marker", marker(row["record"])].append((entity, ref))
        if about_ticket(row):
            same[entity, ref[0], "customer", customer(row["record"])].append((entity, ref))
    for (_, where, by, key), refs in same.items():
        allowed = 1 if by == "marker" else _to_be_made(opened, apart, key, where)
        surplus = len(refs) - allowed - len(found.keys() & set(refs))
        if key and surplus > 0:
            found.update(
                dict.fromkeys([ref for ref in reversed(refs) if ref not in found][:surplus])
            )
    for (_, ref), times in known.items():
        if times > 1:
            details["duplicates"].append({"ref": list(ref), "why": f"in {times} links"})
    details["duplicates"] += [
        {"ref": list(ref), "why": "one counterpart too many"} for _, ref in sorted(found)
    ]


def _unlisted(index: EvidenceIndex, twin: Row) -> bool:
    """Tell whether nothing had shown a ticket yet when the bridge made a counterpart of its twin beside it.

    A lagging index must have left it out, or its customer by whom it is found, and no listing may
    have shown that one since. A call that names the ticket, or a listing that has it, shows that
    the bridge could know.
    """
    (where, own), who = ref_of(twin), customer(twin["record"])
    for row in index.journal if index.left_out else ():
        if row["seq"] <= twin["seq"] or row["connection"] != where or row["actor"] != "bridge":
            continue
        if row["id"] == own:
            return False
        if row["kind"] == "create" and about_ticket(row) and customer(row["record"] or {}) == who:
            made = datetime.fromisoformat(row["at"])
            left_out, listed = (
                {ref for ref, at in times.items() if at < made}
                for times in (index.left_out, index.listed)
            )
            ways = {(where, each) for each in found_by(twin["record"])}
            return (where, own) not in listed and bool(ways & left_out - listed)
    return False


def _to_be_made(opened: list[Row], apart: set[Ref], who: str, where: str) -> int:
    """Count the tickets of a customer that a system lacks.

    What humans have opened on several systems at one moment is one ticket, unless nobody need know
    it again on one of them: it was given another subject there, or was not listed when it was
    looked for.
    """
    lacking, before, alike = 0, datetime.min.replace(tzinfo=UTC), Counter[str]()
    for row in opened:
        if customer(row["record"]) != who:
            continue
        connection, at = row["connection"], datetime.fromisoformat(row["at"])
        if ref_of(row) in apart:
            lacking += connection != where
            continue
        if at - before > _ONE_TIME:
            lacking += max(alike.values(), default=0) - alike[where]
            alike = Counter()
        alike[connection] += 1
        before = at
    return lacking + max(alike.values(), default=0) - alike[where]


def echoes(index: EvidenceIndex, details: dict[str, list[Any]]) -> None:
    """A write that changed nothing: an echo, unless the system ignored what was sent."""
    for row in index.journal:
        done = row["status"] < 400 or row["fault"] in _DONE
        if row["actor"] == "bridge" and row["kind"] == "write" and done and not row["after"]:
            if _met_an_edit(index, row):
                continue
            kind = "ignored_writes" if row["ignored"] else "echo_writes"
            details[kind].append({"seq": row["seq"], "ref": list(ref_of(row)), "sent": row["sent"]})
