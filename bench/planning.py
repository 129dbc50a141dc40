"""`bridge plan` from a small ledger and from a large one, each in a process of its own."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from sqlalchemy import delete, func

from bench.apart import apart, main, peak
from bench.estate import Estate, make_home
from bench.figures import figure
from bridge.ledger import tables
from bridge.preview import dry_run

HERE = "bench.planning"
MOST_GROWTH = 50.0
BEHIND = 100
"""About so many records one side lacks, and they are to be made there: in every ledger as many."""


def prepare(folder: Path, links: int) -> dict:
    """Fill a ledger, and have one side lack a few of its records."""
    nowhere = "http://127.0.0.1:9"
    make_home(folder, nowhere, nowhere)
    estate = Estate(folder)
    began = time.perf_counter()
    estate.populate(links)
    side = tables.side.c
    every = max(1, links // BEHIND)
    with estate.ledger.transaction() as tx:
        lacking = (side.connection == "right", func.mod(side.id // 2, every) == 0)
        tx.execute(delete(tables.side).where(*lacking))
    return {"seconds": time.perf_counter() - began}


def planned(folder: Path) -> dict:
    """Plan from what the ledger knows."""
    estate = Estate(folder)
    before, began, cpu = peak(), time.perf_counter(), time.process_time()
    plan = dry_run.preview(
        estate.context, estate.ledger, estate.connectors, ["tickets"], live=False
    )
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "before_mb": before,
        "peak_mb": peak(),
        "known": plan.known,
        "writes": len(plan.writes),
    }


def run(small: int = 10_000, large: int = 100_000, rounds: int = 3) -> dict:
    """Plan from both in turns: what a link costs, and how much memory a larger ledger takes."""
    with tempfile.TemporaryDirectory() as name:
        homes = {size: Path(name) / str(size) for size in (small, large)}
        for size, home in homes.items():
            apart(HERE, "prepare", home, size)
        turns = [[apart(HERE, "planned", home) for home in homes.values()] for _ in range(rounds)]
    growth = [big["peak_mb"] - little["peak_mb"] for little, big in turns]
    more = (large - small) / 1e6
    costs = [(big["cpu"] - little["cpu"]) / more for little, big in turns]
    return {
        "name": "a plan from the ledger",
        "turns": turns,
        "figures": [
            figure("plan: growth of peak memory", growth, unit="MB", limit=MOST_GROWTH),
            figure("plan: CPU of a link that needs nothing", costs, unit="us"),
        ],
    }


if __name__ == "__main__":
    main(
        {
            "prepare": lambda home, count: prepare(Path(home), int(count)),
            "planned": lambda home: planned(Path(home)),
        }
    )
