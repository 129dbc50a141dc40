"""Nothing is lost when a worker or the receiver is killed in the middle of its work; others start in its place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]
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


@pytest.mark.parametrize("victim", ["worker", "web"])
def test_a_kill_in_the_middle_of_a_demo_loses_nothing(tmp_path, victim):
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "demo", "--tickets", "12", "--edits", "48", "--rate", "8", "--json"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
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
    for _ in range(2):
        time.sleep(2)
        for number, words in children(process.pid).items():
            if victim in words:
                os.kill(number, signal.SIGKILL)
                killed.append(number)
    output, said = process.communicate(timeout=250)
    assert killed, "".join(before) + said
    assert process.returncode == 0, output + said
    report = json.loads(output.splitlines()[-1])
    assert (report["converged"], report["duplicates"], report["lost_edits"], report["echo_writes"]) == (True, 0, 0, 0)
