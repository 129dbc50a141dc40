"""`bridge runs`: the runs are listed, shown, paused and resumed, as they are typed."""

import json

import pytest

from bridge.ledger import audit
from tests.cli.test_effect import ON_HOLD, change
from tests.cli.test_published_runs import (
    estate,  # noqa: F401 - a fixture
    in_force,
    publish,
    shown,
)


def row(estate, run_id):  # noqa: F811
    lines = estate.command("runs", "--json", "--kind", "mapping").splitlines()
    (found,) = [each for each in map(json.loads, lines) if each["id"] == str(run_id)]
    return found


def test_a_run_is_listed_shown_paused_and_resumed(estate, monkeypatch):  # noqa: F811
    change(estate.folder / "mappings", "switch.yaml", ON_HOLD)
    run_id = publish(estate, "publish")["run"]
    in_force(estate)
    with monkeypatch.context() as narrow:
        narrow.setenv("COLUMNS", "60")
        assert "change of the mappings" in estate.command("runs")
    before = row(estate, run_id)
    assert before["what"] == "change of the mappings (revision 2)"
    assert (before["state"], before["done"], before["total"]) == ("under way", 0, 4)
    assert before["can_be_paused"]
    said = estate.command("runs", "pause", str(run_id), "--yes")
    assert "going through all that is mirrored (0 of 4 so far)" in said
    assert f"`bridge runs resume {run_id}` lets it go on" in said
    estate.settle()
    assert shown(estate) == {"open": 2, "pending": 2}
    assert "paused" in estate.command("status")
    assert "paused" in estate.command("runs", "show", str(run_id))
    assert row(estate, run_id)["state"] == "paused"
    with pytest.raises(AssertionError, match="is paused already"):
        estate.command("runs", "pause", str(run_id), "--yes")
    estate.command("runs", "resume", str(run_id), "--yes")
    estate.settle()
    assert shown(estate) == {"open": 2, "on_hold": 2}
    said = estate.command("runs", "show", str(run_id))
    assert "going through all that is mirrored: 4 of 4, done" in said
    assert "writing: 2 of 2, done" in said
    assert "cannot be paused: it is over" in said
    with estate.ledger.read() as tx:
        done = [each["action"] for each in audit.recent(tx, 10)]
    assert [each for each in done if each.startswith("run ")] == ["run resumed", "run paused"]


def test_what_cannot_be_paused_says_so_and_a_no_changes_nothing(estate):  # noqa: F811
    change(estate.folder / "mappings", "switch.yaml", ON_HOLD)
    run_id = publish(estate, "publish")["run"]
    with pytest.raises(AssertionError, match="Aborted"):
        estate.command("runs", "pause", str(run_id))  # asked, and nobody answers
    assert row(estate, run_id)["state"] == "under way"
    with pytest.raises(AssertionError, match="there is no run 999"):
        estate.command("runs", "show", "999")
    assert "there is no such run" in estate.command("runs", "--kind", "nothing")
