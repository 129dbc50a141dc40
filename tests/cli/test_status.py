"""`bridge status` on a terminal of eighty columns: nothing is cut, what is copied is one line."""

from datetime import UTC, datetime, timedelta

import pytest

from bridge.core.model.state import Link, Side
from bridge.ledger import connection_health, links, run_records
from bridge.ledger.database import Ledger
from tests.cli.conftest import KEYS

NOW = datetime.now(UTC)
WAY_ON = "mend its credentials, restart the bridge, then `bridge connection resume helpdesk`"
ANSWER = '{"error": {"code": "unauthorized", "message": "No such key"}}'
REFUSED = f"helpdesk: answered 401 (request req_1): {ANSWER}"


@pytest.fixture
def status(run, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    run("init", str(tmp_path))
    run("--home", str(tmp_path), "db", "upgrade", environ=KEYS)
    ledger = Ledger(f"sqlite:///{tmp_path / 'var' / 'bridge.db'}")

    def call():
        done = run("--home", str(tmp_path), "status", environ=KEYS)
        assert done.exit_code == 0, done.output
        return done.output.splitlines()

    call.ledger = ledger
    yield call
    ledger.close()


def test_all_heads_and_rates_are_whole(status):
    lines = status()
    assert lines[0].split() == ["writes"]
    assert (
        " ".join(lines[1].split()) == "connection health records lag /min next poll next full rates"
    )
    assert "480/minute" in "\n".join(lines)
    assert "4800/hour" in "\n".join(lines)
    assert max(len(line.rstrip()) for line in lines if "[BRG-" not in line) <= 80
    assert "…" not in "\n".join(lines)


def test_a_connection_in_trouble_has_a_line_with_the_command_whole_and_the_reason_in_words(status):
    with status.ledger.transaction() as tx:
        connection_health.refuse(tx, "helpdesk", f"{REFUSED}; {WAY_ON}", NOW)
        until = NOW + timedelta(hours=1)
        connection_health.pause(
            tx, "product", until, 'product: answered 429: {"type": "throttled_error"}', now=NOW
        )
    lines = status()
    since = f"(since {NOW:%Y-%m-%d %H:%M:%S}Z)"
    reason = "answered 401 (request req_1): No such key"
    assert f"helpdesk is stopped, because {reason}; {WAY_ON} {since}  [BRG-401-KEY]" in lines
    paused = f"product is paused until {until:%Y-%m-%d %H:%M:%SZ}, because answered 429 {since}"
    assert f"{paused}  [BRG-CONN-PAUSED]" in lines
    assert [line.split()[:2] for line in lines if "[BRG-" not in line][2:4] == [
        ["helpdesk", "stopped"],
        ["product", "paused"],
    ]


def test_tickets_are_counted_apart_from_customers_and_paused_ones_are_named(status):
    assert "tickets 0" in status()
    with status.ledger.transaction() as tx:
        for name, entity in (("l1", "ticket"), ("l2", "ticket"), ("l3", "customer")):
            link = Link(name, "support-tickets", entity)
            link.sides["helpdesk"] = Side("helpdesk", name)
            link.paused = name == "l1"
            assert links.create(tx, link, NOW)
    assert "tickets 2   customers 1   paused 1" in status()


def test_a_run_that_waits_for_its_system_is_shown_however_many_came_after_it(status):
    with status.ledger.transaction() as tx:
        begun = NOW - timedelta(hours=1)
        waits = run_records.begin(
            tx, kind="backfill", connection="desk", entity="ticket", due=begun, now=begun
        )
        for _ in range(9):
            later = run_records.begin(
                tx, kind="poll", connection="product", entity="ticket", due=NOW, now=NOW
            )
            run_records.finish(tx, later, NOW, error="answered 500")
        connection_health.pause(tx, "desk", NOW + timedelta(days=1), "desk: answered 503", now=NOW)
    lines = status()
    (at,) = [number for number, line in enumerate(lines) if f"run {waits} " in line]
    assert "waits, because desk is paused" in " ".join(" ".join(lines[at : at + 3]).split())
