"""The receiver loses its process, its Redis, its ledger: and nothing that it has acknowledged."""

import http.client
import json
import signal
import threading
import time

import pytest

from tests.web.receiver import rows
from tests.web.server import TIMEOUT_SECONDS, Server, ids

pytestmark = pytest.mark.processes


@pytest.fixture
def own(tmp_path, redis):
    found = Server(tmp_path, redis)
    yield found
    found.kill()
    found.ledger.close()


def test_what_was_acknowledged_survives_a_kill(own):
    acknowledged = set()
    stop = threading.Event()

    def send(worker):
        number = 0
        while not stop.is_set():
            number += 1
            try:
                status, _ = own.hint(f"{worker}-{number}")
            except (OSError, http.client.HTTPException):
                return
            if status == 202:
                acknowledged.add(f"t{worker}-{number}")

    threads = [threading.Thread(target=send, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + TIMEOUT_SECONDS
    while len(acknowledged) < 60 and time.monotonic() < until:
        time.sleep(0.01)
    own.kill()
    stop.set()
    for thread in threads:
        thread.join()
    assert len(acknowledged) >= 60
    assert acknowledged <= ids(own.ledger)
    assert {row["remote_id"] for row in rows(own.ledger, "work")} >= acknowledged
    own.start()
    assert own.hint("again")[0] == 202


def test_sigterm_stops_it_cleanly(own):
    own.hint("first")
    own.process.send_signal(signal.SIGTERM)
    assert own.process.wait(TIMEOUT_SECONDS) in {0, -signal.SIGTERM}
    assert "Traceback" not in own.output()
    assert "tfirst" in ids(own.ledger)


def test_without_redis_it_still_accepts(tmp_path):
    class Nobody:
        socket = tmp_path / "nobody.sock"

    server = Server(tmp_path, Nobody)
    try:
        assert server.hint("alone")[0] == 202
        assert json.loads(server.ask("GET", "/readyz")[1])["redis"] == "down"
        assert "talone" in ids(server.ledger)
    finally:
        server.kill()
        server.ledger.close()


def test_a_broken_ledger_means_503_and_never_a_false_yes(own):
    from sqlalchemy import text

    with own.ledger.transaction() as tx:
        tx.execute(text("alter table work rename to gone"))
    assert [own.hint(number)[0] for number in range(5)] == [503] * 5
    assert ids(own.ledger) == set()
    with own.ledger.transaction() as tx:
        tx.execute(text("alter table gone rename to work"))
    assert own.hint("healed")[0] == 202
