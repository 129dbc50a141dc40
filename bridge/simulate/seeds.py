"""Runs seeds on every core, and makes a failing one smaller."""

from __future__ import annotations

import gc
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

MAX_STORY_LINES = 60


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
        """Return whether every promise held."""
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
    """Yield the last lines that name a record concerned, a death or a human, if there are any."""
    words = [*(ref for ref in refs if ref), "DIES", "human"]
    lines = [line for line in trace if any(word in line for word in words)] or trace
    yield from lines[-MAX_STORY_LINES:]


def play_seed(seed: int, home: str = "") -> SeedResult:
    """Draw one seed's script, play it and judge it."""
    return play(draw(seed, load_home(home).drawn_connections()), home)


def shrink(seed: int, home: str = "", tries: int = 400) -> SeedResult:
    """Leave out steps as long as the seed still fails; return the smallest failure found."""
    script = draw(seed, load_home(home).drawn_connections())
    best = play(script, home)
    if best.ok:
        return best
    steps, size = list(script.steps), max(1, len(script.steps) // 2)
    while size and tries > 0:
        at, smaller = 0, False
        while at < len(steps) and tries > 0:
            fewer = steps[:at] + steps[at + size :]
            tries -= 1
            result = play(replace(script, steps=tuple(fewer)), home)
            if _fails_alike(result, best):
                steps, best, smaller = fewer, result, True
            else:
                at += size
        size = size if smaller and size == 1 else size // 2
    return _with_usual_options(replace(script, steps=tuple(steps)), best, home)


def _with_usual_options(script: Script, best: SeedResult, home: str) -> SeedResult:
    """Give each sandbox its usual options back, as long as the script still fails."""
    for name in script.options:
        usual = replace(script, options={**script.options, name: {}})
        result = play(usual, home)
        if _fails_alike(result, best):
            script, best = usual, result
    return best


def _fails_alike(result: SeedResult, wanted: SeedResult) -> bool:
    """Return whether a result fails for the same reason."""
    return bool(result.broken) and result.broken[0].split(":")[0] == wanted.broken[0].split(":")[0]


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
        """Add one seed's result."""
        self.seeds += 1
        self.counts.update(result.counts)
        self.struck.update(result.struck)
        self.covered.update(result.covered)
        self.days += result.days
        if not result.ok:
            self.failed.append(result)

    def missed(self) -> list[str]:
        """Return the crash points at which nobody died."""
        return [
            f"{place} {position}"
            for place, position in crash_points()
            if not self.covered[place, position]
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        points = len(crash_points())
        return {
            "seeds": self.seeds,
            "failed": [{"seed": result.seed, "broken": result.broken} for result in self.failed],
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
    """Run seeds on all cores; yield each result in order, as soon as it is there."""
    count = min(processes or os.cpu_count() or 1, len(seeds))
    _settle(home)
    if count <= 1:
        yield from (play_seed(seed, home) for seed in seeds)
        return
    with ProcessPoolExecutor(count, initializer=_settle, initargs=(home,)) as pool:
        yield from pool.map(
            play_seed, seeds, [home] * len(seeds), chunksize=max(1, min(20, len(seeds) // count))
        )


def _settle(home: str) -> None:
    """Load what all seeds share, and keep the search for garbage off it: a tenth of a seed."""
    load_home(home)
    gc.collect()
    gc.freeze()
