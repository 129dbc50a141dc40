"""What the server process builds is what the configuration says."""

import asyncio
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge import wiring
from bridge.errors import ConfigError
from bridge.home import fill_home, var_folder
from bridge.ledger import running_processes
from bridge.ledger.database import Ledger
from bridge.sandbox import access
from bridge.supervisor.account_file import write_accounts
from bridge.supervisor.sandbox_accounts import FILE
from bridge.web.receiver.shared_numbers import FILE as NUMBERS
from bridge.web.receiver.shared_numbers import SIZE
from bridge.web.serve import MOST_BY_ITSELF, NAME, PROCESSES, application, processes_for


@pytest.fixture
def built(tmp_path, monkeypatch):
    fill_home(tmp_path)
    config = tmp_path / "config" / "bridge.yaml"
    config.write_text(f"body_limit: 2048\n{config.read_text()}")
    write_accounts(var_folder(tmp_path) / FILE, access.accounts())
    monkeypatch.setenv("BRIDGE_HOME", str(tmp_path))
    monkeypatch.setenv("BRIDGE_SANDBOX", "1")
    monkeypatch.delenv("BRIDGE_DATABASE_URL", raising=False)
    Ledger(f"sqlite:///{tmp_path / 'var' / 'bridge.db'}").upgrade()
    wiring.current.cache_clear()
    yield application()
    wiring.current().close()
    wiring.current.cache_clear()


@pytest.mark.parametrize(("size", "status"), [(2048, 401), (2049, 413)])
def test_the_declared_size_of_a_body_is_the_limit(built, size, status):
    asked = built._app.test_client().post(
        "/webhooks/helpdesk", data=b"x" * size, content_type="application/json"
    )
    assert asked.status_code == status
    assert built._limit == 2048


def test_what_the_doctor_finds_wrong_is_among_the_metrics(built):
    client, until = built._app.test_client(), time.monotonic() + 60
    line = 'bridge_troubles{code="BRG-REDIS-DOWN",connection=""} 1'  # it runs for no such home
    while line not in client.get("/metrics").text.splitlines():
        assert time.monotonic() < until, client.get("/metrics").text
        time.sleep(0.1)


@pytest.mark.usefixtures("built")
def test_it_says_that_it_takes_requests_in_the_name_of_the_process_that_began_it(monkeypatch):
    bridge, then = wiring.current(), datetime(2026, 1, 1, tzinfo=UTC)
    with bridge.ledger.transaction() as tx:
        running_processes.started(tx, "host:elsewhere:77:1:x", "web", "r", then)
    monkeypatch.setenv(NAME, "host:elsewhere:77:1:x")
    receiver, seen = application(), asyncio.Event()

    async def until_seen():
        receiver.__rsgi_init__(asyncio.get_running_loop())
        while not seen.is_set():
            with bridge.ledger.read() as tx:
                (row,) = running_processes.running(tx, then, lambda _: True)
            if row.seen_at > then:
                seen.set()
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(until_seen(), 20))
    receiver.__rsgi_del__(None)
    assert seen.is_set()


def test_one_of_several_says_so_for_itself_too_until_it_ends(built, monkeypatch, tmp_path):
    bridge, then = wiring.current(), datetime.now(UTC)
    with bridge.ledger.transaction() as tx:
        running_processes.started(tx, "host:elsewhere:77:1:x", "web", "r", then)
    numbers = tmp_path / "numbers"
    numbers.write_bytes(bytes(SIZE))
    monkeypatch.setenv(NAME, "host:elsewhere:77:1:x")
    monkeypatch.setenv(NUMBERS, str(numbers))

    def seen():
        with bridge.ledger.read() as tx:
            found = running_processes.running(tx, then, lambda _: True)
        return {row.id: row.seen_at for row in found}

    receiver, all_seen = application(), asyncio.Event()
    began = seen()
    assert began.keys() == {"host:elsewhere:77:1:x", bridge.worker.owner}

    async def until_seen():
        receiver.__rsgi_init__(asyncio.get_running_loop())
        while not all_seen.is_set():
            if all(at > began[name] for name, at in seen().items()):
                all_seen.set()
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(until_seen(), 20))
    receiver.__rsgi_del__(None)
    assert seen().keys() == {"host:elsewhere:77:1:x"}
    built.__rsgi_del__(None)


def test_how_many_processes_there_are():
    assert processes_for(0, "sqlite:///x.db") == processes_for(1, "sqlite:///x.db") == 1
    assert processes_for(7, "postgresql://host/bridge") == 7
    assert 1 <= processes_for(0, "postgresql://host/bridge") <= MOST_BY_ITSELF
    with pytest.raises(ConfigError, match="SQLite has one receiver process, not 2"):
        processes_for(2, "sqlite:///x.db")


def test_more_than_one_on_sqlite_is_refused_before_anything_begins(built):
    command = [sys.executable, "-m", "bridge", "web", "--port", "1"]
    done = subprocess.run(
        command,
        env=os.environ | {PROCESSES: "3", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "SQLite has one receiver process, not 3" in done.stderr
    assert "BRIDGE_WEB_PROCESSES" in done.stderr
    built.__rsgi_del__(None)
    with wiring.current().ledger.read() as tx:
        assert running_processes.running(tx, datetime.now(UTC), lambda _: True) == []
