"""What the server process builds is what the configuration says."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from bridge import wiring
from bridge.home import fill_home, var_folder
from bridge.ledger import running_processes
from bridge.ledger.database import Ledger
from bridge.sandbox import server
from bridge.supervisor.sandbox_accounts import FILE, write_accounts
from bridge.web.serve import NAME, application


@pytest.fixture
def built(tmp_path, monkeypatch):
    fill_home(tmp_path)
    config = tmp_path / "config" / "bridge.yaml"
    config.write_text(f"body_limit: 2048\n{config.read_text()}")
    write_accounts(var_folder(tmp_path) / FILE, server.accounts())
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
