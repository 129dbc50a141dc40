"""Mappings are published and taken back while edits go on; no process starts again for it."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
from sqlalchemy import select

from bridge.ledger import configurations
from bridge.ledger.tables import attempt, create_intent
from bridge.runs import adoption
from tests.processes.kit import UNEDITED, Kit

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.timeout(600)]
HELD = ("on_hold: pending,", "on_hold: open,")


@pytest.fixture
def kit(database, tmp_path):
    """The bridge as processes, two workers among them, with its mappings in the ledger."""
    made = Kit(tmp_path, database=database.url)
    settings = made.settings.home / "config" / "bridge.yaml"
    settings.write_text(f"mappings: ledger\n{settings.read_text()}")
    with made:
        made.begin(12)
        yield made


def command(kit, *arguments):
    """Type a command beside the running bridge, which goes on meanwhile."""
    environ = {**os.environ, "BRIDGE_HOME": str(kit.settings.home)}
    words = [sys.executable, "-m", "bridge", *arguments]
    with subprocess.Popen(words, env=environ, stdout=-1, stderr=-1, text=True) as typed:
        kit.wait(lambda: typed.poll() is not None, "the command to end")
        said, errors = typed.communicate()
    assert typed.returncode == 0, errors
    return said


def mappings(kit, *arguments):
    return json.loads(command(kit, "mappings", *arguments, "--yes", "--json").splitlines()[-1])


def edit_table(kit):
    """Let tickets that are on hold be open in Switch from the next revision on."""
    mapping = kit.settings.home / "mappings" / "switch.yaml"
    text = mapping.read_text()
    assert HELD[0] in text
    mapping.write_text(text.replace(*HELD))


def all_go_by_the_newest(kit):
    with kit.bridge.ledger.read() as tx:
        in_force = configurations.newest_revision(tx)
        running = adoption.running(tx, kit.bridge.context)
    assert {each.kind for each in running} == {"up", "web", "worker", "clock"}
    return all(each.revision == in_force for each in running)


def numbers(kit):
    return {child.name: child.process.pid for child in kit.children.running}


def tickets_on_hold(kit, count):
    """Let somebody put tickets on hold in PostHog; return their connection and ids in Switch."""
    box, _ = kit.any_ticket("posthog")
    here = next(name for name, sandbox in kit.sandboxes.items() if sandbox is box)
    there = next(name for name, sandbox in kit.sandboxes.items() if sandbox.system == "switch")
    alone = [kit._refs.get(origin, {}) for origin in kit.origins[-UNEDITED:]]
    both = [refs for refs in alone if {here, there} <= refs.keys()][-count:]
    for refs in both:
        box.post("edit", id=refs[here], fields={"status": "on_hold"})
    return there, [refs[there] for refs in both]


def statuses(kit, connection, ids):
    return {kit.record(connection, each)["status"] for each in ids}


@contextlib.contextmanager
def asleep(kit, name):
    """Let a process do nothing in the block, as on a machine that is put to sleep."""
    child = next(each for each in kit.children.running if each.name == name)
    numbers = kit.family(child)
    for number in numbers:
        os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGCONT)


def test_a_published_table_counts_from_the_next_edit_on_until_it_is_taken_back(kit):
    before = numbers(kit)
    kit.work(4)
    edit_table(kit)
    assert mappings(kit, "publish")["revision"] == 2
    there, [remote_id] = tickets_on_hold(kit, 1)
    kit.wait(
        lambda: kit.record(there, remote_id)["status"] == "open",
        "the edit to be mirrored by the new table",
    )
    kit.wait(lambda: all_go_by_the_newest(kit), "all processes to take the revision up")
    kit.work(4)
    assert mappings(kit, "rollback", "1", "--undo")["revision"] == 3
    kit.wait(
        lambda: kit.record(there, remote_id)["status"] == "pending",
        "the ticket to be as the old table says",
    )
    kit.work(4)
    assert numbers(kit) == before
    kit.check()
    with kit.bridge.ledger.read() as tx:
        decided = {
            table.name: set(tx.execute(select(table.c.mapping_revision)).scalars())
            for table in (attempt, create_intent)
        }
    assert {2, 3} <= decided["attempt"] <= {1, 2, 3}
    assert 1 in decided["create_intent"]
    assert None not in decided["create_intent"]


def test_a_paused_run_outlives_its_workers_and_one_that_slept_knows_of_it(kit):
    there, held = tickets_on_hold(kit, 2)
    kit.wait(lambda: statuses(kit, there, held) == {"pending"}, "two tickets to be on hold")
    kit.wait_until_quiet()  # a record that is read again goes by the mapping in force at once
    workers = [child.name for child in kit.children.running if child.name.startswith("worker")]
    assert len(workers) == 2
    edit_table(kit)
    line = kit.cut(there)  # so that the run has something left to be paused
    with asleep(kit, workers[0]):
        run = str(mappings(kit, "publish")["run"])
        command(kit, "runs", "pause", run, "--yes")
    kit.kill(workers[1])
    line.mend()
    # What people do goes on, by the one that slept and by the one that is new.
    kit.work(6)
    kit.wait(lambda: all_go_by_the_newest(kit), "all processes to take the revision up")
    here = next(name for name, box in kit.sandboxes.items() if box.system == "posthog")
    kit.arrives(here, there)
    assert statuses(kit, there, held) == {"pending"}
    assert json.loads(command(kit, "runs", "show", run, "--json"))["state"] == "paused"
    command(kit, "runs", "resume", run, "--yes")
    kit.wait(lambda: statuses(kit, there, held) == {"open"}, "the run to go on")
    mappings(kit, "rollback", "1", "--undo")
    kit.wait(lambda: statuses(kit, there, held) == {"pending"}, "it to be taken back")
    kit.check()
