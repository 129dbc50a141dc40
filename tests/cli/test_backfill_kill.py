"""An import that is killed again and again ends as one that was left alone: everything once."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from bridge.queue.embedded_valkey import Embedded
from tests.cli.two_systems import TwoSystems, serve_both

pytestmark = [pytest.mark.processes, pytest.mark.timeout(1800)]
FULL = bool(os.environ.get("BRIDGE_FULL_TESTS"))
COUNT, KILLS = (5000, 10) if FULL else (120, 4)
"""What was under way at a kill is looked for until the vendor must have shown it: 15 s each."""


@pytest.fixture
def served():
    running = serve_both()
    running.apps["posthog"].populate(COUNT, 1)
    yield running
    running.stop()


@pytest.fixture
def valkey(tmp_path):
    with Embedded(tmp_path / "run") as found:
        yield found.url


def made(app):
    return len(
        [row for row in app.journal.since() if row.kind == "create" and row.actor == "bridge"]
    )


def test_kills_change_nothing_about_the_result(tmp_path, served, valkey):
    source, target = served.apps["posthog"], served.apps["switch"]
    home, rng, in_the_middle = TwoSystems(tmp_path / "home", served, valkey), random.Random(7), 0
    for number in range(KILLS):
        process = home.begin("backfill", "tickets", "--json")
        # From the start of the process or, once it has created some, from a random moment of its
        # work.
        goal = (number + 1) * COUNT // (KILLS + 2)
        until = time.monotonic() + 120
        while made(target) < goal and process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(rng.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        in_the_middle += process.returncode == -signal.SIGKILL and 0 < made(target) < COUNT
    process = home.begin("backfill", "tickets", "--json")
    said, _ = process.communicate(timeout=1500)
    assert process.returncode == 0, said
    assert in_the_middle >= KILLS // 2, "the kills came before or after the work"
    assert made(target) == COUNT
    assert made(source) == 0
    # As an import that nobody disturbs leaves it: each customer's ticket of the source once.
    askers = sorted(each["anonymous_traits"]["email"] for each in source.tickets())
    assert sorted(each["customer"]["email"] for each in target.tickets()) == askers
