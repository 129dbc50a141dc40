"""The benchmarks work at a small size; what they measure is for a quiet machine."""

from bench import creating, mirroring, reconciling


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
