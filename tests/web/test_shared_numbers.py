"""Numbers of several processes: none is lost, and nobody who was stopped holds up the others."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.core.model.syncs import Rate
from bridge.web.receiver.counters import Counters
from bridge.web.receiver.rates import RateMeter
from bridge.web.receiver.shared_numbers import ROOM, SIZE, SharedNumbers
from tests.web.receiver import Hands

ROOT = Path(__file__).parents[2]
TIMES = 3000
ADD = f"""
import sys
from pathlib import Path
from bridge.web.receiver.shared_numbers import SharedNumbers
numbers = SharedNumbers(Path(sys.argv[1]), patience=60.0)  # however busy the machine is
print("ready", flush=True)
sys.stdin.read()
for number in range({TIMES}):
    numbers.add("all")
    numbers.add(f"{{sys.argv[2]}} {{number % 7}}")
"""


HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path):
    found = tmp_path / "numbers"
    with found.open("wb") as made:
        made.truncate(SIZE)
    return found


def started(file, name):
    return subprocess.Popen(
        [sys.executable, "-c", ADD, str(file), name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def test_what_processes_count_at_once_is_all_there(file):
    processes = [started(file, name) for name in ("a", "b", "c")]
    for each in processes:
        assert each.stdout.readline() == b"ready\n"
    for each in processes:
        each.stdin.close()
    assert [each.wait(120) for each in processes] == [0, 0, 0]
    for each in processes:
        each.stdout.close()
    numbers = SharedNumbers(file)
    assert numbers.beginning("all") == {"all": 3 * TIMES}
    for name in ("a", "b", "c"):
        assert sum(numbers.beginning(f"{name} ").values()) == TIMES
        assert len(numbers.beginning(f"{name} ")) == 7


def test_one_that_is_stopped_as_it_counts_holds_nobody_up(file):
    numbers = SharedNumbers(file)
    numbers.add("all")
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLD,
            str(file),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        holder.send_signal(signal.SIGSTOP)
        for _ in range(100):
            numbers.add("all")
        assert numbers.beginning("all") == {"all": 101}
    finally:
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()
    with file.open("r+b") as free:  # who has died holds nothing
        fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_one_that_was_killed_within_a_new_name_spoils_no_other(file):
    name = b"count:a long name of which nobody knows yet"
    with file.open("r+b") as dying:  # the name is written, that there is one more is not
        dying.seek(SIZE // (ROOM + 1))
        dying.write(name)
    first, second = SharedNumbers(file), SharedNumbers(file)
    first.add("count:a")
    second.add("count:a")
    assert SharedNumbers(file).beginning("") == {"count:a": 2}


def test_without_its_turn_a_process_counts_what_is_known_and_adds_no_name(file):
    first, second = SharedNumbers(file), SharedNumbers(file)
    first.add("known")
    with file.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for numbers, other in ((first, "a"), (second, "b")):
            numbers.add("known")
            numbers.add(other, 1e9)
        assert SharedNumbers(file).beginning("") == {"known": 3}


def test_a_rate_is_that_of_all_processes_together(file):
    first, second = (RateMeter(Hands(), SharedNumbers(file), "taken") for _ in range(2))
    other, rates = RateMeter(Hands(), SharedNumbers(file), "refused"), (Rate(3, 10.0),)
    waits = [meter.wait("a", rates) for meter in (first, second, first, second, first)]
    assert [round(wait, 2) for wait in waits] == [0, 0, 0, 3.33, 3.33]
    assert other.wait("a", rates) == 0
    assert second.wait("b", rates) == 0


def test_counters_are_those_of_all_processes_together(file):
    first, second = (Counters(SharedNumbers(file)) for _ in range(2))
    first.accepted("helpdesk", "accepted")
    second.accepted("helpdesk", "accepted")
    second.refused("", "UnknownConnection")
    first.accepted("desk", "duplicate")
    assert first.lines() == second.lines()
    assert 'bridge_webhooks_total{connection="helpdesk",status="accepted"} 2' in first.lines()
    assert first.count("", "UnknownConnection") == second.count("", "UnknownConnection") == 1


def test_more_names_than_there_is_room_for_harm_none_of_those_before():
    numbers = SharedNumbers()
    for number in range(ROOM + 5):
        numbers.add(f"name {number}")
    assert len(numbers.beginning("name ")) == ROOM
    assert set(numbers.beginning("name ").values()) == {1}
    numbers.add("x" * 1000)
    assert numbers.beginning("x") == {}
