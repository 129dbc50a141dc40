"""Reconciliations on demand: what is found, what is healed, what the command prints."""

import re
from datetime import timedelta

import pytest

from bridge.cli import reconcile
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import connection_health
from bridge.operations import connection, reconciliations
from tests.flow.pair import pair
from tests.operations.desks import bridge_of, desk_of


@pytest.fixture
def estate(tmp_path):
    found = pair(tmp_path)
    found.apps["product"].populate(3, 1)
    found.settle()
    return found


@pytest.fixture
def reconciled(estate):
    def go(connection="product", **options):
        bridge = bridge_of(estate)
        here = desk_of(estate)
        ids = reconciliations.start_reconciliations(bridge, here, connection, **options)
        reconciliations.work_off(bridge, ids)
        return reconciliations.outcomes(here, ids)

    return go


def test_what_differs_is_found_and_healed_and_named(estate, reconciled, capsys):
    reconciled(full=True)
    remote_id = estate.links()[0].sides["product"].remote_id
    estate.clock.advance(60)
    estate.apps["product"].edit(remote_id, {"priority": "high"})
    (run,) = reconciled(full=True)
    assert (run.ok, run.seen, run.differed, run.healed) == (True, 3, 1, 1)
    assert [(found.remote_id, found.kind) for found in run.found] == [(remote_id, "changed")]
    assert run.found[0].healed_at is not None
    reconcile._print(run)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "product ticket: 3 seen, 1 differed, 1 healed: done"
    assert lines[1].endswith("; healed)")


def test_a_report_says_what_differs_and_nothing_of_healing(reconciled, capsys):
    (run,) = reconciled(full=True, report=True)
    assert run.only_reported
    assert run.differed == len(run.found)
    shown = reconcile._as_json(run)
    assert {frozenset(row) for row in shown["found"]} <= {
        frozenset({"connection", "entity", "remote_id", "kind", "fields", "since", "why"})
    }
    reconcile._print(run)
    assert "healed" not in capsys.readouterr().out


def test_a_name_that_is_unknown_and_a_run_that_is_under_way(estate, reconciled):
    with pytest.raises(UnknownName, match="no connection nobody; allowed: "):
        reconciled("nobody")
    bridge = bridge_of(estate)
    here = desk_of(estate)
    (run_id,) = reconciliations.start_reconciliations(bridge, here, "product", full=True)
    with pytest.raises(NotPossible, match="begun without --accept-absences"):
        reconciliations.start_reconciliations(
            bridge, here, "product", full=True, accept_absences=True
        )
    (run,) = reconciled(full=True)  # what was left by whoever was stopped is taken up
    assert (run.run, run.ok, run.seen) == (str(run_id), True, 3)


def test_a_run_that_cannot_go_on_says_why(estate):
    bridge, here = bridge_of(estate), desk_of(estate)
    (run_id,) = reconciliations.start_reconciliations(bridge, here, "product", report=True)
    estate.apps["product"].faults.set({"error-before": 1.0})
    bridge.drain()
    (run,) = reconciliations.progress(here, [run_id])
    assert re.match("product is (tried again|paused until .*), because .*50", run.waits)


def test_a_run_whose_connection_only_an_operator_resumes_is_not_waited_for(estate, reconciled):
    connection.pause(desk_of(estate), "product")
    (run,) = reconciled("product")
    assert (run.finished, run.ok) == (False, False)


@pytest.mark.parametrize("report", [True, False])
def test_a_run_whose_system_takes_no_calls_for_long_is_left_to_the_workers(
    estate, reconciled, report, monkeypatch
):
    monkeypatch.setattr(reconciliations, "LOOK_SECONDS", 10)
    began = estate.clock.now()
    with estate.ledger.transaction() as tx:
        until = began + timedelta(hours=1)
        connection_health.pause(tx, "product", until, "product: answered 503", now=began)
    (run,) = reconciled("product", report=report)
    assert (run.finished, run.ok) == (False, False)
    assert estate.clock.now() - began < timedelta(minutes=20)
    estate.clock.advance(3600)
    (run,) = reconciled("product", report=report)  # it is taken up where it was
    assert run.ok
