"""Drafts of mappings: begun from what is in force, stored, brought up to date, and published.

A draft changes nothing. What it would do is looked at (`effect_jobs`), and just that is published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bridge.config.mapping_texts import secret_problems
from bridge.config.published_mappings import secrets_of
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import mapping_drafts, mapping_revisions
from bridge.ledger.mapping_drafts import Changes, MappingDraft
from bridge.operations import revisions
from bridge.operations.desk import Desk
from bridge.operations.file_differences import FileDifference, differences

__all__ = [
    "MappingDraft",
    "StoredDraft",
    "begin",
    "bring_in",
    "discard",
    "get",
    "latest",
    "restarted",
    "shown_against",
    "store_file",
    "texts",
]

MOST: Final = 200
"""Drafts that are kept at a time."""
LONGEST_NOTE: Final = 500


@dataclass(frozen=True, slots=True)
class StoredDraft:
    """A draft as it was stored."""

    draft: MappingDraft
    is_copy: bool = False
    """Somebody had stored another version meanwhile: that one stands, and this is a new draft."""


def begin(
    desk: Desk,
    changes: Changes,
    *,
    base: int | None = None,
    replaces: bool = False,
    note: str = "",
) -> MappingDraft:
    """Store a new draft. `base`: the revision that it is made from; None: the one in force.

    Raises NotPossible where a secret stands in it, or too many drafts are kept already.
    """
    _refuse_secrets(desk, changes)
    with desk.ledger.transaction() as tx:
        if mapping_drafts.count(tx) >= MOST:
            raise NotPossible(f"{MOST} drafts are kept already: discard some, or publish them")
        return mapping_drafts.add(
            tx,
            changes,
            author=desk.actor,
            base=mapping_revisions.newest_number(tx) if base is None else base,
            replaces=replaces,
            note=note[:LONGEST_NOTE],
            now=desk.now(),
        )


def restarted(desk: Desk, number: int) -> MappingDraft:
    """Begin a draft that puts the files of an older revision in force once more."""
    meant = revisions.get(desk, number).files
    newest = revisions.get(desk)
    changes = _changes(newest.files, meant)
    if not changes:
        raise NotPossible(f"the files of revision {number} are in force already")
    note = f"back to revision {number}"
    return begin(desk, changes, base=newest.number, replaces=True, note=note)


def get(desk: Desk, draft_id: int) -> MappingDraft:
    """Return a draft. Raises UnknownName where it is not there (any more)."""
    with desk.ledger.read() as tx:
        found = mapping_drafts.get(tx, draft_id)
    if found is None:
        raise UnknownName(f"draft {draft_id} is not there: it was published or discarded")
    return found


def latest(desk: Desk) -> list[MappingDraft]:
    """Return all drafts, what was stored last first."""
    with desk.ledger.read() as tx:
        return mapping_drafts.newest(tx, MOST)


def texts(desk: Desk, draft: MappingDraft) -> dict[str, str]:
    """Return all files as a draft has them, without what others published since it was begun."""
    return _with(_base(desk, draft), draft.changes)


def shown_against(desk: Desk, draft: MappingDraft) -> list[FileDifference]:
    """Return what a draft changes of the revision that it was made from."""
    base = _base(desk, draft)
    return differences(base, _with(base, draft.changes))


def store_file(
    desk: Desk, draft: MappingDraft, version: int, name: str, text: str, *, base: int | None = None
) -> StoredDraft:
    """Store the text of one file in a draft, as somebody has typed it who saw `version` of it.

    Where another version was stored since, that one stays as it is, and what was typed becomes a
    draft of its own: nothing is lost. `base`: from which revision the draft is made by now.
    Raises NotPossible where a secret stands in the text.
    """
    _refuse_secrets(desk, {name: text})
    made_from = draft.base if base is None else base
    standing = revisions.get(desk, made_from).files if made_from else {}
    changes = {**draft.changes, name: text}
    if standing.get(name) == text:
        del changes[name]
    with desk.ledger.transaction() as tx:
        stored = mapping_drafts.store(
            tx,
            draft.id,
            version,
            changes,
            author=desk.actor,
            base=made_from,
            note=draft.note,
            now=desk.now(),
        )
    if stored:
        return StoredDraft(get(desk, draft.id))
    return StoredDraft(
        begin(desk, changes, base=made_from, replaces=draft.replaces, note=draft.note), is_copy=True
    )


def bring_in(desk: Desk, draft: MappingDraft) -> MappingDraft:
    """Bring what others have published since into a draft; return it as it is then.

    Raises NotPossible, with both values, where both have changed the same.
    """
    newest = revisions.get(desk)
    files = revisions.merged(desk, texts(desk, draft), draft.base)
    changes = _changes(newest.files, files)
    with desk.ledger.transaction() as tx:
        stored = mapping_drafts.store(
            tx,
            draft.id,
            draft.version,
            changes,
            author=desk.actor,
            base=newest.number,
            note=draft.note,
            now=desk.now(),
        )
    if not stored:
        raise NotPossible("the draft was stored anew meanwhile: look at it again")
    return get(desk, draft.id)


def discard(desk: Desk, draft_id: int) -> None:
    """Forget a draft. Raises UnknownName where it is not there (any more)."""
    with desk.ledger.transaction() as tx:
        gone = mapping_drafts.drop(tx, draft_id)
    if not gone:
        raise UnknownName(f"draft {draft_id} is not there: it was published or discarded")


def _base(desk: Desk, draft: MappingDraft) -> Mapping[str, str]:
    return revisions.get(desk, draft.base).files if draft.base else {}


def _with(base: Mapping[str, str], changes: Changes) -> dict[str, str]:
    merged = {**base, **changes}
    return {name: text for name, text in sorted(merged.items()) if text is not None}


def _changes(standing: Mapping[str, str], meant: Mapping[str, str]) -> dict[str, str | None]:
    """Return what makes the one of the other."""
    names = standing.keys() | meant.keys()
    return {name: meant.get(name) for name in names if standing.get(name) != meant.get(name)}


def _refuse_secrets(desk: Desk, changes: Changes) -> None:
    files = {name: text for name, text in changes.items() if text is not None}
    found = secret_problems(files, secrets_of(desk.config))
    if found:
        places = "; ".join(f"{file}:{line}: {what}" for file, line, what in found)
        raise NotPossible(f"the draft was not stored: {places}")
