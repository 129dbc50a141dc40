"""Changes of a mapping's file by the bridge: checked, written down, or not made at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge import config
from bridge.config import SandboxAccount
from bridge.connectors import CONNECTORS, connector_class
from bridge.errors import NotPossible
from bridge.operations.desk import Desk


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A change of one file of the home, and how the audit is to name it."""

    file: str
    """In the home: `mappings/switch.yaml`."""
    before: str
    after: str
    action: str
    subject: str
    detail: Mapping[str, Any]


def read(home: Path, file: str) -> str:
    """Return the text of a file of the home, line ends as they are."""
    return (home / file).read_bytes().decode()


def make(desk: Desk, accounts: Mapping[str, SandboxAccount] | None, edit: FileEdit) -> None:
    """Make a change. Raises NotPossible where the files would not hold with it.

    Then, and where the audit takes nothing, the file is as it was.
    """
    home = desk.config.home
    _store(home / edit.file, edit.after)
    try:
        _check(home, accounts)
        with desk.acting(edit.action, edit.subject, {"file": edit.file, **edit.detail}):
            pass
    except BaseException:
        _store(home / edit.file, edit.before)
        raise


def _check(home: Path, accounts: Mapping[str, SandboxAccount] | None) -> None:
    classes = {system: connector_class(system) for system in CONNECTORS}
    problems = config.check(home, environ=os.environ, sandbox=accounts, connectors=classes)
    if problems:
        raise NotPossible("; ".join(problems))


def _store(file: Path, text: str) -> None:
    """Replace a file in one go: whoever reads it finds the old text or the new one, whole."""
    file = file.resolve()  # a link stays one
    beside = file.with_name(f".{file.name}.new")
    beside.write_bytes(text.encode())
    beside.chmod(file.stat().st_mode & 0o777)
    beside.replace(file)
