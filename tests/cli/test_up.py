"""The whole in one terminal, with real processes."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from bridge.home import fill_home
from bridge.supervisor.sandbox_client import SandboxClient

pytestmark = pytest.mark.processes
ROOT = Path(__file__).resolve().parents[2]


def environ(home: Path) -> dict[str, str]:
    """A machine that knows nothing: no keys, no addresses."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "BRIDGE_HOME": str(home),
        "PYTHONPATH": str(ROOT),
    }


class Up:
    """`bridge up --sandbox --json`, and what it says."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "up", "--sandbox", "--json", "--port", str(port)],
            env=environ(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.rows: queue.Queue[dict] = queue.Queue()
        self.said: list[str] = []
        self.threads = [
            threading.Thread(
                target=lambda: [self.rows.put(json.loads(line)) for line in self.process.stdout]
            ),
            threading.Thread(target=lambda: self.said.extend(self.process.stderr)),
        ]
        for thread in self.threads:
            thread.start()
        try:
            self.where = self.rows.get(timeout=150)
        except BaseException:  # nobody would end it, and it would be in the way of all that follow
            self.end()
            raise
        self.sandboxes = {
            name: SandboxClient(name, url) for name, url in self.where["sandboxes"].items()
        }

    def wait_for(self, wanted) -> dict:
        until = time.monotonic() + 60
        while True:
            row = self.rows.get(timeout=max(0.1, until - time.monotonic()))
            if wanted(row):
                return row

    def wait_until_mirrored(self) -> None:
        """Wait until every side has the tickets that it takes: nine, or the desk its own three."""
        until = time.monotonic() + 60
        while [
            len(self.sandboxes[name].get("tickets")) for name in ("helpdesk", "product", "desk")
        ] != [9, 9, 3]:
            assert time.monotonic() < until, self.said
            time.sleep(0.1)

    def children(self) -> dict[int, str]:
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return {int(line.split()[0]): line for line in listed.stdout.splitlines()}

    def kill_worker(self) -> None:
        worker = next(pid for pid, line in self.children().items() if line.endswith(" worker"))
        os.kill(worker, signal.SIGKILL)

    def wait_until_said(self, words: str) -> None:
        until = time.monotonic() + 60
        while not any(words in line for line in self.said):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < until, self.said
            time.sleep(0.1)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        try:
            return self.process.wait(40)
        finally:
            self.process.kill()
            for thread in self.threads:
                thread.join(10)
            self.process.stdout.close()
            self.process.stderr.close()


@pytest.fixture
def home(tmp_path):
    place = tmp_path / "a b"
    fill_home(place)
    return place


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        env=environ(home),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_edits_in_either_sandbox_reach_the_other_also_after_a_killed_worker_and_it_stops_clean(
    home,
):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        up = Up(home, taken.getsockname()[1])
        try:
            assert up.where["listening"] != f"http://127.0.0.1:{taken.getsockname()[1]}"
            up.wait_until_mirrored()
            helpdesk, product = up.sandboxes["helpdesk"], up.sandboxes["product"]
            first = helpdesk.get("tickets")[0]
            helpdesk.post(
                "edit",
                id=first["id"],
                fields={"priority": "urgent" if first["priority"] != "urgent" else "low"},
            )
            up.wait_for(
                lambda row: row["connection"] == "product" and "priority" in row.get("fields", {})
            )

            other = product.get("tickets")[0]
            wanted = "pending" if other["status"] != "pending" else "open"
            shown = command(home, "ticket", f"product:{other['id']}", "--json")
            there = json.loads(shown.stdout)["sides"]["helpdesk"]["id"]
            up.kill_worker()
            product.post("edit", id=other["id"], fields={"status": wanted})
            row = up.wait_for(
                lambda row: (
                    (row["connection"], row["id"]) == ("helpdesk", there)
                    and row.get("fields", {}).get("status") == wanted
                )
            )
            assert row["by"] == ["product"]

            status = json.loads(command(home, "status", "--json").stdout)
            assert status["links"] >= 9
            ticket = command(home, "ticket", f"product:{other['id']}")
            assert ticket.returncode == 0, ticket.stderr
            assert f"helpdesk:{row['id']}" in ticket.stdout
            assert "wrote" in ticket.stdout

            paused = command(home, "connection", "pause", "screens")
            assert paused.returncode == 0, paused.stderr

            second = command(home, "up", "--sandbox")
            assert second.returncode == 2
            assert "another bridge runs on this home" in second.stderr
            children = up.children()
            assert len(children) >= 5
        finally:
            code = up.end()
        assert code == 0, up.said
        assert not any(Path(f"/proc/{pid}").exists() for pid in children)
        assert not (home / "var" / "sandbox.json").exists()
        assert not (home / "var" / "bridge.db").exists()


def wait_for_doctor(home: Path, *, names: str = "", names_not: str = "") -> None:
    until, said = time.monotonic() + 60, ""
    while time.monotonic() < until:
        said = command(home, "doctor").stdout
        if names in said and (not names_not or names_not not in said):
            return
    raise AssertionError(said)


def test_a_half_saved_file_and_a_dead_worker_end_nothing_and_are_told_of(home):
    up = Up(home, 18100)
    mapping, config = home / "mappings" / "switch.yaml", home / "config" / "bridge.yaml"
    whole = mapping.read_text()
    try:
        up.wait_until_mirrored()
        mapping.write_text("ticket: {")
        up.kill_worker()
        up.wait_until_said("worker 1 cannot start")
        with urllib.request.urlopen(f"{up.where['listening']}/healthz", timeout=20) as answer:
            assert answer.status == 200
        wait_for_doctor(home, names="mappings/switch.yaml")

        # Whole again, and another one than at the start: then all go by the same.
        mapping.write_text(whole)
        config.write_text(f"http_timeout: 17\n{config.read_text()}")
        up.wait_until_said("all processes start again")
        wait_for_doctor(home, names_not="BRG-FILES")
        wait_for_doctor(home, names_not="BRG-PROCESS-DOWN")
        ticket = up.sandboxes["product"].get("tickets")[0]
        wanted = "pending" if ticket["status"] != "pending" else "open"
        up.sandboxes["product"].post("edit", id=ticket["id"], fields={"status": wanted})
        up.wait_for(
            lambda row: (
                row["connection"] == "helpdesk" and row.get("fields", {}).get("status") == wanted
            )
        )
    finally:
        code = up.end()
    assert code == 0, up.said


def test_when_it_says_that_it_runs_every_process_has_read_the_files(home):
    """Else one that is slow puts in force what was edited since, and nobody is asked."""
    up = Up(home, 18100)
    try:
        with contextlib.closing(sqlite3.connect(home / "var" / "sandbox.db")) as ledger:
            kinds = {kind for (kind,) in ledger.execute("SELECT kind FROM process")}
    finally:
        code = up.end()
    assert kinds == {"up", "web", "worker", "clock", "admin"}
    assert code == 0, up.said


def test_when_it_is_killed_its_children_end_and_it_can_be_started_again(home):
    up = Up(home, 18100)
    children = up.children()
    up.end(signal.SIGKILL)
    ours = [pid for pid, line in children.items() if "valkey" not in line]
    until = time.monotonic() + 20
    while time.monotonic() < until and any(Path(f"/proc/{pid}/cmdline").exists() for pid in ours):
        time.sleep(0.1)
    assert not [pid for pid in ours if Path(f"/proc/{pid}").exists()]
    again = Up(home, 18100)
    try:
        again.wait_until_mirrored()
    finally:
        code = again.end(signal.SIGTERM)
    assert code == 0, again.said
