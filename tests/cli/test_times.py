"""Whatever the zone of this machine, every command shows a moment in UTC, and marks it so."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from bridge.cli.activity_lines import row_text
from bridge.cli.value_text import short_value
from bridge.core.model.state import FieldState, Link, Note, Side, SideField
from bridge.ledger import conflict_log, links, run_records, timeline, work
from bridge.ledger.database import Ledger
from bridge.ledger.timeline import TimelineEntry
from bridge.operations.times import since_when, upcoming, when
from bridge.supervisor.activity import activity_row
from tests.cli.conftest import KEYS

AT = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
SHOWN = "2026-03-01 12:00:05Z"


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch):
    monkeypatch.setenv("TZ", "America/Caracas")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def home(run, tmp_path):
    run("init", str(tmp_path))

    def call(*words):
        done = run("--home", str(tmp_path), *words, environ=KEYS)
        assert done.exit_code == 0, done.output
        return done.output

    call("db", "upgrade")
    call.ledger = Ledger(f"sqlite:///{tmp_path / 'var' / 'bridge.db'}")
    yield call
    call.ledger.close()


def test_every_command_shows_the_same_moment_in_utc_and_says_so(home):
    link = Link("l1", "support-tickets", "ticket", {"status": FieldState("open", 3, "helpdesk")})
    for name, value in {"helpdesk": "open", "product": "resolved"}.items():
        link.sides[name] = Side(
            name, f"r-{name}", {"status": SideField(shadow=value, map_rev="x", level=3)}
        )
    state = link.state["status"]
    state.candidates, state.why_open = (
        {"helpdesk": "open", "product": "resolved"},
        "both were edited",
    )
    with home.ledger.transaction() as tx:
        assert links.create(tx, link, AT)
        conflict_log.record(tx, link, [], AT)
        timeline.add(tx, "l1", AT, [Note("changed", "helpdesk", "status", {"value": "open"})])
        run_records.finish(
            tx,
            run_records.begin(
                tx, kind="poll", connection="helpdesk", entity="ticket", due=AT, now=AT
            ),
            AT,
        )
        work.enqueue(
            tx, kind="deliver", key="d", connection="helpdesk", entity="ticket", due_at=AT, now=AT
        )
        (claimed,) = work.claim(tx, "me", AT, AT, 5)
        work.park(tx, claimed, "me", "answered 422", "Refused", AT)
    for words in (
        ["ticket", "l1"],
        ["why", "l1", "status"],
        ["conflicts", "list"],
        ["parked", "list"],
        ["parked", "list", "--rows"],
        ["status"],
    ):
        assert SHOWN in home(*words), words


def test_the_next_runs_and_the_stream_show_the_time_of_day_in_utc(home):
    with home.ledger.transaction() as tx:
        run_records.finish(
            tx,
            run_records.begin(
                tx, kind="poll", connection="helpdesk", entity="ticket", due=AT, now=AT
            ),
            AT,
        )
    (polled,) = [
        row
        for row in json.loads(home("status", "--json"))["schedule"]
        if row["kind"] == "poll" and row["last"]
    ]
    assert f" {datetime.fromisoformat(polled['next']):%m-%d %H:%M}Z " in home("status")
    line = TimelineEntry(
        1, "l1", AT, "wrote", "product", "", {"verb": "update", "sent": {"status": "open"}}
    )
    assert row_text(activity_row(line, None)).plain.startswith("12:00:05Z  wrote")
    assert when(AT.isoformat()) == SHOWN


def test_what_comes_on_another_day_is_shown_with_its_day():
    now = datetime(2026, 5, 1, 23, 50, tzinfo=UTC)
    assert upcoming(now + timedelta(minutes=5), now) == "23:55:00Z"
    assert upcoming(now + timedelta(minutes=15), now) == "05-02 00:05Z"


def test_a_moment_among_the_values_is_shown_as_every_other(home):
    made = "2026-03-01T12:00:05.000000+00:00"
    link = Link("l2", "support-tickets", "ticket", {"created_at": FieldState(made, 1, "helpdesk")})
    link.sides["helpdesk"] = Side(
        "helpdesk", "r-1", {"created_at": SideField(shadow=made, map_rev="x", level=1)}
    )
    with home.ledger.transaction() as tx:
        assert links.create(tx, link, AT)
        entry = Note("changed", "helpdesk", "created_at", {"value": made})
        timeline.add(tx, "l2", AT, [entry])
    for words in (["ticket", "l2"], ["why", "l2", "created_at"]):
        shown = home(*words)
        assert SHOWN in shown
        assert "+00:00" not in shown
    assert f"created_at is {SHOWN}, set by helpdesk" in home("why", "l2", "created_at")
    assert json.loads(home("ticket", "l2", "--json"))["state"]["created_at"]["value"] == made
    (row,) = home("tickets", "--json").splitlines()
    assert json.loads(row)["made_at"] == "2026-03-01T12:00:05Z"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-03-01T12:00:05.250000+00:00", SHOWN),
        ("2026-03-01T12:00:05Z", "2026-03-01T12:00:05Z"),  # in a system's own words
        ("at 2026-03-01T12:00:05.000000+00:00", "at 2026-03-01T12:00:05.000000+00:00"),
        ("2026-99-01T12:00:05.000000+00:00", "2026-99-01T12:00:05.000000+00:00"),
    ],
)
def test_only_a_canonical_moment_is_shown_as_one(value, shown):
    assert short_value(value) == shown


def test_what_is_known_to_the_minute_is_shown_without_seconds():
    assert since_when(AT) == SHOWN
    assert since_when(AT.replace(second=0)) == "2026-03-01 12:00Z"
