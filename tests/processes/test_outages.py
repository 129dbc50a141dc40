"""What the bridge needs goes away: Redis forgets, the database restarts, the disk is full."""

import secrets
from types import SimpleNamespace

import pytest

from bridge.home import fill_home
from bridge.supervisor.demo import FIRST_PORTS
from tests.cli import test_up
from tests.processes.outcome import lost_of

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


@pytest.mark.parametrize("kit", ["sqlite"], indirect=True)
def test_valkey_is_killed_and_emptied(kit):
    for strike in (kit.kill_valkey, kit.empty_valkey, kit.kill_valkey):
        kit.work(6)
        strike()
    kit.work(6)
    kit.check()


@pytest.mark.postgres
@pytest.mark.parametrize("kit", ["postgres"], indirect=True)
def test_postgresql_is_stopped_in_order_and_at_once(kit, database):
    for how in ("fast", "immediate"):
        kit.work(6)
        database.stop(how)
        kit.struck[f"postgresql {how}"] += 1
        before = kit.refused()
        kit.work(6)
        kit.wait(lambda: kit.refused() > before, "a webhook that is refused")  # noqa: B023
        database.start()
    kit.work(6)
    kit.check()


@pytest.mark.parametrize("kit", ["sqlite"], indirect=True)
def test_the_disk_is_full(kit):
    kit.work(6)
    kit.polling = False  # we write into the ledger too, and our own files have no limit
    with kit.full_disk():
        kit.work(12)
        kit.wait(lambda: kit.refused() > 0, "a webhook that is refused")
    kit.polling = True
    kit.work(6)
    kit.check()


@pytest.mark.parametrize("kit", ["sqlite"], indirect=True)
def test_webhooks_that_are_alike_to_the_letter_are_accounted_for(kit):
    """Switch tells of a change of nothing too, and of two in a second with the same words."""
    helpdesk, remote_id = kit.any_ticket("switch")
    for _ in range(8):
        helpdesk.post("edit", id=remote_id, fields={"status": "open"})
    kit.check()


def test_a_webhook_that_was_taken_and_is_in_no_row_is_lost():
    def sent(status, note):
        return {"connection": "helpdesk", "status": status, "note": note}

    def row(note, deliveries=1, verdict="applied"):
        return SimpleNamespace(
            connection="helpdesk", headers={"id": note}, deliveries=deliveries, verdict=verdict
        )

    webhooks = [sent(202, "1"), sent(503, "2"), sent(200, "3"), sent(0, "4"), sent(200, "4")]
    assert lost_of(webhooks, [row("1", 2), row("4", 2)]) == []
    assert lost_of(webhooks, [row("x", 3)]) == ["helpdesk 1: no row"]
    assert lost_of(webhooks, [row("1"), row("4", 2)]) == [
        "helpdesk: 1 repetitions that no row counts"
    ]
    (pending,) = lost_of(webhooks, [row("1", 3, verdict="pending")])
    assert pending.endswith("pending")


@pytest.mark.postgres
def test_bridge_up_waits_for_its_ledger_instead_of_ending(tmp_path, database, monkeypatch):
    usual = test_up.environ
    monkeypatch.setattr(
        test_up, "environ", lambda home: usual(home) | {"BRIDGE_SANDBOX_DATABASE_URL": database.url}
    )
    fill_home(tmp_path)
    up = test_up.Up(tmp_path, secrets.choice(FIRST_PORTS))
    try:
        database.stop("fast")
        while not any("waiting for the ledger" in line for line in up.said):
            assert up.process.poll() is None, up.said
        database.start()
        name, sandbox = next(iter(up.sandboxes.items()))
        sandbox.post("populate", n=1, seed=77)
        up.wait_for(lambda row: row.get("kind") == "created" and row["connection"] != name)
    finally:
        ended = up.end()
    assert ended == 0, up.said
