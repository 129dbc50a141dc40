"""Where the CPU time of all threads goes: by part, and by function."""

from __future__ import annotations

import cProfile
import io
import pstats
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

IDLE = re.compile(r"SimpleQueue|/threading\.py|/thread\.py")
"""What a thread does that waits for its next call; it seems to be at work until the end."""
SHOWN = 35
"""Lines of a profile."""
OURS = re.compile(r"/(bridge/(?:core/)?\w+)")
THEIRS = re.compile(r"/site-packages/(\w+)")
LIBRARY = re.compile(r"/python3\.\d+/(\w+)")
DRIVERS = re.compile(r"CountedCursor|CountedConnection|sqlite3\.|psycopg")
"""Built-in functions that count as a part of their own, whoever calls them."""

_Function = tuple[str, int, str]


@contextmanager
def profiled() -> Iterator[list[cProfile.Profile]]:
    """Profile this thread and those that begin meanwhile, by the CPU time of each."""
    profiles: list[cProfile.Profile] = []

    def begin(*_: object) -> None:
        profile = cProfile.Profile(time.thread_time)
        profiles.append(profile)
        profile.enable()

    threading.setprofile(begin)
    begin()
    try:
        yield profiles
    finally:
        profiles[0].disable()
        threading.setprofile(None)


def told(profiles: list[cProfile.Profile]) -> str:
    """Give the share of each part, and the top by a function's own time and with what it calls."""
    out = io.StringIO()
    stats = pstats.Stats(profiles[0], stream=out)
    for profile in profiles[1:]:
        stats.add(profile)
    stats.stats = {who: what for who, what in stats.stats.items() if not IDLE.search(str(who))}
    out.write(
        "\nshare of the CPU time (a profile makes many small calls look dearer than they are)\n"
    )
    times = parts(stats)
    for part, seconds in times.most_common(SHOWN):
        out.write(f"{seconds / times.total():>6.1%}  {part}\n")
    stats.strip_dirs()
    for order in ("tottime", "cumtime"):
        stats.sort_stats(order).print_stats(SHOWN)
    return out.getvalue()


def parts(stats: pstats.Stats) -> Counter[str]:
    """Give the time of each room and package; a built-in function's is that of its callers."""
    found: Counter[str] = Counter()
    for who, (_calls, _all, own, _with, callers) in stats.stats.items():
        if who[0] == "~" and not DRIVERS.search(who[2]):
            for caller, (_c, _a, own_there, _w) in callers.items():
                found[part_of(caller)] += own_there
        else:
            found[part_of(who)] += own
    return found


def part_of(who: _Function) -> str:
    """Give the part that a function belongs to: `bridge/flow`, `sqlalchemy`, `json`."""
    path, _line, name = who
    if path == "~":
        return "database driver" if DRIVERS.search(name) else "built-in"
    for where in (THEIRS, OURS, LIBRARY):
        if match := where.search(path):
            return match.group(1)
    return "bench" if "/bench/" in path else path
