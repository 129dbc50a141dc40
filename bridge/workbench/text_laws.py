"""Laws of fields with any number of values: what is written is read back, and no text gets lost.

They are tried on a few values of each kind; what every transform keeps for all values is tested
where the transforms are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bridge.core.mapping.paths import PLAIN
from bridge.core.model.values import (
    Canonical,
    Marker,
    NotCarried,
    Raw,
    Unreadable,
    same_json,
    shown,
)
from bridge.workbench.carriers import Carrier, raw_words, read_words
from bridge.workbench.proof_findings import ProofFinding, ProofSubject, Severity

_SENTENCE: Final = "The export stops in the middle of a line. "
LONG: Final = 2_000
LONGEST: Final = 20_000
"""Characters of the longest text that is tried."""
LITTLE: Final = 10
"""Characters that an edit may cost: a mark at the end, or space."""
SAMPLES: Final[Mapping[str, tuple[Canonical, ...]]] = {
    "text": ("The export stops",),
    "number": (7, 12.5),
    "boolean": (True, False),
    "date": ("2026-03-01",),
    "datetime": ("2026-03-01T09:30:00.000000+00:00",),
    "email": ("ana@example.com",),
    "url": ("https://shop.example/orders/7",),
    "json": ('{"size":[1,2]}',),
    "set": ("billing",),
}
"""Kind of field -> values of ours that are tried. A choice, an agent and a parent have others."""


def samples(carrier: Carrier) -> tuple[Canonical, ...]:
    """Return a few values of ours that the field of a member can be tried with."""
    field, table = carrier.field, carrier.declared.parts.write_table
    if table is not None:
        return tuple(ours for _type, ours in list(table.rows)[:2])
    if field.kind == "choice":
        return field.choices[:2]
    return SAMPLES.get(field.kind, ())


def check_written(subject: ProofSubject, carrier: Carrier) -> Iterator[ProofFinding]:
    """Yield why what is written to a member would not be what is read there afterwards."""
    if not carrier.writes or carrier.map.parent:
        return
    for value in samples(carrier):
        raw = carrier.write(value)
        if isinstance(raw, NotCarried):
            continue
        back = carrier.map.read(raw)
        if isinstance(back, Unreadable) or not same_json(back, value):
            if carrier.declared.parts.write_table is None:
                yield _not_itself(subject, carrier, value, raw, back)
            return
        hidden = _hidden(subject, carrier, value, raw)
        if hidden is not None:
            yield hidden
        return


def _not_itself(
    subject: ProofSubject,
    carrier: Carrier,
    value: Canonical,
    raw: Raw,
    back: Canonical | Unreadable,
) -> ProofFinding:
    what = f"what is written there does not read as what it was: every {carrier.field.name} would "
    what += "be changed on its way"
    example = f"{read_words(value)} → {raw_words(raw)} at {carrier.connection} → {read_words(back)}"
    return carrier.finding("read-back", "refused", carrier.at(subject), what, example=example)


def _hidden(
    subject: ProofSubject, carrier: Carrier, value: Canonical, raw: Raw
) -> ProofFinding | None:
    """Return why a value that was written does not show where the field is read; None: it does."""
    key, paths = carrier.map.write_key or "", carrier.declared.parts.paths
    if key.partition(".")[0] not in carrier.able.readable:
        return None  # it is shown under another name
    record: dict[str, Any] = dict.fromkeys(carrier.able.readable)
    _put(record, key, [raw] if carrier.map.is_set else raw)
    severity: Severity = "refused" if carrier.on_update else "warning"
    at, name = carrier.at(subject, "write"), carrier.field.name
    sources = ", ".join(path.source for path in paths)
    if not _shows(carrier, record, value):
        what = f"{name} is written to {key} and read from {sources}, where it does not show: "
        what += f"{carrier.connection} would be sent it again and again"
        return carrier.finding("read-back", severity, at, what, proposed=f"path: {key}")
    others = [path.source for path in paths if _beside(path.source, key)]
    for other in others:
        _put(record, other, "Something else")
    if not others or carrier.field.kind != "text" or _shows(carrier, record, value):
        return None
    what = f"{name} is written to {key}, and read from {others[0]} where that has a value: "
    what += "what was written would be hidden behind it"
    ordered = ", ".join([key, *others])
    return carrier.finding(
        "read-back", severity, carrier.at(subject, "read"), what, proposed=f"read: [{ordered}]"
    )


def _beside(path: str, key: str) -> bool:
    """Return whether a plain path leads to another place than the key, and not on the same way."""
    apart = not f"{key}.".startswith(f"{path}.") and not f"{path}.".startswith(f"{key}.")
    return PLAIN.fullmatch(path) is not None and apart


def _shows(carrier: Carrier, record: Mapping[str, Any], value: Canonical) -> bool:
    shown_raw = carrier.map.extract(record)
    if isinstance(shown_raw, Marker | Unreadable):
        return False
    if carrier.map.is_set:
        return any(carrier.map.read(element) == value for element in shown_raw or ())
    return same_json(carrier.map.read(shown_raw), value)


def _put(record: dict[str, Any], path: str, value: Any) -> None:
    """Put a value into a record, under a plain path."""
    *above, last = path.split(".")
    here = record
    for name in above:
        inside = here.get(name)
        here[name] = inside if isinstance(inside, dict) else {}
        here = here[name]
    here[last] = value


@dataclass(frozen=True, slots=True)
class TextEdit:
    """A small edit of a text at one member, and what it makes of the whole for all others."""

    editor: Carrier
    shows: Raw
    after: str


def check_texts(subject: ProofSubject, carriers: Sequence[Carrier]) -> Iterator[ProofFinding]:
    """Yield members at which a small edit elsewhere would cost a part of a text.

    One side shows less of the text than another holds: it was cut, or made of other fields. Whoever
    edits it there sends the short one back.
    """
    if carriers[0].field.kind != "text" or _has_table(carriers):
        return
    editors = [each for each in carriers if each.counts and each.map.parent == ""]
    if not editors:
        return
    tried = _texts(carriers)
    shortest: dict[str, list[TextEdit]] = {}
    for holder in (each for each in carriers if each.on_update):
        found = _loss(holder, tried, editors, shortest)
        if found is not None:
            yield _lost(subject, holder, *found)
            continue
        yield from _derived(subject, holder, editors)


def _has_table(carriers: Sequence[Carrier]) -> bool:
    return any(each.declared.parts.read_table is not None for each in carriers)


def _texts(carriers: Sequence[Carrier]) -> tuple[str, ...]:
    """Return texts to try: two lines, and one that is longer than what any member takes."""
    limits = [each.declared.max_length or 0 for each in carriers]
    limits += [each.writable.max_length or 0 for each in carriers]
    length = min(LONGEST, max(LONG, *limits) + len(_SENTENCE))
    long = (_SENTENCE * (length // len(_SENTENCE) + 1))[:length].strip()
    return f"The export stops.\n{_SENTENCE.strip()}", long


def _loss(
    holder: Carrier,
    tried: Sequence[str],
    editors: Sequence[Carrier],
    shortest: dict[str, list[TextEdit]],
) -> tuple[Raw, TextEdit, Raw] | None:
    """Return what a holder has, the edit, and what it has after; None: nothing is lost."""
    for text in tried:
        held = holder.write(text)
        read = None if isinstance(held, NotCarried) else holder.map.read(held)
        if not isinstance(held, str) or not isinstance(read, str):
            continue
        if read not in shortest:
            shortest[read] = _shortest(read, editors)
        for edit in shortest[read]:
            after = holder.write(edit.after)
            same = edit.editor.connection == holder.connection
            if not same and isinstance(after, str) and len(after) + LITTLE < len(held):
                return held, edit, after
    return None


def _shortest(text: str, editors: Sequence[Carrier]) -> list[TextEdit]:
    """Return the two edits after which least of a text is left."""
    edits: list[TextEdit] = []
    for editor in editors:
        shows = editor.write(text)
        if not isinstance(shows, str):
            continue
        after = editor.map.read(f"! {shows}")
        if isinstance(after, str):
            edits.append(TextEdit(editor, shows, after))
    return sorted(edits, key=lambda edit: len(edit.after))[:2]


def _lost(
    subject: ProofSubject, holder: Carrier, held: Raw, edit: TextEdit, after: Raw
) -> ProofFinding:
    """Return the finding of a loss, at the mapping that shows less."""
    editor, name = edit.editor, holder.field.name
    few, shows, many = len(str(after)), len(str(edit.shows)), len(str(held))
    way = f"{many:,} characters at {holder.connection} → {shows:,} at {editor.connection}, "
    way += f"one word is put in front → {few:,} at {holder.connection}"
    proposed = f"{name}: {{owner: {holder.connection}, revert: false}}"
    read = holder.map.read(held)
    if isinstance(read, str) and len(read) + LITTLE < many:
        what = (
            f"only a part of {name} at {holder.connection} is read, and the whole is written: an "
            "edit elsewhere would cost the rest. Only read it, or let this side own it"
        )
        at = holder.at(subject, "as")
        return holder.finding(
            "loss", "refused", at, what, others=[editor.connection], example=way, proposed=proposed
        )
    parts = editor.declared.parts
    key = "max_length" if parts.max_length is not None else "as" if parts.chain.helpers else "path"
    what = (
        f"{editor.connection} shows less of {name} than {holder.connection} holds, and what is "
        f"edited there comes back: {holder.connection} would lose the rest. Let one side own it"
    )
    return editor.finding(
        "loss", "refused", editor.at(subject, key), what, others=[holder.connection],
        example=way, proposed=proposed,
    )  # fmt: skip


def _derived(
    subject: ProofSubject, holder: Carrier, editors: Sequence[Carrier]
) -> Iterator[ProofFinding]:
    """Yield a member that makes the field of other ones, and sends it where people edit it."""
    for editor in editors:
        parts = editor.declared.parts
        made_up = parts.chain.combine is not None and not editor.on_update
        if made_up and editor.connection != holder.connection:
            name = holder.field.name
            sources = ", ".join(path.source for path in parts.paths)
            what = (
                f"{editor.connection} makes its {name} of {shown(sources)}: whenever these change, "
                f"{name} is overwritten at {holder.connection}. Let one side own it"
            )
            yield editor.finding(
                "derived", "warning", editor.at(subject, "read"), what, others=[holder.connection],
                proposed=f"{name}: {{owner: {holder.connection}, revert: false}}",
            )  # fmt: skip
            return
