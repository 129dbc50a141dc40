from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.supervisor.processes import PARENT, Child, ChildFailed, Children, free_port


class Scripted(Child):
    """A child that runs a line of Python instead of the bridge."""

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", *self.command], process_group=0)
        self.started = time.monotonic()


@contextlib.contextmanager
def children(*, vital: bool = False, code: str):
    said: list[str] = []
    family = Children(said.append, dict(os.environ))
    child = Scripted("it", [code], dict(os.environ), vital)
    child.start()
    family.running.append(child)
    try:
        yield family, child, said
    finally:
        family.stop()


def restart_until(family: Children, done) -> None:
    until = time.monotonic() + 20
    while not done():
        family.restart_ended()
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_child_that_ends_is_started_again_after_a_pause():
    with children(code="raise SystemExit(3)") as (family, child, said):
        first = child.process.pid
        restart_until(family, lambda: child.process is not None and child.process.pid != first)
        assert said[0] == "it ended with code 3; starting it again in 0.5 s"
        restart_until(family, lambda: len(said) == 2)
        assert said[1].endswith("in 1 s")


def test_a_child_that_cannot_be_replaced_ends_the_whole():
    with children(code="raise SystemExit(1)", vital=True) as (family, child, _):
        child.process.wait()
        with pytest.raises(ChildFailed, match="it ended with code 1"):
            family.restart_ended()


def test_a_child_that_cannot_work_as_configured_is_not_tried_again():
    with children(code="raise SystemExit(2)") as (family, child, _):
        child.process.wait()
        with pytest.raises(ChildFailed, match="code 2"):
            family.restart_ended()


def test_a_child_that_cannot_work_once_all_have_begun_is_tried_again():
    with children(code="raise SystemExit(2)") as (family, child, said):
        family.have_begun = True
        first = child.process.pid
        restart_until(family, lambda: child.process is not None and child.process.pid != first)
        assert said == [
            "it cannot start, for the reason above; all others go on; trying it again in 0.5 s"
        ]


def test_a_child_that_has_run_and_cannot_start_any_more_is_tried_again_and_told_of(tmp_path):
    told: list[tuple[str, str]] = []
    code = (
        "import pathlib, sys, time\n"
        f"place = pathlib.Path({str(tmp_path)!r})\n"
        "if (place / 'mended').exists(): time.sleep(60)\n"
        "ran = (place / 'ran').exists(); (place / 'ran').touch()\n"
        "raise SystemExit(2 if ran else 9)\n"
    )
    with children(code=code) as (family, child, said):
        family.have_begun = True
        family.tell = lambda name, trouble: told.append((name, trouble))
        restart_until(family, lambda: len(said) == 3)
        assert said[0] == "it ended with code 9; starting it again in 0.5 s"
        assert said[1].startswith("it cannot start, for the reason above; all others go on")
        assert said[2].endswith("trying it again in 2 s")
        assert told == [("it", "it ended with code 2, and the log says why")]
        (tmp_path / "mended").touch()
        restart_until(family, lambda: len(told) == 2)
        assert told[1] == ("it", "")
        assert child.ended() is None


def test_all_but_the_vital_ones_are_started_again_by_one_word():
    with children(code="import time; time.sleep(60)") as (family, child, said):
        vital = Scripted("vital", ["import time; time.sleep(60)"], dict(os.environ), vital=True)
        vital.start()
        family.running.append(vital)
        first, kept = child.process.pid, vital.process.pid
        family.restart_all()
        family.restart_ended()
        assert child.process.pid != first
        assert vital.process.pid == kept
        assert (child.failures, said) == (0, [])


def test_stop_ends_them_politely():
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print(flush=True)\n"
        "time.sleep(60)\n"
    )
    with children(code="import time; time.sleep(60)") as (family, _, said):
        polite = Scripted("polite", [code], dict(os.environ))
        polite.process = subprocess.Popen(
            [sys.executable, "-c", code], process_group=0, stdout=subprocess.PIPE
        )
        polite.process.stdout.readline()
        family.running.append(polite)
        process = polite.process
        family.stop()
        assert process.returncode == 7
        process.stdout.close()
        assert family.running == []
        assert said == []


def test_children_end_when_their_parent_is_killed():
    child = (
        "import time\n"
        "from bridge.supervisor.processes import watch_parent\n"
        "watch_parent()\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = (
        "import os, subprocess, sys, time\n"
        f"os.environ[{PARENT!r}] = str(os.getpid())\n"
        f"command = [sys.executable, '-c', {child!r}]\n"
        "child = subprocess.Popen(command, stdout=subprocess.PIPE, process_group=0)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True
    ) as process:
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
    until = time.monotonic() + 15
    while time.monotonic() < until and alive(pid):
        time.sleep(0.05)
    assert not alive(pid)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_taken_port_gives_way_to_the_next():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < free_port("127.0.0.1", port) <= port + 49


def test_a_free_port_is_taken_as_it_is():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert free_port("127.0.0.1", port) == port


def test_a_host_that_is_not_ours_is_named():
    with pytest.raises(ConfigError, match=r"203\.0\.113\.7"):
        free_port("203.0.113.7", 18080)
