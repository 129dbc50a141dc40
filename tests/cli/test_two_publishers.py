"""Two admins publish at the same time, each in a process of their own: both have their runs."""

import os
import subprocess
import sys
import threading

import pytest

from bridge.errors import Busy
from bridge.operations import mapping_runs, run_acts
from tests.cli.test_effect import ON_HOLD, change
from tests.cli.test_published_runs import (
    estate,  # noqa: F401 - a fixture
    in_force,
    mapping_runs_of,
    publish,
    shown,
)
from tests.operations.desks import desk_of

LOW = {
    "low: low, medium: normal, normal: normal,": "low: normal, medium: low, normal: low,",
    "{low: low, normal: medium,": "{low: medium, normal: low,",
}
"""The help desk's `medium` means low from now on."""


def priorities(estate):  # noqa: F811
    return {row["priority"] for row in estate.apps["product"].tickets()}


class Typed:
    """A command in a process of its own, that asks and is answered."""

    def __init__(self, estate, *words):  # noqa: F811
        command = [sys.executable, "-m", "bridge", "--home", str(estate.folder), "mappings", *words]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(command, env=os.environ, text=True, **pipes)
        self.said = ""
        self.asked = threading.Semaphore(0)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while letter := self.process.stdout.read(1):
            self.said += letter
            if self.said.endswith("[y/N]: "):
                self.asked.release()

    def answer(self, text):
        assert self.asked.acquire(timeout=60), self.said
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def ended(self):
        code = self.process.wait(timeout=60)
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()
        return code


def folder_of(estate, name, rows):  # noqa: F811
    folder = estate.folder / name
    estate.command("mappings", "export", str(folder))
    change(folder, "switch.yaml", rows)
    return str(folder)


def overtaken(estate):  # noqa: F811
    """Let one be asked while another publishes; return the one who is asked."""
    theirs, mine = folder_of(estate, "theirs", ON_HOLD), folder_of(estate, "mine", LOW)
    typed = Typed(estate, "publish", "--from", mine, "--override-unsafe")
    assert typed.asked.acquire(timeout=60), typed.said
    typed.asked.release()
    assert publish(estate, "publish", "--from", theirs)["run"]
    return typed


def test_who_comes_second_is_asked_anew_and_has_a_run_as_well(estate):  # noqa: F811
    typed = overtaken(estate)
    in_force(estate)
    estate.settle()
    typed.answer("y\n")
    typed.answer("y\n")
    assert typed.ended() == 0, typed.said
    assert "revision 2 was published meanwhile" in typed.said
    newest = in_force(estate)
    estate.settle()
    assert newest.number == 3
    assert shown(estate) == {"open": 2, "on_hold": 2}
    assert priorities(estate) == {"low"}
    runs = mapping_runs_of(estate.ledger)
    assert [run.figures["mapping_revision"] for run in runs] == [3, 2]
    assert [run.figures.get("left alone", 0) for run in runs] == [0, 0]


def test_while_the_run_of_the_first_goes_on_the_second_is_told_what_to_do(estate):  # noqa: F811
    publish(estate, "publish", "--from", folder_of(estate, "theirs", ON_HOLD))
    (run,) = mapping_runs_of(estate.ledger)
    with pytest.raises(Busy, match=rf"run {run.id} .*: 0 of 4 tickets.*`bridge runs show"):
        mapping_runs.refuse_beside(desk_of(estate))
    run_acts.pause(desk_of(estate), run.id)
    with pytest.raises(Busy, match="`bridge runs resume"):
        mapping_runs.refuse_beside(desk_of(estate))
    with pytest.raises(AssertionError, match="nothing was published: run"):  # it waits in vain
        publish(estate, "publish", "--from", folder_of(estate, "mine", LOW), "--wait")


def test_who_waits_goes_on_when_the_first_is_through(estate, monkeypatch):  # noqa: F811
    publish(estate, "publish", "--from", folder_of(estate, "theirs", ON_HOLD))
    in_force(estate)
    worker = threading.Thread(target=estate.settle)
    refuse = mapping_runs.refuse_beside

    def looked(desk):
        try:
            refuse(desk)
        except Busy:
            if worker.ident is None:
                worker.start()
            raise

    monkeypatch.setattr(mapping_runs, "refuse_beside", looked)
    publish(estate, "publish", "--from", folder_of(estate, "mine", LOW), "--wait")
    worker.join()
    in_force(estate)
    estate.settle()
    assert shown(estate) == {"open": 2, "on_hold": 2}
    assert priorities(estate) == {"low"}
