"""Folders with mappings: which revision one was made from, and writing a revision into one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.config import Config
from bridge.config.mapping_texts import FOLDER, MappingTexts, read_folder
from bridge.errors import NotPossible
from bridge.ledger import mapping_revisions
from bridge.ledger.mapping_revisions import FROM_FILES, MappingRevision, RevisionHead

if TYPE_CHECKING:  # a check reads folders, and opens no desk
    from bridge.operations.desk import Desk

MARK: Final = ".revision"
"""The file in a folder that says from which revision its files were made, and that one's digest."""


def parent_of(desk: Desk, folder: Path) -> int:
    """Return the revision that a folder's files were made from; 0: there is none at all.

    Raises NotPossible where that cannot be known.
    """
    with desk.ledger.read() as tx:
        newest = mapping_revisions.head(tx, mapping_revisions.newest_number(tx))
        number, digest = _marked(folder)
        marked = mapping_revisions.head(tx, number)
    if newest is None:
        return 0
    if marked is not None and marked.checksum == digest:
        return number
    own = folder.resolve() == (desk.config.home / FOLDER).resolve()
    if number == 0 and own and newest.state == FROM_FILES:
        return newest.number  # it was taken from this very folder
    if mapping_revisions.checksum(read_folder(folder)) == newest.checksum:
        return newest.number
    known = f"the newest is {newest.number}, by {newest.author}"
    why = f"of another ledger: its revision {number}" if number else "by hand"
    raise NotPossible(
        f"{folder} was made {why}, so that it is not known which changes in it are yours: "
        f"--parent N says from which revision it was made ({known})"
    )


def mark(folder: Path, head: RevisionHead) -> None:
    """Note in a folder which revision its files are; a folder that is read-only goes without."""
    try:
        (folder / MARK).write_text(f"{head.number} {head.checksum}\n")
    except OSError:
        return


def put_into(folder: Path, revision: MappingRevision, *, overwrite: bool = False) -> list[str]:
    """Write a revision's files into a folder, byte for byte; return their names.

    Raises NotPossible where the folder has other mappings, unless `overwrite` says that it is to
    have these and no others.
    """
    present = {path.name for path in folder.glob("*.yaml")} if folder.is_dir() else set()
    there = {name: (folder / name).read_bytes() for name in present}
    meant = {name: text.encode() for name, text in revision.files.items() if _is_name(name)}
    other = sorted(name for name, text in there.items() if meant.get(name) != text)
    if other and not overwrite:
        raise NotPossible(
            f"{folder} has other mappings ({', '.join(other)}): name an empty folder, or let them "
            "be replaced with --overwrite"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in other:
        if name not in meant:
            (folder / name).unlink()
    for name, text in meant.items():
        beside = folder / f".{name}.new"
        beside.write_bytes(text)
        beside.replace(folder / name)
    mark(folder, revision.head)
    return sorted(meant)


def notice(config: Config) -> str:
    """Return in words how the home's files differ from those published; empty: they do not.

    A home whose mappings are in the ledger need have none.
    """
    if not (config.from_ledger and config.number):
        return ""
    names = differs(config.home, config.files)
    if not names:
        return ""
    return (
        f"{FOLDER}/ is not as published in revision {config.number}, which is in force "
        f"({', '.join(names)}): `bridge mappings diff` shows how, `bridge mappings publish` puts "
        f"it in force, `bridge mappings export {FOLDER} --overwrite` gives it up"
    )


def differs(home: Path, files: Mapping[str, str]) -> list[str]:
    """Return which of the home's own files are not as these; none where the home has no files."""
    own: Mapping[str, str] = MappingTexts(home).all()
    names = sorted(name for name in own if own[name] != files.get(name))
    return [*names, *(sorted(files.keys() - own.keys()) if own else [])]


def _marked(folder: Path) -> tuple[int, str]:
    try:
        number, digest = (folder / MARK).read_text()[:200].split()
        return int(number), digest
    except (OSError, ValueError):
        return 0, ""


def _is_name(name: str) -> bool:
    return Path(name).name == name and name.endswith(".yaml")
