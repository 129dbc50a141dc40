"""Runs the benchmarks one after the other, prints a table, and writes JSON. See bench/README.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import (
    arriving,
    counting,
    creating,
    growing,
    intake,
    living,
    mirroring,
    reconciling,
    remembering,
    scaling,
)
from bench.figures import within

HISTORY = Path(__file__).parent / "history"
PARTS: Mapping[str, tuple[Callable[[], dict], Callable[[], dict]]] = {
    "baseline": (mirroring.run, lambda: mirroring.run(300, 150, 1)),
    "intake": (intake.run, lambda: intake.run(600, 1)),
    "counting": (counting.run, lambda: counting.run(300, 1)),
    "arriving": (arriving.run, lambda: arriving.run(5.0, 1)),
    "scaling": (scaling.run, lambda: scaling.run(600, 1)),
    "growing": (growing.run, lambda: growing.run((1000, 20_000), 100, 2)),
    "remembering": (remembering.run, lambda: remembering.run(20_000, 1000)),
    "creating": (creating.run, lambda: creating.run(1000, 500, 1)),
    "reconciling": (reconciling.run, lambda: reconciling.run(1000, 10_000)),
    "living": (living.run, lambda: living.run(2000, 50, 2)),
}
"""Each part as it is, and small."""
HEAD = ("figure", "1 means", "before", "now", "target", "")


def main() -> int:
    """Run what was chosen; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=[*PARTS], help=f"any of: {', '.join(PARTS)}")
    parser.add_argument(
        "--small", action="store_true", help="a tenth of the size: quicker, and says less"
    )
    parser.add_argument(
        "--json", type=Path, default=Path("var") / "bench.json", help="where the figures go"
    )
    parser.add_argument(
        "--keep", action="store_true", help="and into bench/history, for the next days to compare"
    )
    chosen = parser.parse_args()
    if unknown := set(chosen.what) - PARTS.keys():
        parser.error(f"there is no {', '.join(unknown)}; any of: {', '.join(PARTS)}")
    found = [measured(name, small=chosen.small) for name in PARTS if name in chosen.what]
    figures = [figure for part in found for figure in part["figures"]]
    tell(figures, kept())
    told = {"at": datetime.now(UTC).isoformat(), "machine": machine(), "benchmarks": found}
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(told, indent=1))
    sys.stdout.write(f"figures: {chosen.json}\n")
    if chosen.keep:
        sys.stdout.write(f"kept: {keep(figures)}\n")
    return int(any(not within(each["value"], each["limit"]) for each in figures))


def measured(name: str, *, small: bool) -> dict[str, Any]:
    """Run one part; its figures are shown as soon as they are there, too."""
    sys.stderr.write(f"{name} ...\n")
    began = time.monotonic()
    part = PARTS[name][small]()
    for figure in part["figures"]:
        sys.stderr.write(f"  {figure['what']:<60} {shown(figure['value'], figure['unit'])}\n")
    sys.stderr.write(f"  ({time.monotonic() - began:.0f} s)\n")
    return part | {"seconds": time.monotonic() - began}


def machine() -> dict[str, Any]:
    """Say where it was measured, and how busy that was."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": [round(each, 2) for each in os.getloadavg()],
    }


def kept() -> dict[str, float]:
    """Give the newest figures that were kept, by what they tell."""
    files = sorted(HISTORY.glob("*.json"))
    return json.loads(files[-1].read_text())["figures"] if files else {}


def keep(figures: list[dict[str, Any]]) -> Path:
    """Put figures into the history; those of the same day that were not measured again stay."""
    file = HISTORY / f"{datetime.now(UTC).date()}.json"
    before = json.loads(file.read_text())["figures"] if file.exists() else {}
    now = {each["what"]: float(f"{each['value']:.4g}") for each in figures}
    told = {"machine": machine(), "figures": before | now}
    file.write_text(json.dumps(told, indent=1) + "\n")
    return file


def tell(figures: list[dict[str, Any]], before: Mapping[str, float]) -> None:
    """Print the table; it is Markdown."""
    rows = [HEAD] + [
        (
            each["what"],
            each.get("peer", ""),
            shown(before.get(each["what"]), each["unit"]),
            shown(each["value"], each["unit"]),
            target(each["limit"], each["unit"]),
            "" if each["limit"] is None else verdict(each),
        )
        for each in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for number, row in enumerate(rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
        if not number:
            sys.stdout.write(f"| {' | '.join('-' * width for width in widths)} |\n")


def verdict(figure: Mapping[str, Any]) -> str:
    """Say whether a figure keeps to its target."""
    return "met" if within(figure["value"], figure["limit"]) else "MISSED"


def target(limit: float | None, unit: str) -> str:
    """Say what is wanted."""
    if limit is None:
        return ""
    return f"{'>=' if limit < 0 else '<='} {shown(abs(limit), unit)}"


def shown(value: float | None, unit: str) -> str:
    """Write a value with three digits that say something."""
    if value is None:
        return ""
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return digits if unit in {"", "x"} else f"{digits} {unit}" if unit[0] != "/" else digits + unit


if __name__ == "__main__":
    sys.exit(main())
