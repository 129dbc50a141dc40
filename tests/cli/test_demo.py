"""The demo judges from outside, and says no when there is reason to."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from bridge.cli.demo_report import print_report
from bridge.sandbox.deployments import parse, written
from bridge.sandbox.registry import sandbox_class, systems
from bridge.verify import report as verify

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]
PROMISED = {
    "converged", "duplicates", "lost_edits", "echo_writes", "conflicts_open", "tickets",
    "edits_applied", "conflicting_edits", "writes", "faults", "latency_ms", "latency_polled_ms",
    "seed", "seconds", "systems",
}  # fmt: skip


def demo(tmp_path, *arguments: str) -> subprocess.CompletedProcess[str]:
    temporary = tmp_path / "tmp"
    temporary.mkdir(exist_ok=True)
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(temporary),
    }
    # What the machine is set up for must not be touched by a demo.
    environ |= {
        "BRIDGE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "BRIDGE_REDIS_URL": "redis://127.0.0.1:1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "demo", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert os.listdir(temporary) == []  # noqa: PTH208 - the throw-away home was thrown away
    return done


def test_it_converges_and_its_journals_can_be_checked_again(tmp_path):
    done = demo(
        tmp_path,
        "--tickets",
        "12",
        "--edits",
        "30",
        "--json",
        "--journals",
        str(tmp_path / "journals"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report.keys() >= PROMISED
    assert (
        report["converged"],
        report["duplicates"],
        report["lost_edits"],
        report["echo_writes"],
    ) == (True, 0, 0, 0)
    assert report["tickets"] == 12
    assert report["conflicting_edits"] >= 0.1 * report["edits_applied"]
    assert set(report["systems"]) == {"helpdesk", "product", "desk", "feedback", "screens"}
    idle = [
        name
        for name, counts in report["systems"].items()
        if not (counts["read"] and counts["mirrored"])
    ]
    assert idle == []
    rows = [
        json.loads(line)
        for line in (tmp_path / "journals" / "journal.jsonl").read_text().splitlines()
    ]
    written = {
        row["connection"]
        for row in rows
        if row["actor"] == "bridge" and row["kind"] in {"write", "create"}
    }
    assert written == set(report["systems"]) - {"screens"}, (
        "of the five, only screens can't be written"
    )
    assert f"python -m bridge.verify {tmp_path / 'journals'}" in done.stderr.replace("\n", "")
    again = subprocess.run(
        [sys.executable, "-m", "bridge.verify", str(tmp_path / "journals")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0
    assert json.loads(again.stdout)["edits_applied"] == report["edits_applied"]


def test_without_a_single_webhook_it_converges_by_reconciliation_alone(tmp_path):
    done = demo(tmp_path, "--faults=webhooks=0", "--tickets", "4", "--edits", "8", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert (
        report["converged"],
        report["duplicates"],
        report["lost_edits"],
        report["echo_writes"],
    ) == (True, 0, 0, 0)
    sent = sum(system.get("webhook", 0) for system in report["systems"].values())
    assert report["edits_applied"] > 0
    assert 0 < sent == report["faults"]["webhook-lost"]


def test_a_deployment_that_was_drawn_is_printed_and_converges_as_well(tmp_path):
    done = demo(
        tmp_path,
        "--deployment",
        "random",
        "--seed",
        "3",
        "--tickets",
        "4",
        "--edits",
        "6",
        "--json",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    vendors = [sandbox_class(system) for system in systems()]
    assert report["deployment"] == written(parse("random", vendors, 3)) != ""
    assert (report["converged"], report["undocumented_calls"]) == (True, 0)


def test_without_a_worker_it_fails_in_bounded_time(tmp_path):
    done = demo(tmp_path, "--tickets", "4", "--edits", "4", "--without", "worker", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["converged"] is False


def test_people_get_a_table():
    report = verify.Report(
        converged=True, tickets=4, systems={"desk": {"tickets": 4, "read": 9}}
    ).as_dict()
    report |= {
        "latency_ms": {"p50": 1.5, "p95": 2.0},
        "latency_polled_ms": {"p50": None, "p95": None},
    }
    shown = io.StringIO()
    print_report(Console(file=shown, width=100), report | {"seed": 1, "seconds": 0.5}, ok=True)
    assert "all sides agree" in shown.getvalue()
    assert "needless writes" in shown.getvalue()
    assert "p50 1.5 ms, p95 2.0 ms" in shown.getvalue()
    assert "tickets 4  read 9" in shown.getvalue()
