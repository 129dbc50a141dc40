"""The benchmarks work at a small size; what they measure is for a quiet machine."""

import pytest

from bench import arriving, creating, growing, mirroring, planning, reconciling, remembering
from bench.postgres import postgres


def test_reconciliation_beside_a_bare_loop_sees_every_ticket():
    found = reconciling.measure(450, rounds=1)
    assert found["bare"]["seen"] == 450
    for run in (found["first"], found["unchanged"]):
        assert run["error"] == ""
        assert run["hinted"] == 0
        assert run["seen"] >= 450


def test_an_import_beside_bare_posts_makes_every_ticket_once():
    found = creating.measure(40, 0.0)  # it ends the run unless exactly so many were posted
    assert found["tickets"] == 40
    assert found["ratio"] > 0


def test_the_bridge_and_the_baseline_make_as_many_calls_for_an_edit():
    found = mirroring.measure(30, 0.0, 1)  # it ends the run unless every ticket was written
    assert (found["bridge_calls"], found["baseline_calls"]) == (3, 3)
    assert found["noop_per_second"] > 0


@pytest.mark.postgres
def test_the_bridge_mirrors_on_postgresql_beside_the_baseline():
    with postgres() as made:
        found = mirroring.measure(30, 0.0, 1, made)
    assert (found["bridge_calls"], found["baseline_calls"]) == (3, 3)


def test_every_webhook_of_a_larger_ledger_is_mirrored():
    (found,) = growing.measure((60, 120), 5, 1)  # it ends the run unless every ticket was written
    assert found.keys() == {60, 120}
    assert all(cost > 0 for costs in found.values() for cost in costs.values())


@pytest.mark.processes
def test_webhooks_at_a_steady_rate_are_written_by_real_processes():
    found = arriving.measure(1.0)  # it ends the run unless every ticket was written
    assert found["count"] == arriving.RATE
    assert 0 < found["p50"] <= found["p95"] <= found["most"]


@pytest.mark.processes
def test_the_memory_of_a_worker_is_told_by_quarters_of_a_day():
    found = remembering.measure(400, 200)  # it ends the run unless every ticket was written
    assert len(found["by_quarter"]) == 4
    assert 10 < found["most"] < 1000


def test_a_plan_sees_every_link_of_both_ledgers():
    found = planning.run(300, 600, 1)
    ((little, big),) = found["turns"]
    assert (little["known"], big["known"]) == (300, 600)
    assert little["writes"] > 0
    assert big["writes"] > 0
