"""Vendors that answer wrongly harm nobody: not their neighbours, not themselves, and tell nothing.

The real processes; all ways of `tests/hostile/ways.py`, several at a time. `make hostile` prints
the figures and puts them into docs/reliability.md.
"""

import pytest

from tests.hostile import table
from tests.hostile.kit import HostileKit
from tests.hostile.ways import WAYS

MEMORY_BYTES = 100 << 20
"""What a process may keep after megabytes of nonsense, read on many threads at once.

A quarter of that was measured; heaps that keep what is freed kept 140 to 290."""


@pytest.mark.processes
@pytest.mark.timeout(400)
def test_no_answer_of_a_vendor_harms_anybody(tmp_path):
    with HostileKit(tmp_path) as kit:
        outcome = kit.run()
    shown = "\n".join([*table.lines(outcome), *table.crowd_lines(outcome)])
    assert {each.way for each in outcome.met} == set(WAYS)
    assert outcome.harmful() == [], shown
    assert outcome.led_astray == []
    assert outcome.leaks == []
    assert (outcome.parked_runs, outcome.failing) == ([], [])
    grown = {name: after - before for name, (before, after) in outcome.memory.items()}
    assert {name: size for name, size in grown.items() if size > MEMORY_BYTES} == {}
    bad = {name: verdict.details for name, verdict in outcome.verdicts.items() if not verdict.ok}
    assert bad == {}


def test_there_are_at_least_forty_ways_and_the_document_names_each():
    assert len(WAYS) >= 40
    assert table.named() == list(WAYS)
