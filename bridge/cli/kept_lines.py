"""What an undo takes back and what it leaves as it is, in lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bridge.cli.screen import say
from bridge.core.model.counting import counted_each
from bridge.operations.mapping_rollback import KeptField
from bridge.operations.times import when

MAX_SHOWN: Final = 50
"""Records or fields that are listed for people; `--json` has all."""


def print_foretold(back: Mapping[str, int], records: int, lines: Sequence[str]) -> None:
    """Say of how many of each entity something will be taken back, and name what will be left."""
    say(f"{counted_each(back, none='0 tickets')} will be taken back, {_left(records)}")
    _print(lines)


def print_taken_back(back: Mapping[str, int], records: int, lines: Sequence[str]) -> None:
    """Say of how many of each entity something was taken back, and name what was left."""
    say(f"{counted_each(back, none='0 tickets')} taken back, {_left(records)}")
    _print(lines)


def _left(records: int) -> str:
    return f"{records} left as {'it is' if records == 1 else 'they are'}"


def _print(lines: Sequence[str]) -> None:
    for line in lines[:MAX_SHOWN]:
        say(f"  {line}")
    if len(lines) > MAX_SHOWN:
        say(f"  and {len(lines) - MAX_SHOWN} more: --json lists them all")


def kept_line(kept: KeptField) -> str:
    """Return a field that is left, with why and by whom it was set last."""
    if not kept.field:
        return f"{kept.ref}  {kept.why}"
    at = f", {when(kept.at)}" if kept.at is not None else ""
    last = f" (set last at {kept.by}{at})" if kept.by else ""
    return f"{kept.ref}  {kept.field}: {kept.why}{last}"
