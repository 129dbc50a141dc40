"""Mappings are published and taken back while edits go on; no process starts again for it."""

import json
import os
import subprocess
import sys

import pytest
from sqlalchemy import select

from bridge.ledger import configurations
from bridge.ledger.tables import attempt, create_intent
from bridge.runs import adoption
from tests.processes.kit import Kit

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


def mappings(kit, *arguments):
    """Type a command beside the running bridge, which goes on meanwhile."""
    environ = {**os.environ, "BRIDGE_HOME": str(kit.settings.home)}
    command = [sys.executable, "-m", "bridge", "mappings", *arguments, "--yes", "--json"]
    with subprocess.Popen(command, env=environ, stdout=-1, stderr=-1, text=True) as typed:
        kit.wait(lambda: typed.poll() is not None, "the command to end")
        said, errors = typed.communicate()
    assert typed.returncode == 0, errors
    return json.loads(said.splitlines()[-1])


def all_go_by_the_newest(kit):
    with kit.bridge.ledger.read() as tx:
        in_force = configurations.newest_revision(tx)
        running = adoption.running(tx, kit.bridge.context)
    assert {each.kind for each in running} == {"up", "web", "worker", "clock"}
    return all(each.revision == in_force for each in running)


def numbers(kit):
    return {child.name: child.process.pid for child in kit.children.running}


def ticket_on_hold(kit):
    """Let somebody put a ticket on hold in PostHog; return its id in Switch."""
    box, _ = kit.any_ticket("posthog")
    here = next(name for name, sandbox in kit.sandboxes.items() if sandbox is box)
    there = next(name for name, sandbox in kit.sandboxes.items() if sandbox.system == "switch")
    refs = next(refs for refs in kit._refs.values() if {here, there} <= refs.keys())
    box.post("edit", id=refs[here], fields={"status": "on_hold"})
    return there, refs[there]


def test_a_published_table_counts_from_the_next_edit_on_until_it_is_taken_back(kit):
    before = numbers(kit)
    kit.work(4)
    mapping = kit.settings.home / "mappings" / "switch.yaml"
    text = mapping.read_text()
    assert HELD[0] in text
    mapping.write_text(text.replace(*HELD))
    assert mappings(kit, "publish")["revision"] == 2
    there, remote_id = ticket_on_hold(kit)
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
