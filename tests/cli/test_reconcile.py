"""`bridge reconcile`: what it starts, what it says while it goes on, and what comes of it."""

import pytest

from bridge.cli import reconcile
from bridge.cli.run_progress import ProgressDisplay
from bridge.errors import UnknownName
from bridge.operations import desk, reconciliations
from bridge.operations.reconciliations import RunProgress
from tests.cli.conftest import engine_of
from tests.flow.pair import pair


@pytest.fixture
def estate(tmp_path):
    found = pair(tmp_path)
    found.apps["product"].populate(3, 1)
    found.settle()
    return found


@pytest.fixture
def reconciled(estate):
    def go(connection="product", **options):
        engine = engine_of(estate)
        here = desk.of(engine, "local:ana")
        ids = reconciliations.start_reconciliations(engine, here, connection, **options)
        reconciliations.work_off(engine, ids)
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
    assert lines[1].endswith(", healed)")


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
    engine = engine_of(estate)
    here = desk.of(engine, "local:ana")
    assert len(reconciliations.start_reconciliations(engine, here, "product", full=True)) == 1
    assert reconciliations.start_reconciliations(engine, here, "product", full=True) == []


def test_progress_is_told_once_for_each_step_ahead(capsys, monkeypatch):
    looks = [[RunProgress("1", "product", "ticket", seen, 1, 0)] for seen in (0, 50, 50, 90)]
    monkeypatch.setattr("bridge.cli.run_progress.LOOK_SECONDS", 0.001)
    display = ProgressDisplay(lambda: looks.pop(0) if len(looks) > 1 else looks[0])
    with display:
        while display.seen.get("1") != 90:
            pass
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(",")[0] for line in lines] == [
        "product ticket: 50 seen on 1 pages, 0 differ",
        "product ticket: 90 seen on 1 pages, 0 differ",
    ]
