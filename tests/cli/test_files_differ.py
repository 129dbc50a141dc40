"""The files differ from those that the bridge runs by: that is said, and asked about."""

import json
from datetime import UTC, datetime

import pytest

from bridge import wiring
from bridge.core.model.state import Link, Side
from bridge.engine import worker_identity
from bridge.ledger import configurations, links, refused_webhooks, running_processes
from bridge.ledger.database import Ledger
from tests.cli.conftest import KEYS

NOWHERE = {"BRIDGE_REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.fixture
def home(run, tmp_path, monkeypatch):
    """A home whose bridge has run with two tickets, on PostHog's side among others."""
    run("init", str(tmp_path))
    for name, value in {**KEYS, **NOWHERE, "BRIDGE_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("bridge.cli.process.watch_parent", lambda: None)  # it ends the process
    run("db", "upgrade")
    ledger = Ledger(f"sqlite:///{tmp_path / 'var' / 'bridge.db'}")
    with ledger.transaction() as tx:
        for number in "12":
            sides = {name: Side(name, f"{name}-{number}") for name in ("helpdesk", "product")}
            made = Link(f"ticket-{number}", "support-tickets", "ticket", sides=sides)
            links.create(tx, made, datetime.now(UTC))
    start(tmp_path)
    wiring.current.cache_clear()
    yield tmp_path
    wiring.current.cache_clear()
    ledger.close()


def start(home, kind="worker", *, stop=True):
    bridge = wiring.build_bridge(home)
    bridge.enter(kind)
    if stop:
        bridge.leave()
    return bridge


def rewrite(home, file, *changes):
    path = home / file
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def rename_in_files(home):
    rewrite(home, "config/bridge.yaml", ("  product:\n", "  hog:\n"), ("/product", "/hog"))
    rewrite(home, "mappings/syncs.yaml", ("product", "hog"))
    rewrite(home, "mappings/agents.yaml", ("product", "hog"))


@pytest.mark.usefixtures("home")
def test_the_same_files_need_nothing_and_say_nothing(run):
    checked = run("check")
    assert (checked.exit_code, "change" in checked.output) == (0, False)
    assert "note:" not in run("status").output


def test_check_says_when_it_cannot_know_what_files_change(run, home):
    for end in ("-wal", "-shm"):
        (home / "var" / f"bridge.db{end}").unlink(missing_ok=True)
    (home / "var" / "bridge.db").write_bytes(b"no database at all" * 1000)
    rename_in_files(home)
    checked = run("check")
    assert "warning: what the files change is not known: the ledger" in checked.output
    (home / "var" / "bridge.db").unlink()
    assert "not known" not in run("check").output


def test_check_says_with_numbers_what_a_start_would_do(run, home):
    rename_in_files(home)
    checked = run("check")
    assert checked.exit_code == 1
    assert (
        "doubtful: `hog` is new and `product` gone with the same account: `bridge connection "
        "rename product hog` keeps its 2 records; else each is made again"
    ) in checked.output
    assert "a start is refused until it says --accept" in checked.output
    assert "retired:" not in checked.output
    assert "leaves" not in checked.output  # it is said once
    assert json.loads(run("check", "--json").output)["retired"] == {"product": 2}


def test_a_change_of_other_things_is_named_as_such(run, home):
    rewrite(home, "config/bridge.yaml", ("poll: 5m", "poll: 6m"))
    assert "`bridge check` says what it means" in run("status").output
    checked = run("check")
    assert (checked.exit_code, "change: in none of connections" in checked.output) == (0, True)


@pytest.mark.parametrize("process", ["worker", "clock", "web", "admin"])
def test_no_process_starts_over_a_renamed_account(run, home, process):
    rename_in_files(home)
    refused = run(process)
    assert refused.exit_code == 2
    assert "bridge connection rename product hog" in refused.output
    assert "say --accept (once)" in refused.output


def test_an_acceptance_is_kept(run, home):
    rename_in_files(home)
    accepted = run("check", "--accept")
    assert accepted.exit_code == 0
    assert "accepted; restart the bridge" in accepted.output
    start(home)
    start(home, "clock")
    assert run("check").exit_code == 0


def test_a_rename_lets_it_start(run, home):
    rename_in_files(home)
    renamed = run("connection", "rename", "product", "hog")
    assert renamed.exit_code == 0, renamed.output
    assert "product is hog now (2 records)" in renamed.output
    assert "note:" not in renamed.output  # whoever renames knows that the files have changed
    assert "its webhooks come to /webhooks/hog from now on" in renamed.output
    assert run("check").exit_code == 0
    start(home)
    assert "hog:hog-1" not in run("ticket", "hog:product-1").output
    assert run("ticket", "hog:product-1").exit_code == 0


def test_a_rename_before_the_files_say_so_tells_of_the_webhooks_too(run, home):
    renamed = run("connection", "rename", "product", "hog")
    assert "its webhooks come to /webhooks/hog from now on" in renamed.output
    rename_in_files(home)
    assert run("check").exit_code == 0


def test_a_receiver_that_starts_where_none_runs_is_noted_beside_what_was_refused(home):
    def restarted():
        with first.ledger.read() as tx:
            (row,) = refused_webhooks.current(tx, first.clock.now())
        return row.restarted is not None

    first = start(home, "web", stop=False)
    with first.ledger.transaction() as tx:
        refused_webhooks.add(tx, "product", "BadSignature", 1, first.clock.now())
    start(home, "web")
    assert not restarted()  # the one beside it may go on refusing
    first.leave()
    start(home, "web")
    assert restarted()


@pytest.mark.usefixtures("home")
def test_a_project_that_changed_is_another_account(run, monkeypatch):
    monkeypatch.setenv("PRODUCT_PROJECT_ID", "777")
    checked = run("check")
    assert checked.exit_code == 1
    assert "`product` leads to another account, https://us.posthog.com project_id 777" in (
        checked.output
    )
    assert not any(key in checked.output for key in KEYS.values() if key != "12345")


def test_every_command_says_that_the_files_differ_from_what_runs(run, home):
    running = start(home, stop=False)
    rewrite(home, "mappings/syncs.yaml", ("2m", "3m"))
    for command in (["status"], ["conflicts", "list"], ["parked", "list"], ["plan"], ["drift"]):
        said = run(*command).output
        assert said.count("the files differ from those that the bridge runs by (worker") == 1
    for command in (
        ["undo", "1"],
        ["reconcile"],
        ["backfill", "support-tickets"],
        ["apply", "--yes"],
    ):
        refused = run(*command)
        assert refused.exit_code == 2, refused.output
        # Without a Redis nothing would be done either: it is to be refused for the files.
        assert "the files differ from those that the bridge runs by (worker" in refused.output
        assert "; nothing was done" in refused.output
    troubled = run("doctor").output
    assert "the files differ from those that the bridge runs by (worker)" in troubled
    assert "restart it" in troubled
    running.leave()
    assert "the files have changed since the bridge last ran" in run("status").output


def test_a_worker_of_older_files_begins_nothing_once_newer_ones_are_in_force(home):
    older = start(home, stop=False)
    rewrite(home, "mappings/syncs.yaml", ("2m", "3m"))
    newer = start(home, stop=False)
    assert older.start_due_runs() == []
    assert newer.start_due_runs()
    assert older.worker.run(0.1).claimed == 0
    assert older.worker.outdated
    for bridge in (older, newer):
        bridge.leave()
        bridge.close()


def test_a_process_that_was_killed_does_not_count(run, home):
    with Ledger(f"sqlite:///{home / 'var' / 'bridge.db'}").transaction() as tx:
        parts = worker_identity.name("x").split(":")
        killed = ":".join([*parts[:3], "1", "x"])
        running_processes.started(tx, killed, "worker", "older", datetime.now(UTC))
    assert "note:" not in run("status").output


@pytest.mark.usefixtures("home")
def test_the_doctor_reports_missing_keys_instead_of_dying(run, monkeypatch):
    monkeypatch.delenv("PRODUCT_API_KEY")
    result = run("doctor")
    assert result.exit_code == 1
    assert "PRODUCT_API_KEY is empty" in result.output
    assert "`bridge check` names every problem" in result.output


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("command", [["db", "status"], ["db", "upgrade"]])
def test_the_ledger_needs_no_key_of_a_connection(run, monkeypatch, command):
    for name in KEYS:
        monkeypatch.delenv(name)
    assert run(*command).exit_code == 0


@pytest.mark.parametrize("key", ["${PRODUCT_API_KEY}", "${HOG_API_KEY}"])
def test_two_connections_with_one_account_are_refused_unless_told_so(run, home, monkeypatch, key):
    monkeypatch.setenv("HOG_API_KEY", "another key of the same project")
    text = (home / "config" / "bridge.yaml").read_text()
    start_at, end_at = text.index("  product:"), text.index("  desk:")
    twin = text[start_at:end_at].replace("  product:", "  hog:")
    assert "${PRODUCT_API_KEY}" in twin
    twin = twin.replace("${PRODUCT_API_KEY}", key)
    (home / "config" / "bridge.yaml").write_text(text + "\n" + twin)
    refused = run("check")
    assert refused.exit_code == 1
    assert "connections.hog.base_url: leads to the same account as product" in refused.output
    twin = twin.replace("    system: posthog", "    system: posthog\n    same_account_as: product")
    (home / "config" / "bridge.yaml").write_text(text + "\n" + twin)
    assert "same account" not in run("check").output


def test_a_mapping_file_that_is_gone_is_a_problem_and_nothing_starts(run, home):
    (home / "mappings" / "posthog.yaml").unlink()
    checked = run("check")
    assert checked.exit_code == 1
    assert "mappings/posthog.yaml" in checked.output
    assert run("worker").exit_code == 2
    with Ledger(f"sqlite:///{home / 'var' / 'bridge.db'}").read() as tx:
        assert configurations.newest_revision(tx) == connection_revision(home)


def connection_revision(home):
    """The revision that was in force: nothing else was put there."""
    with Ledger(f"sqlite:///{home / 'var' / 'bridge.db'}").read() as tx:
        row = configurations.newest(tx)
    assert row.actor == "worker"
    return row.revision
