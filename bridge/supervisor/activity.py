"""What was mirrored, as it happens: one line a write, readable, coloured on a terminal; the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from bridge.core.model.state import Link
from bridge.ledger import links, timeline
from bridge.ledger.database import Ledger
from bridge.ledger.timeline import TimelineEntry
from bridge.operations.times import clock

STYLES: Final = {
    "wrote": "green",
    "created": "bold green",
    "matched": "cyan",
    "linked": "cyan",
    "deleted": "magenta",
    "conflict": "yellow",
    "uncertain": "yellow",
    "waiting": "yellow",
    "reverted": "yellow",
    "ignored": "yellow",
    "ambiguous": "yellow",
    "unknown outcome": "yellow",
    "unsafe": "bold red",
    "refused": "red",
    "fused": "bold red",
}
"""The kinds of line that the stream shows; `bridge ticket` has them all."""
OVERLAP: Final = 200
"""Lines looked at again: on PostgreSQL a line can become visible after one with a higher number."""
_LONGEST: Final = 48


@dataclass(slots=True)
class Stream:
    """Follows the timelines of all tickets."""

    ledger: Ledger
    last: int = 0
    seen: set[int] = field(default_factory=set)

    def start_now(self) -> None:
        """Leave out what has happened so far."""
        with self.ledger.read() as tx:
            self.last = timeline.newest(tx)
            self.seen = {line.id for line in timeline.after(tx, max(0, self.last - OVERLAP))}

    def fresh(self) -> Iterator[dict[str, Any]]:
        """Give what happened since the last call, as rows for programs."""
        while True:
            with self.ledger.read() as tx:
                found = timeline.after(tx, max(0, self.last - OVERLAP), limit=500 + OVERLAP)
                lines = [line for line in found if line.id not in self.seen]
                known = links.load(
                    tx, sorted({line.link_id for line in lines if line.kind in STYLES})
                )
            if not lines:
                return
            self.last = max(self.last, *(line.id for line in lines))
            self.seen = {line for line in self.seen if line > self.last - OVERLAP} | {
                line.id for line in lines
            }
            for line in lines:
                if line.kind in STYLES:
                    yield row(line, known.get(line.link_id))


def row(line: TimelineEntry, link: Link | None) -> dict[str, Any]:
    """Give one line as a row: where, what, and for a write where the value came from."""
    side = link.sides.get(line.connection) if link else None
    given: dict[str, Any] = {
        "at": line.at.isoformat(),
        "kind": line.kind,
        "connection": line.connection,
        "id": side.remote_id if side else str(line.detail.get("ref", "")).partition(":")[2],
        "ticket": line.link_id,
        "fields": dict(line.detail.get("sent") or {}),
    }
    if link is not None and given["fields"]:
        given["by"] = sorted(
            {link.state[name].set_by for name in given["fields"] if name in link.state} - {""}
        )
    if line.field and not given["fields"]:
        given["field"] = line.field
    for name in ("why", "winner", "mine", "theirs"):
        if name in line.detail:
            given[name] = line.detail[name]
    return given


def text(given: dict[str, Any]) -> Text:
    """Give a row as a line for people."""
    line = Text(f"{clock(given['at'])}  ", style="dim")
    line.append(f"{given['kind']:<12}", STYLES[given["kind"]])
    by = [name for name in given.get("by", ()) if name != given["connection"]]
    if by:
        line.append(f"{', '.join(by)} → ", "dim")
    line.append(f"{given['connection']}:{short(given['id'])}", "bold")
    for name, value in given["fields"].items():
        line.append(f"  {name} ", "dim")
        line.append(shown(value))
    if "field" in given:
        line.append(f"  {given['field']}", "dim")
    if "mine" in given and "theirs" in given:
        mine, theirs = given["mine"], given["theirs"]
        line.append(
            f"  {mine.get('by')} {shown(mine.get('value'))} / {theirs.get('by')} {shown(theirs.get('value'))}"
        )
        line.append(f"  {given.get('winner') or 'nobody'} wins", "yellow")
    elif given.get("why"):
        line.append(f"  {given['why']}", "dim")
    return line


def shown(value: Any) -> str:
    """Give a value short enough for a line, with nothing in it that a terminal would obey."""
    if value is None:
        return "—"
    if isinstance(value, list | tuple):
        value = ", ".join(str(one) for one in value) or "(none)"
    if isinstance(value, dict):
        value = value.get("email") or value.get("id") or json.dumps(value, ensure_ascii=False)
    plain = "".join(char if char.isprintable() else "·" for char in str(value))
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"


def short(remote_id: str) -> str:
    """Give enough of an identifier to tell records apart on a screen."""
    return remote_id if len(remote_id) <= 13 else remote_id[:8] + "…"


def show(console: Console, given: dict[str, Any], *, as_json: bool) -> None:
    """Print one row."""
    if as_json:
        console.file.write(json.dumps(given, ensure_ascii=False) + "\n")
        console.file.flush()
    else:
        console.print(text(given), soft_wrap=True, highlight=False)
