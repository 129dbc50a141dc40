"""Status, doctor, drift and agents as values."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from bridge.errors import UnknownName
from bridge.ledger import connection_health, run_records
from bridge.operations import agents, check, doctor, drift, status
from tests.cli.conftest import KEYS
from tests.flow.world import born
from tests.operations.desks import desk_of


def test_the_status_has_a_row_for_each_connection(world, desk):
    born(world)
    with desk.ledger.transaction() as tx:
        connection_health.refuse(tx, "H", 'H: answered 401: {"message": "No such key"}', desk.now())
    overview = status.overview(desk)
    assert overview.at == world.clock.now()
    rows = {row.connection: row for row in overview.connections}
    assert (rows["L"].health, rows["L"].records, rows["L"].why) == ("ok", 1, "")
    assert (rows["H"].health, rows["H"].since) == ("stopped", desk.now())
    assert status.in_words(rows["H"].why) == "stopped, because answered 401: No such key"
    assert overview.summary.entities == {"ticket": 1}


@pytest.mark.parametrize(
    ("finished", "error", "stopped", "state"),
    [
        (False, "", False, "under way"),
        (False, "", True, "waits, because H is stopped, because answered 401"),
        (True, "", True, "done"),
        (True, "answered 500", True, "answered 500"),
    ],
)
def test_a_run_at_a_dead_system_is_not_said_to_be_done(desk, finished, error, stopped, state):
    now = desk.now()
    with desk.ledger.transaction() as tx:
        run_id = run_records.begin(
            tx, kind="poll", connection="H", entity="ticket", due=now, now=now
        )
        if finished:
            run_records.finish(tx, run_id, now, error=error)
        if stopped:
            connection_health.refuse(tx, "H", "answered 401", now)
    assert [run.state for run in status.overview(desk).runs] == [state]


def test_what_was_never_called_is_not_said_to_be_well(desk):
    assert {row.health for row in status.overview(desk).connections} == {status.NEVER_CALLED}


def test_the_status_has_the_promised_keys(desk):
    values = json.loads(json.dumps(status.as_json(status.overview(desk)), default=str))
    assert list(values) == [
        "links", "entities", "paused", "sides", "counted_at", "backlog", "inbox",
        "conflicts_open", "attempts_open", "intents_open", "runs", "account", "lanes", "parked",
        "connections", "troubles", "schedule",
    ]  # fmt: skip
    assert list(values["connections"][0]) == [
        "connection", "health", "why", "since", "records", "lag", "writes_last_minute", "rates",
        "figures", "next_poll", "next_full",
    ]  # fmt: skip


def test_the_doctor_names_each_trouble_with_the_way_out(desk):
    with desk.ledger.transaction() as tx:
        connection_health.refuse(tx, "H", "answered 401", desk.now())
    stopped, no_redis = doctor.examine(desk)
    assert stopped.what == "H is stopped, because answered 401"
    assert stopped.since == desk.now()
    assert "bridge connection resume H" in stopped.do
    assert list(asdict(no_redis)) == [
        "code",
        "what",
        "since",
        "do",
        "connection",
        "note",
        "tickets",
    ]
    assert (stopped.code, no_redis.code) == ("BRG-401-KEY", "BRG-REDIS-DOWN")
    assert no_redis.what == "Redis does not answer"


def test_drift_is_empty_where_nothing_differed_and_a_connection_must_be_there(desk):
    assert drift.recent(desk) == drift.Drift([], [])
    with pytest.raises(UnknownName, match="no connection nobody; allowed: L, H"):
        drift.recent(desk, "nobody")


def test_agents_are_those_of_the_file(world):
    people = {"ana@desk.example": {"L": "a1"}}
    listed = agents.list_agents(desk_of(world, people=people))
    assert listed.known == [agents.KnownAgent("ana@desk.example", declared=True, names={"L": "a1"})]
    assert agents.as_json(listed) == {
        "agents": [{"email": "ana@desk.example", "declared": True, "names": {"L": "a1"}}],
        "unmapped": [],
    }


def test_a_check_says_all_problems_and_gives_the_files_when_there_are_none(monkeypatch, estate):
    home = Path(estate.folder)
    problems = check.check(home, None)
    assert problems.config is None
    assert any("HELPDESK_API_KEY" in problem for problem in problems.problems)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    clean = check.check(home, None)
    assert (clean.problems, clean.live) == ([], {})
    assert "helpdesk" in clean.config.connections
