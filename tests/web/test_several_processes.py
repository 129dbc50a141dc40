"""Two server processes on PostgreSQL: one may be killed, and both count together."""

import http.client
import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from bridge.web.receiver.rates import REFUSED
from tests.web.receiver import rows
from tests.web.server import TIMEOUT_SECONDS, Server, ids

pytestmark = [pytest.mark.processes, pytest.mark.postgres]


@pytest.fixture
def server(tmp_path, redis, empty_postgres_url):
    found = Server(tmp_path, redis, empty_postgres_url, workers=2)
    yield found
    found.kill()
    found.ledger.close()


def serving(server):
    """The ids of the processes that take requests."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return {int(each) for each in children.read_text().split()}


def until(true):
    end = time.monotonic() + TIMEOUT_SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_nothing_acknowledged_is_lost_with_one_of_two_processes_under_load(server):
    acknowledged, failed, stop = set(), [], threading.Event()
    before = serving(server)
    assert len(before) == 2

    def send(caller):
        number = 0
        while not stop.is_set():
            number += 1
            try:
                status, _ = server.hint(f"{caller}-{number}")
            except (OSError, http.client.HTTPException):  # as a vendor would: send it again
                failed.append(caller)
                number -= 1
                continue
            assert status in {200, 202}
            acknowledged.add(f"t{caller}-{number}")

    threads = [threading.Thread(target=send, args=(caller,)) for caller in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: len(acknowledged) >= 60)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    then = len(acknowledged)
    until(lambda: len(acknowledged) >= then + 60)
    until(lambda: len(serving(server) - {victim}) == 2)  # another has taken its place
    again = len(acknowledged)
    until(lambda: len(acknowledged) >= again + 60)
    stop.set()
    for thread in threads:
        thread.join()
    assert acknowledged <= ids(server.ledger)
    assert {row["remote_id"] for row in rows(server.ledger, "work")} >= acknowledged
    deliveries = sum(row["deliveries"] for row in rows(server.ledger, "inbox"))
    assert deliveries <= len(acknowledged) + len(failed) + len(threads)


def counted(server):
    status, said = server.ask("GET", "/metrics")
    assert status == 200
    found = re.search(rb'webhooks_total{connection="helpdesk",status="accepted"} (\d+)', said)
    return int(found[1]) if found else 0


def test_every_process_tells_of_what_all_have_taken(server):
    for number in range(20):
        assert server.hint(number)[0] == 202
    # Each time on another connection, and so by either of them.
    assert {counted(server) for _ in range(20)} == {20}
    victim = min(serving(server))
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(serving(server) - {victim}) == 2)
    assert {counted(server) for _ in range(20)} == {20}


def test_what_they_count_together_lies_in_no_folder_from_which_it_can_be_cleared(
    tmp_path, redis, empty_postgres_url, monkeypatch
):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    server = Server(tmp_path, redis, empty_postgres_url, workers=2)
    try:
        assert server.hint(1)[0] == 202
        assert list(temporary.iterdir()) == []  # so that a kill -9 leaves nothing behind, either
        victim = min(serving(server))
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(serving(server) - {victim}) == 2)
        assert {counted(server) for _ in range(20)} == {1}
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(TIMEOUT_SECONDS) == 0
        assert "Traceback" not in server.output()
    finally:
        server.kill()
        server.ledger.close()


def test_a_flood_of_refusals_is_put_off_by_both_together(server):
    began = time.monotonic()
    json = {"content-type": "application/json"}
    said = [server.ask("POST", "/webhooks/helpdesk", b"{}", json)[0] for _ in range(60)]
    passed = time.monotonic() - began
    [rate] = REFUSED
    assert set(said) == {401, 429}
    assert said.count(401) <= rate.calls + rate.calls / rate.seconds * passed + 1
