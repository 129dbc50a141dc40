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
    changing,
    checking,
    counting,
    creating,
    growing,
    intake,
    living,
    mirroring,
    planning,
    reconciling,
    remembering,
    scaling,
    translating,
)
from bench.figures import within
from bench.table import before, keep, shown, table, today

PARTS: Mapping[str, tuple[Callable[[], dict], Callable[[], dict]]] = {
    "baseline": (mirroring.run, lambda: mirroring.run(300, 150, 1)),
    "intake": (intake.run, lambda: intake.run(600, 1)),
    "translating": (translating.run, lambda: translating.run(2000, 3)),
    "checking": (checking.run, lambda: checking.run(3)),
    "counting": (counting.run, lambda: counting.run(300, 1)),
    "arriving": (arriving.run, lambda: arriving.run(5.0, 1)),
    "scaling": (scaling.run, lambda: scaling.run(600, 1)),
    "growing": (growing.run, lambda: growing.run((1000, 20_000), 100, 2)),
    "remembering": (remembering.run, lambda: remembering.run(20_000, 1000)),
    "creating": (creating.run, lambda: creating.run(1000, 500, 1)),
    "reconciling": (reconciling.run, lambda: reconciling.run(1000, 10_000)),
    "planning": (planning.run, lambda: planning.run(1000, 10_000, 1)),
    "changing": (changing.run, lambda: changing.run(1000, 10_000, 1)),
    "living": (living.run, lambda: living.run(2000, 50, 2)),
}
"""Each part as it is, and small."""


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
        "--keep",
        action="store_true",
        help="and each part into bench/history, for docs/performance.md and the next days",
    )
    chosen = parser.parse_args()
    if unknown := set(chosen.what) - PARTS.keys():
        parser.error(f"there is no {', '.join(unknown)}; any of: {', '.join(PARTS)}")
    if chosen.small and chosen.keep:
        parser.error("figures of --small say less: they are not kept")
    found, failed = [], False
    for name in PARTS:
        if name in chosen.what:
            part = measured(name, small=chosen.small)
            failed |= part is None
            found += [part] if part else []
            if part and chosen.keep:
                sys.stderr.write(f"  kept: {keep(part['figures'], machine())}\n")
    figures = [figure for part in found for figure in part["figures"]]
    day = today()
    sys.stdout.write(table(figures, day, before(day)))
    told = {"at": datetime.now(UTC).isoformat(), "machine": machine(), "benchmarks": found}
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(told, indent=1))
    sys.stdout.write(f"figures: {chosen.json}\n")
    return int(failed or any(not within(each["value"], each["limit"]) for each in figures))


def measured(name: str, *, small: bool) -> dict[str, Any] | None:
    """Run one part, and show its figures as soon as they are there; None: it failed."""
    sys.stderr.write(f"{name} ...\n")
    began = time.monotonic()
    try:
        part = PARTS[name][small]()
    except SystemExit as error:
        sys.stderr.write(f"  failed: {error}\n")
        return None
    seconds = time.monotonic() - began
    for figure in part["figures"]:
        sys.stderr.write(f"  {figure['what']:<60} {shown(figure['value'], figure['unit'])}\n")
    sys.stderr.write(f"  ({seconds:.0f} s)\n")
    return part | {"seconds": seconds}


def machine() -> dict[str, Any]:
    """Say where it was measured, and how busy that was."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": [round(each, 2) for each in os.getloadavg()],
    }


if __name__ == "__main__":
    sys.exit(main())
