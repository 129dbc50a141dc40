"""Commands that do the work themselves need nothing that runs: no worker, no clock, no Redis."""

import json
import re

import pytest

from bridge.clock import SystemClock
from bridge.core.model.values import Ref
from bridge.ledger import hints, work
from bridge.ledger.database import Ledger
from tests.cli.two_systems import TwoSystems, serve_both

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def served():
    running = serve_both()
    running.apps["posthog"].populate(3, 1)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def home(tmp_path_factory, served):
    return TwoSystems(tmp_path_factory.mktemp("stopped") / "home", served)


def test_an_import_a_report_and_an_undo_are_done_with_the_bridge_stopped(home, served):
    helpdesk = served.apps["switch"]
    imported = home.run("backfill", "tickets")
    assert (imported.returncode, len(helpdesk.tickets())) == (0, 3), imported.stdout
    assert "owner=" not in imported.stdout  # who typed it needs no log of its start and end
    run = re.search(r"runs (\d+)", imported.stdout)[1]

    report = home.run("reconcile", "product", "--full", "--report-only", "--json")
    assert report.returncode == 0, report.stdout
    assert json.loads(report.stdout.splitlines()[-1])["finished"] is True

    runs = range(int(run), int(run) + 2)
    said = {number: home.run("undo", str(number), "--dry-run").stdout for number in runs}
    (made,) = (number for number, text in said.items() if "made 3 records" in text)
    assert len(helpdesk.tickets()) == 3
    listed = re.findall(r"^  helpdesk:(\S+)  made$", said[made], re.MULTILINE)
    assert sorted(listed) == sorted(ticket["id"] for ticket in helpdesk.tickets())
    assert "and wrote to others 0 times" in said[made]  # a write to what it made is none

    undone = home.run("undo", str(made), "--yes")
    assert undone.returncode == 0, undone.stdout
    assert helpdesk.tickets() == []


def test_where_ones_own_redis_is_away_it_is_said_what_to_start(tmp_path, served):
    home = TwoSystems(tmp_path / "home", served, "redis://127.0.0.1:1/0")
    done = home.run("reconcile", "product", "--report-only")
    assert done.returncode == 2
    assert "Redis does not answer: start the one that BRIDGE_REDIS_URL names" in done.stdout


def test_a_report_writes_nothing_although_work_is_due(tmp_path, served):
    home = TwoSystems(tmp_path / "home", served)
    assert home.run("backfill", "tickets").returncode == 0
    product, helpdesk = served.apps["posthog"], served.apps["switch"]
    edited = product.tickets()[0]["id"]
    product.edit(edited, {"status": "pending", "priority": "high"})
    before = [dict(each) for each in helpdesk.tickets()]
    ledger = Ledger(f"sqlite:///{home.home / 'var' / 'bridge.db'}")
    with ledger.transaction() as tx:
        hints.give(tx, Ref("product", "ticket", edited), SystemClock().now())

    for name in ("helpdesk", "product"):
        report = home.run("reconcile", name, "--report-only")
        assert report.returncode == 0, report.stdout
    assert "1 differed: done" in report.stdout
    assert helpdesk.tickets() == before
    with ledger.read() as tx:
        assert work.backlog(tx, SystemClock().now())["due"] == 1

    assert home.run("reconcile", "helpdesk").returncode == 0  # which does what is due
    assert helpdesk.tickets() != before
