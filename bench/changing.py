"""The effect of a changed value table, from a small ledger and from a large one, before it counts.

A tag of every ticket reads as another word at the left account from now on, so that each of them is
to be written at the right: no larger effect is possible. Each ledger is looked through in a process
of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.estate import Estate, make_home
from bench.figures import figure
from bench.reconciling import peak
from bridge.home import shipped_folder
from bridge.operations.mapping_effect import effect_of

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


def apart(*arguments: str) -> dict:
    """Run one step in a process of its own."""
    command = [sys.executable, "-m", "bench.changing", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def run(small: int = 10_000, large: int = 100_000, rounds: int = 3) -> dict:
    """Look through both in turns: the time for the large one, and how much more memory it takes."""
    with tempfile.TemporaryDirectory() as name:
        homes = {size: Path(name) / str(size) for size in (small, large)}
        for size, home in homes.items():
            apart("prepare", str(home), str(size))
        turns = [[apart("looked", str(home)) for home in homes.values()] for _ in range(rounds)]
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
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["prepare", "looked"])
    parser.add_argument("rest", nargs="*")
    chosen = parser.parse_args()
    if chosen.what == "prepare":
        sys.stdout.write(json.dumps(prepare(Path(chosen.rest[0]), int(chosen.rest[1]))))
    else:
        sys.stdout.write(json.dumps(looked(Path(chosen.rest[0]))))
