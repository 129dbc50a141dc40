"""The effect of a changed value table, from a small ledger and from a large one, before it counts.

A tag of every ticket reads as another word at the left account from now on, so that each of them is
to be written at the right: no larger effect is possible. Each ledger is looked through in a process
of its own.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.apart import apart, main, peak
from bench.estate import Estate, make_home
from bench.figures import figure
from bridge.home import shipped_folder
from bridge.operations.mapping_effect import effect_of

HERE = "bench.changing"
MOST_SECONDS, MOST_GROWTH = 60.0, 50.0
TAGS_BEFORE = "tags: {path: tags, as: tags}"
TAGS_NOW = "tags: {path: tags, as: {tags: {table: {billing: invoices}}}}"
NOWHERE = "http://127.0.0.1:9"


def prepare(folder: Path, links: int) -> dict:
    """Fill a ledger, and lay the changed files beside it."""
    for name in ("old", "new"):
        make_home(folder / name, NOWHERE, NOWHERE)
        table = (shipped_folder("mappings") / "switch.yaml").read_text()
        if name == "new":
            table = table.replace(TAGS_BEFORE, TAGS_NOW)
        (folder / name / "mappings" / "left.yaml").write_text(table.partition("  examples:")[0])
        settings = folder / name / "config" / "bridge.yaml"
        settings.write_text(settings.read_text().replace("left: {", "left: {mapping: left, "))
    began = time.perf_counter()
    Estate(folder / "old").populate(links)
    return {"seconds": time.perf_counter() - began}


def looked(folder: Path) -> dict:
    """Look through it."""
    estate, other = Estate(folder / "old"), Estate(folder / "new")
    before, began, cpu = peak(), time.perf_counter(), time.process_time()
    found = effect_of(estate.ledger, estate.context, other.context)
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "before_mb": before,
        "peak_mb": peak(),
        "looked_at": found.looked_at,
        "tickets": found.tickets,
        "writes": sum(found.writes.values()),
    }


def run(small: int = 10_000, large: int = 100_000, rounds: int = 3) -> dict:
    """Look through both in turns: the time for the large one, and how much more memory it takes."""
    with tempfile.TemporaryDirectory() as name:
        homes = {size: Path(name) / str(size) for size in (small, large)}
        for size, home in homes.items():
            apart(HERE, "prepare", home, size)
        turns = [[apart(HERE, "looked", home) for home in homes.values()] for _ in range(rounds)]
    growth = [big["peak_mb"] - little["peak_mb"] for little, big in turns]
    seconds = [big["cpu"] * 100_000 / large for _little, big in turns]
    return {
        "name": "the effect of a changed table",
        "turns": turns,
        "figures": [
            figure("effect: CPU over 100,000 links", seconds, unit="s", limit=MOST_SECONDS),
            figure("effect: growth of peak memory", growth, unit="MB", limit=MOST_GROWTH),
        ],
    }


if __name__ == "__main__":
    main(
        {
            "prepare": lambda home, count: prepare(Path(home), int(count)),
            "looked": lambda home: looked(Path(home)),
        }
    )
