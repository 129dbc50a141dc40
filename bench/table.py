"""The table of figures beside those of an earlier day, and what is kept of a day."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import within

HISTORY = Path(__file__).parent / "history"
"""A file for each day that was kept, by its date."""
KEPT = ("what", "peer", "value", "unit", "limit")
"""What is kept of a figure."""

Figure = Mapping[str, Any]


def days() -> list[str]:
    """Give the days that were kept, the newest last."""
    return sorted(file.stem for file in HISTORY.glob("*.json"))


def kept(day: str) -> dict[str, Any]:
    """Give what was kept of a day: the machine, and the figures."""
    found: dict[str, Any] = json.loads((HISTORY / f"{day}.json").read_text())
    return found


def before(day: str) -> tuple[str, list[Figure]]:
    """Give the newest day before another that was kept, and its figures."""
    earlier = [each for each in days() if each < day]
    return (earlier[-1], kept(earlier[-1])["figures"]) if earlier else ("before", [])


def today() -> str:
    """Give the day, as its file is named."""
    return str(datetime.now(UTC).date())


def keep(figures: Sequence[Figure], machine: Mapping[str, Any]) -> Path:
    """Keep today's figures; those of a part that was not measured again stay."""
    file = HISTORY / f"{today()}.json"
    those = {each["what"]: each for each in (kept(today())["figures"] if file.exists() else [])}
    for each in figures:
        those[each["what"]] = {name: each.get(name) for name in KEPT} | {
            "value": float(f"{each['value']:.4g}")
        }
    lines = ",\n".join(f"  {json.dumps(each)}" for each in those.values())
    told = json.dumps(dict(machine))
    file.write_text(f'{{\n "machine": {told},\n "figures": [\n{lines}\n ]\n}}\n')
    return file


def table(figures: Sequence[Figure], day: str, earlier: tuple[str, Sequence[Figure]]) -> str:
    """Give the table of a day in Markdown, with an earlier day beside it."""
    name, old = earlier
    known = {each["what"]: each["value"] for each in old}
    head = ("figure", "1 means", name, day, "target", "")
    rows = [head, *(_row(each, known.get(each["what"])) for each in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(_lines(rows, widths)) + "\n"


def _row(each: Figure, old: float | None) -> tuple[str, ...]:
    limit, unit = each.get("limit"), each["unit"]
    verdict = "" if limit is None else "met" if within(each["value"], limit) else "MISSED"
    value, peer = shown(each["value"], unit), each.get("peer") or ""
    return each["what"], peer, shown(old, unit), value, target(limit, unit), verdict


def _lines(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    for number, row in enumerate(rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"| {' | '.join(cells)} |"
        if not number:
            yield f"| {' | '.join('-' * width for width in widths)} |"


def target(limit: float | None, unit: str) -> str:
    """Say what is wanted."""
    if limit is None:
        return ""
    return f"{'≥' if limit < 0 else '≤'} {shown(abs(limit), unit)}"


def shown(value: float | None, unit: str) -> str:
    """Write a value with three digits that say something."""
    if value is None:
        return ""
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    if unit in {"", "x"}:
        return digits
    return digits + unit if unit.startswith("/") else f"{digits} {unit}"
