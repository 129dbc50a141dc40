"""Changes of mappings by the bridge: checked, put in place, or not made at all.

Where the home's mappings are its files, those are edited; where they are published, a revision is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bridge import config
from bridge.config import SandboxAccount
from bridge.config.mapping_texts import FOLDER
from bridge.connectors import CONNECTORS, connector_class
from bridge.errors import NotPossible
from bridge.ledger.mapping_revisions import MappingRevision
from bridge.operations import mapping_folders, revisions
from bridge.operations.desk import Desk
from bridge.runs import adoption

NOT_THERE: Final = ""
"""The text of a file that is not there yet."""


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A change of files of the home, and how the audit is to name it."""

    before: Mapping[str, str]
    """By file, as it lies in the home: `mappings/switch.yaml`."""
    after: Mapping[str, str]
    """The files that change."""
    action: str
    subject: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MadeEdit:
    """A change that was made."""

    revision: int | None = None
    """The revision that it was published as; None: files were edited."""
    left_behind: bool = False
    """The home's own files were not as published before, and were left as they are."""


def read(home: Path, file: str) -> str:
    """Return the text of a file of the home, line ends as they are; NOT_THERE if it has none."""
    path = home / file
    return path.read_bytes().decode() if path.exists() else NOT_THERE


def in_force(desk: Desk, file: str) -> str:
    """Return the text of a file of the mappings that a change begins with."""
    if desk.config.from_ledger:
        return desk.config.files.get(Path(file).name, NOT_THERE)
    return read(desk.config.home, file)


def make(desk: Desk, accounts: Mapping[str, SandboxAccount] | None, edit: FileEdit) -> None:
    """Make a change in the home's files. Raises NotPossible where they would not hold with it.

    Then, and where the audit takes nothing, the files are as they were.
    """
    home, files = desk.config.home, sorted(edit.after)
    _store_all(home, edit.after)
    try:
        _check(home, accounts)
        with desk.acting(edit.action, edit.subject, {"file": ", ".join(files), **edit.detail}):
            pass
    except BaseException:
        _store_all(home, {file: edit.before[file] for file in files})
        raise


def put_in_force(
    desk: Desk, accounts: Mapping[str, SandboxAccount] | None, edit: FileEdit
) -> MadeEdit:
    """Make a change in the mappings that are in force: published, or else in the home's files.

    The home's own files follow what was published, if they were as published before. Raises
    ConfigError or NotPossible where the mappings would not hold with it.
    """
    if not desk.config.from_ledger:
        make(desk, accounts, edit)
        return MadeEdit()
    in_step = not mapping_folders.notice(desk.config)
    changed = {Path(file).name: text for file, text in edit.after.items()}
    files = {**desk.config.files, **changed}
    made = revisions.draft(desk, files, parent=desk.config.number)
    note = f"{edit.action}: {edit.subject}"
    revision, made = revisions.publish(desk, made, note=note, act=edit.action)
    with desk.ledger.transaction() as tx:
        adoption.read_waiting_again(tx, made.context)
    keep_in_step(desk, revision, in_step=in_step)
    return MadeEdit(revision.number, left_behind=not in_step)


def keep_in_step(desk: Desk, revision: MappingRevision, *, in_step: bool) -> None:
    """Have the home's own files follow what was published, if they were `in_step` before.

    A folder that cannot be written to stays as it is: `bridge check` and the pages say so.
    """
    folder = desk.config.home / FOLDER
    if in_step and any(folder.glob("*.yaml")):
        with contextlib.suppress(OSError):
            mapping_folders.put_into(folder, revision, overwrite=True)


def _check(home: Path, accounts: Mapping[str, SandboxAccount] | None) -> None:
    classes = {system: connector_class(system) for system in CONNECTORS}
    problems = config.check(home, environ=os.environ, sandbox=accounts, connectors=classes)
    if problems:
        raise NotPossible("; ".join(problems))


def _store_all(home: Path, texts: Mapping[str, str]) -> None:
    for file, text in texts.items():
        if text == NOT_THERE:
            (home / file).unlink(missing_ok=True)
        else:
            _store(home / file, text)


def _store(file: Path, text: str) -> None:
    """Replace a file in one go: whoever reads it finds the old text or the new one, whole."""
    file = file.resolve()  # a link stays one
    beside = file.with_name(f".{file.name}.new")
    beside.write_bytes(text.encode())
    if file.exists():
        beside.chmod(file.stat().st_mode & 0o777)
    beside.replace(file)
