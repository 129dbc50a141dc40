"""Each process of a deployment logs its start and its stop."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from bridge import wiring
from bridge.ledger import running_processes
from bridge.ledger.database import Ledger
from tests.cli.conftest import KEYS
from tests.web.server import free_port

TIMEOUT_SECONDS = 60
NOWHERE = {"BRIDGE_REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.fixture
def ledger(run, tmp_path):
    run("init", str(tmp_path))
    made = Ledger(f"sqlite:///{tmp_path / 'var' / 'bridge.db'}")
    made.upgrade()
    yield made
    made.close()


def running(ledger):
    with ledger.read() as tx:
        return running_processes.running(tx, datetime.now(UTC), lambda _name: True)


@pytest.mark.parametrize("alone", [False, True])
def test_start_and_stop_have_a_line_each_but_for_a_command_that_works_by_itself(
    ledger, tmp_path, monkeypatch, caplog, alone
):
    caplog.set_level(logging.INFO, "bridge")
    for name, value in {**KEYS, **NOWHERE}.items():
        monkeypatch.setenv(name, value)
    bridge = wiring.build_bridge(tmp_path)
    bridge.enter("worker", alone=alone)
    bridge.leave()
    bridge.close()
    told = [(record.getMessage(), record.owner) for record in caplog.records]
    owner = bridge.worker.owner
    assert told == ([] if alone else [("started", owner), ("stopped", owner)])
    assert running(ledger) == []


@contextmanager
def started(home, *command):
    """Run a process of this home; its log so far, each line as an object, and its end."""
    log = home / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "--home", str(home), *command],
            env=os.environ | KEYS | NOWHERE | {"BRIDGE_LOG": "json"},
            stderr=written,
        )

    def told():
        assert process.poll() is None, log.read_text()
        return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]

    try:
        yield told
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def starts_and_stops(home):
    rows = [json.loads(line) for line in (home / "log").read_text().splitlines()]
    wanted = {"started", "stopped"}
    return [(row["process"], row["message"]) for row in rows if row["message"] in wanted]


def wait_for(seen):
    until = time.monotonic() + TIMEOUT_SECONDS
    while not seen():
        assert time.monotonic() < until, "it was waited for in vain"
        time.sleep(0.1)


@pytest.mark.processes
def test_the_receiver_tells_of_its_stop_as_well_and_counts_as_running_no_longer(ledger, tmp_path):
    port = free_port()
    with started(tmp_path, "web", "--port", str(port)) as told:
        wait_for(lambda: told() and answers(port))
        assert [row.kind for row in running(ledger)] == ["web"]
    assert starts_and_stops(tmp_path) == [("web", "started"), ("web", "stopped")]
    assert running(ledger) == []


@pytest.mark.processes
def test_a_receiver_whose_first_process_is_killed_leaves_the_port_to_the_next(ledger, tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "bridge", "--home", str(tmp_path), "web", "--port", str(port)]
    first = subprocess.Popen(command, env=os.environ | KEYS | NOWHERE, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(port))
    finally:
        first.kill()
        first.wait()
    wait_for(lambda: not answers(port))
    with started(tmp_path, "web", "--port", str(port)) as told:
        wait_for(lambda: told() and answers(port))
    assert running(ledger) == []


@pytest.mark.processes
def test_the_clock_tells_what_is_done_and_what_is_wrong(ledger, tmp_path):
    with started(tmp_path, "clock") as told:
        wait_for(lambda: {"run begun", "trouble"} <= {kind(row) for row in told()})
        rows = told()
    begun = next(row for row in rows if kind(row) == "run begun")
    assert (begun["kind"], begun["process"]) == ("poll", "clock")
    assert "the ledger is new here: creates wait until each connection was listed" in {
        row["message"] for row in rows
    }
    assert "BRG-REDIS-DOWN" in {row["code"] for row in rows if kind(row) == "trouble"}
    assert starts_and_stops(tmp_path) == [("clock", "started"), ("clock", "stopped")]
    assert running(ledger) == []


def kind(row):
    return row["message"].partition(":")[0]


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
