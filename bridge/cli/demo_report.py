"""The table at the end of `bridge demo`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

PROMISES: Final = (
    "converged",
    "duplicates",
    "lost_edits",
    "echo_writes",
    "forbidden_calls",
    "undocumented_calls",
    "conflicts_open",
)
COUNTS: Final = ("tickets", "edits_applied", "conflicting_edits", "writes", "seconds", "seed")
TITLES: Final = {"echo_writes": "needless writes"}
"""What a figure is called where its name says too little; other names are their own titles."""
MAX_DETAILS: Final = 5
"""Cases shown of each kind; `--json` has them all."""


def print_report(console: Console, report: Mapping[str, Any], *, ok: bool) -> None:
    """Print the figures for people."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name in PROMISES:
        style = _style(name, report[name])
        table.add_row(_title(name), Text(str(report[name]), style))
    for name in COUNTS:
        table.add_row(_title(name), str(report[name]))
    for title, name in (("latency", "latency_ms"), ("of what is polled", "latency_polled_ms")):
        p50, p95 = report[name]["p50"], report[name]["p95"]
        table.add_row(title, "none" if p50 is None else f"p50 {p50} ms, p95 {p95} ms")
    for kind, count in report["faults"].items():
        table.add_row(f"fault {kind}", str(count))
    for name, counts in report["systems"].items():
        table.add_row(name, "  ".join(f"{kind} {count}" for kind, count in counts.items()))
    console.print(table)
    if report.get("deployment"):
        console.print(f"--deployment {report['deployment']}", soft_wrap=True, markup=False)
    for kind, cases in report["details"].items():
        for case in cases[:MAX_DETAILS]:
            console.print(f"{_title(kind)}: {case}", style="dim")
    good, bad = (
        Text("all sides agree", "bold green"),
        Text("not converged, or a promise is broken", "bold red"),
    )
    console.print(good if ok else bad)


def _title(name: str) -> str:
    return TITLES.get(name, name.replace("_", " "))


def _style(name: str, value: bool | int) -> str:
    kept = value is True if name == "converged" else not value
    if kept:
        return "green"
    # A conflict that waits for a human is no fault of the bridge.
    return "yellow" if name == "conflicts_open" else "bold red"
