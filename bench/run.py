"""Runs the benchmarks one after the other, prints a table, and writes JSON. See bench/README.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import creating, living, mirroring, reconciling

ALL = ("reconciling", "creating", "living", "baseline")


def main() -> int:
    """Run what was chosen; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=ALL, help=f"any of: {', '.join(ALL)}")
    parser.add_argument(
        "--small", action="store_true", help="a tenth of the size: quicker, and says less"
    )
    parser.add_argument(
        "--json", type=Path, default=Path("var") / "bench.json", help="where the figures go"
    )
    chosen = parser.parse_args()
    small = chosen.small
    parts = {
        "reconciling": lambda: reconciling.run(1000, 10_000) if small else reconciling.run(),
        "creating": lambda: creating.run(1000 if small else 10_000),
        "living": lambda: living.run(2000, 50, 2) if small else living.run(),
        "baseline": lambda: mirroring.run(300, 150, 1) if small else mirroring.run(),
    }
    found, missed = [], 0
    for name in ALL:
        if name in chosen.what:
            sys.stderr.write(f"{name} ...\n")
            found.append(parts[name]())
            missed += tell(found[-1])
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
    }
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    told = {"at": datetime.now(UTC).isoformat(), "machine": machine, "benchmarks": found}
    chosen.json.write_text(json.dumps(told, indent=1))
    sys.stdout.write(f"figures: {chosen.json}\n")
    return int(missed > 0)


def tell(part: dict[str, Any]) -> int:
    """Print the figures of one benchmark; gives how many miss their limit."""
    sys.stdout.write(f"{part['name']}\n")
    missed = 0
    for figure in part["figures"]:
        good = within(figure["value"], figure["limit"])
        missed += not good
        verdict = "ok" if good else "MISSED"
        said = "-" if figure["limit"] is None else f"{verdict} (limit {abs(figure['limit']):g})"
        sys.stdout.write(
            f"  {figure['what']:<50} {figure['value']:>9.2f} {figure['unit']:<3} {said}\n"
        )
    sys.stdout.flush()
    return missed


def within(value: float, limit: float | None) -> bool:
    """Compare with a limit: a positive one is the most allowed, a negative one the least."""
    if limit is None:
        return True
    return value <= limit if limit > 0 else value >= -limit


if __name__ == "__main__":
    sys.exit(main())
