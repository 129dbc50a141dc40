"""`make hostile`: try all ways, and put what was measured into docs/reliability.md."""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

from tests.hostile.kit import HostileKit, Outcome
from tests.hostile.ways import WAYS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
PART = re.compile(r"(<!-- measured: hostile -->\n)(.*?)(<!-- end -->)", re.DOTALL)
ROW = re.compile(r"^\| ([a-z]+: .*?) \| (?:switch|posthog) \|", re.MULTILINE)


def lines(outcome: Outcome) -> list[str]:
    """Return the table, and what else was measured."""
    slowest = max(each.neighbours for each in outcome.met)
    memory = "; ".join(
        f"{name} {before >> 20} → {after >> 20}"
        for name, (before, after) in sorted(outcome.memory.items())
    )
    arrivals = (
        f"{len(outcome.met)} ways. While all is well an edit reaches the healthy neighbour in "
        f"{outcome.baseline:.2f} s (median; {outcome.baseline_worst:.2f} s at most); the slowest "
        f"beside hostile vendors took {slowest:.2f} s."
    )
    rest = (
        f"Memory in MB, before and after: {memory}. Calls to another host: "
        f"{len(outcome.led_astray)}; secrets found: {len(outcome.leaks)}; parked runs: "
        f"{len(outcome.parked_runs)}; ways tried again: {len(outcome.tried_again)}."
    )
    return [
        arrivals,
        rest,
        "",
        "| the vendor's answer | system | calls | slowest edit of a neighbour | resumed after |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {each.way} | {each.system} | {each.calls} | {each.neighbours:.2f} s "
            f"| {each.resumed:.1f} s |"
            for each in sorted(outcome.met, key=lambda met: list(WAYS).index(met.way))
        ),
    ]


def named() -> list[str]:
    """Return the ways that the document names, in its order."""
    part = PART.search(DOCUMENT.read_text(encoding="utf-8"))
    return ROW.findall(part[2]) if part else []


def main() -> int:
    """Measure, print and write."""
    day = time.strftime("%Y-%m-%d")
    with (
        tempfile.TemporaryDirectory(prefix="bridge-hostile-") as folder,
        HostileKit(Path(folder), _say) as kit,
    ):
        outcome = kit.run()
    shown = "\n".join([f"Measured on {day}.", *lines(outcome), ""])
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(PART.sub(lambda part: part[1] + shown + part[3], text), encoding="utf-8")
    _say(shown)
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
