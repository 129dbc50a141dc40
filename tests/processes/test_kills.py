"""Processes are killed in the middle of their work and replaced; nothing is missing."""

import pytest

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


@pytest.mark.postgres
@pytest.mark.parametrize("kit", ["postgres"], indirect=True)  # on SQLite: tests/cli/test_kill.py
def test_receiver_worker_and_clock_are_killed_again_and_again(kit):
    for victim in ("worker 1", "web", "clock", "web", "worker 1"):
        kit.work(5)
        kit.kill(victim)
    kit.work(4)
    kit.check()


@pytest.mark.parametrize("kit", ["sqlite"], indirect=True)
def test_all_processes_are_killed_at_once(kit):
    kit.work(8)
    kit.kill("web", "worker 1", "clock")
    kit.work(8)
    kit.check()
