"""`make hostile`: try all ways, and put what was measured into docs/reliability.md."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path

from tests.hostile.kit import HostileKit
from tests.hostile.outcome import Arrivals, Outcome
from tests.hostile.setting import PAIRS
from tests.hostile.ways import WAYS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
PART = re.compile(r"(<!-- measured: hostile -->\n)(.*?)(<!-- end -->)", re.DOTALL)
ROW = re.compile(r"^\| ([a-z]+: .*?) \| (?:switch|posthog) \|", re.MULTILINE)


def lines(outcome: Outcome) -> list[str]:
    """Return the table of what was measured one vendor at a time, and what else is said of it."""
    arrivals = (
        f"{len(outcome.met)} ways, one hostile vendor at a time. While all is well an edit reaches "
        f"the healthy neighbour in {_said(outcome.baseline)}. Beside a hostile vendor the largest "
        f"median is {max(each.neighbours.median for each in outcome.met):.2f} s, the slowest edit "
        f"of all took {max(each.neighbours.worst for each in outcome.met):.2f} s."
    )
    return [
        arrivals,
        _rest(outcome),
        "",
        (
            "| the vendor's answer | system | calls | neighbours' edits | median | slowest "
            "| resumed after |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {each.way} | {each.system} | {each.calls} | {each.neighbours.edits} "
            f"| {each.neighbours.median:.2f} s | {each.neighbours.worst:.2f} s "
            f"| {each.resumed:.1f} s |"
            for each in sorted(outcome.met, key=lambda met: list(WAYS).index(met.way))
        ),
    ]


def crowd_lines(outcome: Outcome) -> list[str]:
    """Return what was measured with many hostile vendors at a time."""
    rounds = list({id(each.neighbours): each.neighbours for each in outcome.met}.values())
    said = "; ".join(f"{each.median:.2f} ({each.worst:.2f})" for each in rounds)
    return [
        (
            f"{PAIRS} at a time: median of the neighbours' edits in each round, in brackets the "
            f"slowest: {said} s. With just as many edits while all vendors are well: "
            f"{_said(outcome.busy)}. {_rest(outcome)}"
        ),
    ]


def _said(arrivals: Arrivals) -> str:
    return f"{arrivals.median:.2f} s (median of {arrivals.edits}; {arrivals.worst:.2f} s at worst)"


def _rest(outcome: Outcome) -> str:
    memory = "; ".join(
        f"{name} {before >> 20} → {after >> 20}"
        for name, (before, after) in sorted(outcome.memory.items())
    )
    return (
        f"Memory in MB, before and after: {memory}. Calls to another host: "
        f"{len(outcome.led_astray)}; secrets found: {len(outcome.leaks)}; parked runs: "
        f"{len(outcome.parked_runs)}; ways tried again: {len(outcome.tried_again)}."
    )


def named() -> list[str]:
    """Return the ways that the document names, in its order."""
    part = PART.search(DOCUMENT.read_text(encoding="utf-8"))
    return ROW.findall(part[2]) if part else []


def main() -> int:
    """Measure, print and write."""
    day, cores = time.strftime("%Y-%m-%d"), os.cpu_count()
    outcome, crowd = _measured(at_once=1), _measured(at_once=PAIRS)
    load = f"load {os.getloadavg()[2]:.0f} of this and other work"
    shown = "\n".join(
        [f"Measured on {day}, {cores} cores, {load}.", *lines(outcome), "", *crowd_lines(crowd), ""]
    )
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(PART.sub(lambda part: part[1] + shown + part[3], text), encoding="utf-8")
    _say(shown)
    return 0


def _measured(at_once: int) -> Outcome:
    with (
        tempfile.TemporaryDirectory(prefix="bridge-hostile-") as folder,
        HostileKit(Path(folder), _say) as kit,
    ):
        return kit.run(at_once=at_once)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
