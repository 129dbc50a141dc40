"""Nothing is lost when a worker or the receiver is killed in the middle of its work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bridge.ledger import webhook_inbox
from bridge.ledger.database import Ledger
from bridge.sandbox import access
from tests.processes.outcome import is_taken, lost_of

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]


def children(parent: int) -> dict[int, list[str]]:
    """All descendants of a process, with their command lines."""
    found: dict[int, list[str]] = {}
    for entry in Path("/proc").iterdir():
        try:
            above = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, ValueError):
            continue  # not a process, or one that has just ended
        if above == parent:
            found |= {int(entry.name): words} | children(int(entry.name))
    return found


def test_kills_of_worker_and_receiver_in_the_middle_of_a_demo_lose_nothing(tmp_path):
    story = ["--journals", str(tmp_path / "story")]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "bridge",
            "demo",
            "--tickets",
            "12",
            "--edits",
            "48",
            "--rate",
            "8",
            "--json",
            *story,
        ],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(tmp_path),
            "BRIDGE_SANDBOX_DATABASE_URL": f"sqlite:///{tmp_path / 'ledger.db'}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    before = []
    for line in process.stderr:
        before.append(line)
        if "edits by humans" in line:
            break
    killed = []
    for victim in ("worker", "web", "worker", "web"):
        time.sleep(1.5)
        for number, words in children(process.pid).items():
            if victim in words:
                os.kill(number, signal.SIGKILL)
                killed.append(victim)
    output, said = process.communicate(timeout=500)
    assert set(killed) == {"worker", "web"}, "".join(before) + said
    assert process.returncode == 0, output + said
    report = json.loads(output.splitlines()[-1])
    assert (
        report["converged"],
        report["duplicates"],
        report["lost_edits"],
        report["echo_writes"],
    ) == (True, 0, 0, 0)
    every_answered_webhook_has_its_verdict(tmp_path)
    nothing_shows_a_secret(tmp_path, [*before, said, output])


def every_answered_webhook_has_its_verdict(folder):
    """Compare vendors and ledger: what was answered 2xx is in the inbox, with a verdict by now."""
    told = [
        json.loads(line) for line in (folder / "story" / "journal.jsonl").read_text().splitlines()
    ]
    hooks = [row for row in told if row["kind"] == "webhook"]
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
    with ledger.read() as tx:
        rows = [SimpleNamespace(**row) for row in webhook_inbox.recent(tx, limit=100_000)]
        account = webhook_inbox.account(tx)
    ledger.close()
    assert any(is_taken(row["status"]) for row in hooks)
    assert lost_of(hooks, rows) == []
    assert (account.balanced, account.in_flight) == (True, 0), str(account)


def nothing_shows_a_secret(folder, said):
    """Look for every configured secret in all that the run has left behind."""
    hidden = []
    for account in access.accounts(seed=1).values():
        hidden += [account.api_key, account.webhook_secret]
    files = [file for file in folder.rglob("*") if file.is_file()]
    left = [file.read_bytes() for file in files] + [text.encode() for text in said]
    assert len(files) > 3
    for secret in filter(None, hidden):
        assert not any(secret.encode() in text for text in left)
