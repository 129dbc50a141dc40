"""`bridge check --live`: every connection is called, reading only, and what does not answer is named."""

import json

import pytest

from bridge import home as homes
from bridge.cli.accounts import FILE
from bridge.cli.sandbox import write_accounts
from bridge.sandbox import server

SEED = 9


@pytest.fixture
def served():
    running = server.serve(seed=SEED, port_base=0)
    yield running
    running.stop()


@pytest.fixture
def check(run, tmp_path, served):
    homes.fill(tmp_path / "home")
    write_accounts(homes.var(tmp_path / "home") / FILE, server.accounts(served.urls, SEED))

    def call(*arguments):
        return run("--home", str(tmp_path / "home"), "check", "--live", *arguments, environ={"BRIDGE_SANDBOX": "1"})

    return call


def test_all_that_answer_are_probed_and_nothing_is_written(check, served):
    served.apps["posthog"].populate(2, 1)
    found = json.loads(check("--json").output)
    assert (found["ok"], found["problems"]) == (True, [])
    assert set(found["live"]) == {"helpdesk", "product", "desk", "feedback", "screens"}
    assert found["live"]["product"]["probe"]["ids"] is True
    rows = [row for app in served.apps.values() for row in app.journal.since() if row.actor == "bridge"]
    assert {row.kind for row in rows} == {"read"}
    assert not [row for row in rows if row.note.startswith("forbidden")]


def test_a_refused_key_and_a_vendor_that_is_down_are_both_named(check, served):
    served.apps["zaia"].api_key = "another"
    served.apps["upscope"].faults.set({"error-before": 1})
    result = check()
    assert result.exit_code == 1
    problems = [line for line in result.stderr.splitlines() if line.startswith("connections.")]
    assert [line.split(":")[0] for line in problems] == ["connections.desk", "connections.screens"]
    assert "401" in problems[0]
    assert result.stderr.rstrip().endswith("2 problems")
