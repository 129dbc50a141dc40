"""Homes that are the shipped one, with edits: what a support lead's home is at first."""

from __future__ import annotations

import shutil
from pathlib import Path

from bridge.operations.mapping_proof import ProvedHome, proved
from bridge.supervisor.account_file import placeholder_accounts

ROOT = Path(__file__).resolve().parents[2]


def edited(home: Path, *edits: tuple[str, str, str]) -> Path:
    """Make a home with the shipped files; an edit is a file, a text in it, and another for it."""
    for folder in ("config", "mappings"):
        shutil.copytree(ROOT / folder, home / folder, dirs_exist_ok=True)
    for file, old, new in edits:
        text = (home / file).read_text()
        assert old in text, f"{file} has no {old!r}"
        (home / file).write_text(text.replace(old, new, 1))
    return home


def proof_of_edits(home: Path, *edits: tuple[str, str, str]) -> ProvedHome:
    return proved(edited(home, *edits), placeholder_accounts())
