"""Runs seeds, on every core, and makes a failing one smaller."""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.simulate.crash_points import crash_points, not_played
from bridge.simulate.play import Player
from bridge.simulate.quiet import PromiseBroken
from bridge.simulate.script import Script, draw
from bridge.simulate.stage import Stage, load_home
from bridge.simulate.verdicts import PROMISES, SeedVerdict, judge

STORY = 60
"""Lines of a story, at most."""


@dataclass(slots=True)
class SeedResult:
    """What one seed did, and what broke."""

    seed: int
    broken: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    digest: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    covered: Counter[tuple[str, str]] = field(default_factory=Counter)
    days: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every promise held."""
        return not self.broken


def play(script: Script, home: str = "") -> SeedResult:
    """Play a script and judge it."""
    stage = Stage(load_home(home), script)
    player = Player(stage)
    verdict = SeedVerdict()
    try:
        player.play()
        verdict = judge(player)
    except PromiseBroken as broken:
        verdict.broken.append(str(broken))
    except Exception as error:  # noqa: BLE001 - a defect of ours is a failing seed, with its story
        where = traceback.extract_tb(error.__traceback__)[-1]
        verdict.broken.append(
            f"defect: {type(error).__name__}: {error} ({where.filename}:{where.lineno})"
        )
    result = SeedResult(
        script.seed,
        verdict.broken,
        steps=[str(step) for step in script.steps],
        digest=stage.digest(),
    )
    result.counts, result.covered = stage.counts, stage.covered
    for line in stage.lines.values():
        result.struck.update(line.struck)
    result.struck.update(step.kind for step in script.steps if step.fault and step.kind != "fault")
    report = verdict.report
    result.counts.update(
        writes=report.writes, conflicts=report.conflicting_edits, window=report.window_edits
    )
    result.days = (stage.clock.now() - stage.began).total_seconds() / 86400
    if verdict.broken:
        result.story = list(story(stage.trace, verdict.refs))
    return result


def story(trace: Sequence[str], refs: Iterable[str]) -> Iterator[str]:
    """Give the lines that speak of the records concerned, what went wrong, and the last ones of all."""
    wanted = [ref for ref in refs if ref]
    told = [
        line
        for line in trace
        if any(ref in line for ref in wanted) or "DIES" in line or "human" in line
    ]
    yield from told[-STORY:] if told else trace[-STORY:]


def play_seed(seed: int, home: str = "") -> SeedResult:
    """Run one seed."""
    return play(draw(seed, load_home(home).drawn_connections()), home)


def shrink(seed: int, home: str = "", tries: int = 400) -> SeedResult:
    """Leave out steps as long as the seed still fails; gives the smallest failure found."""
    script = draw(seed, load_home(home).drawn_connections())
    best = play(script, home)
    if best.ok:
        return best
    steps, size = list(script.steps), max(1, len(script.steps) // 2)
    while size and tries > 0:
        at, gone = 0, False
        while at < len(steps) and tries > 0:
            fewer = steps[:at] + steps[at + size :]
            tries -= 1
            found = play(replace(script, steps=tuple(fewer)), home)
            if _alike(found, best):
                steps, best, gone = fewer, found, True
            else:
                at += size
        size = size if gone and size == 1 else size // 2
    for name in script.options:
        fewer_options = {**script.options, name: {}}
        found = play(replace(script, options=fewer_options, steps=tuple(steps)), home)
        if _alike(found, best):
            script, best = replace(script, options=fewer_options), found
    return best


def _alike(found: SeedResult, wanted: SeedResult) -> bool:
    return bool(found.broken) and found.broken[0].split(":")[0] == wanted.broken[0].split(":")[0]


@dataclass(slots=True)
class SimulationTotals:
    """All seeds together."""

    seeds: int = 0
    failed: list[SeedResult] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    covered: Counter[tuple[str, str]] = field(default_factory=Counter)
    days: float = 0.0

    def add(self, result: SeedResult) -> None:
        """Take in one seed."""
        self.seeds += 1
        self.counts.update(result.counts)
        self.struck.update(result.struck)
        self.covered.update(result.covered)
        self.days += result.days
        if not result.ok:
            self.failed.append(result)

    def missed(self) -> list[str]:
        """Give the crash points at which nobody died."""
        return [
            f"{place} {position}"
            for place, position in crash_points()
            if not self.covered[place, position]
        ]

    def as_dict(self) -> dict[str, Any]:
        """Give the figures as JSON values."""
        points = len(crash_points())
        return {
            "seeds": self.seeds,
            "failed": [{"seed": one.seed, "broken": one.broken} for one in self.failed],
            "steps": self.counts["steps"],
            "fault_share": round(self.counts["faults"] / max(1, self.counts["steps"]), 3),
            "edits": self.counts["edits"],
            "conflicting_edits": self.counts["conflicts"],
            "window_edits": self.counts["window"],
            "webhooks": self.counts["webhooks"],
            "verdicts": self.counts["verdicts"],
            "writes": self.counts["writes"],
            "faults": dict(sorted(self.struck.items())),
            "crashes": self.counts["crashes"],
            "crash_points": points,
            "crash_points_hit": points - len(self.missed()),
            "crash_points_missed": self.missed(),
            "not_played": not_played(),
            "virtual_days": round(self.days, 1),
            "promises": list(PROMISES),
        }


def run(seeds: Sequence[int], home: str = "", processes: int | None = None) -> Iterator[SeedResult]:
    """Run seeds on all cores; gives each result as it comes, in order."""
    count = min(processes or os.cpu_count() or 1, len(seeds))
    if count <= 1:
        yield from (play_seed(seed, home) for seed in seeds)
        return
    with ProcessPoolExecutor(count) as pool:
        yield from pool.map(
            play_seed, seeds, [home] * len(seeds), chunksize=max(1, min(20, len(seeds) // count))
        )
