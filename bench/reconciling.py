"""Reconciliation of an unchanged account against a bare loop, each in a process of its own."""

from __future__ import annotations

import json
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import requests

from bench.apart import apart, main, peak
from bench.estate import Estate, make_home, vendor
from bench.figures import figure
from bridge.ledger import run_records
from bridge.runs import reconcile

HERE = "bench.reconciling"
MOST_RATIO, MOST_FIRST = 1.3, 4.0
MOST_GROWTH = 50.0


def bare(url: str, folder: Path) -> dict:
    """List every page by `requests` and store the rows in one table."""
    database = sqlite3.connect(folder / "bare.db")
    database.execute("pragma journal_mode=wal")
    database.execute("create table ticket (id text primary key, row text)")
    session, cursor, seen, pages = requests.Session(), None, 0, 0
    session.trust_env = False
    began, cpu = time.perf_counter(), time.process_time()
    while True:
        params = {"order_by": "created_at", "order_dir": "asc", "limit": 100} | (
            {"cursor": cursor} if cursor else {}
        )
        answer = session.get(url + "/tickets", params=params, timeout=10).json()
        rows = [(row["id"], json.dumps(row)) for row in answer["data"]]
        database.executemany("insert or replace into ticket values (?, ?)", rows)
        database.commit()
        seen, pages, cursor = seen + len(rows), pages + 1, answer["meta"]["next_cursor"]
        if not cursor:
            return {
                "seconds": time.perf_counter() - began,
                "cpu": time.process_time() - cpu,
                "seen": seen,
                "pages": pages,
                "peak_mb": peak(),
            }


def prepare(folder: Path, tickets: int) -> dict:
    """Fill a ledger."""
    began = time.perf_counter()
    Estate(folder).populate(tickets)
    return {"seconds": time.perf_counter() - began}


def reconciled(folder: Path) -> dict:
    """Run one full reconciliation of the left account."""
    estate = Estate(folder)
    began, cpu = time.perf_counter(), time.process_time()
    with estate.ledger.transaction() as tx:
        run_id = reconcile.start(tx, "left", "ticket", "full", estate.clock.now())
    estate.work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    with estate.ledger.read() as tx:
        run = run_records.get(tx, run_id)
    figures = {"pages": run.figures.get("pages"), "hinted": run.hinted, "error": run.error}
    return {"seconds": seconds, "cpu": cpu, "seen": run.seen, "peak_mb": peak(), **figures}


def measure(tickets: int, *, rounds: int = 3) -> dict:
    """Measure the first run, which compares everything, and a later one, beside the bare loop."""
    turns = []
    with vendor(tickets) as url:
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                make_home(folder / "home", url, url)
                apart(HERE, "prepare", folder / "home", tickets)
                first = apart(HERE, "reconciled", folder / "home")
                loop = apart(HERE, "bare", url, name)
                turns.append((loop, first, apart(HERE, "reconciled", folder / "home")))
    ratios = sorted(later["seconds"] / loop["seconds"] for loop, _first, later in turns)
    firsts = sorted(first["seconds"] / loop["seconds"] for loop, first, _later in turns)
    of_cpu = [
        (later["cpu"] / loop["cpu"], first["cpu"] / loop["cpu"]) for loop, first, later in turns
    ]
    loop, first, later = turns[-1]
    return {
        "tickets": tickets,
        "bare": loop,
        "first": first,
        "unchanged": later,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "first_ratios": firsts,
        "cpu_ratios": [later for later, _first in of_cpu],
        "first_cpu_ratios": [first for _later, first in of_cpu],
        "turns": turns,
    }


def run(small: int = 10_000, large: int = 100_000, rounds: int = 3) -> dict:
    """Measure a small and a large account: the ratio of the large one, the growth of memory."""
    little, big = measure(small, rounds=1), measure(large, rounds=rounds)
    growth = big["unchanged"]["peak_mb"] - little["unchanged"]["peak_mb"]
    first = big["first"]["peak_mb"] - little["first"]["peak_mb"]
    loop = "bare loop into SQLite"
    return {
        "name": "reconciliation of an unchanged account",
        "small": little,
        "large": big,
        "figures": [
            figure("full run, nothing changed", big["ratios"], peer=loop, limit=MOST_RATIO),
            figure("full run, the very first", big["first_ratios"], peer=loop, limit=MOST_FIRST),
            figure("full run, nothing changed: CPU", big["cpu_ratios"], peer=loop),
            figure("full run, the very first: CPU", big["first_cpu_ratios"], peer=loop),
            figure("full run: growth of peak memory", growth, unit="MB", limit=MOST_GROWTH),
            figure("the very first: growth of peak memory", first, unit="MB", limit=MOST_GROWTH),
        ],
    }


if __name__ == "__main__":
    main(
        {
            "prepare": lambda home, count: prepare(Path(home), int(count)),
            "bare": lambda url, folder: bare(url, Path(folder)),
            "reconciled": lambda home: reconciled(Path(home)),
        }
    )
