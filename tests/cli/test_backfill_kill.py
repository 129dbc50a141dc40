"""An import that is killed again and again ends as one that was left alone: everything once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.queue.embedded_valkey import Embedded
from bridge.sandbox import server
from bridge.sandbox.server import Spec

pytestmark = [pytest.mark.processes, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[2]
COUNT = 5000 if os.environ.get("BRIDGE_FULL_TESTS") else 120
KILLS = 10
SYNCS = """\
tickets:
  entity: ticket
  members: {helpdesk: {create: true}, product: {}}
  fields: {"*": latest}
  precedence: [helpdesk, product]
"""


@pytest.fixture
def served():
    specs = [Spec("switch", name="helpdesk"), Spec("posthog", name="product")]
    running = server.serve(specs, port_base=0, seed=4)
    running.apps["posthog"].populate(COUNT, 1)
    yield running
    running.stop()


@pytest.fixture
def valkey(tmp_path):
    with Embedded(tmp_path / "run") as found:
        yield found.url


def command(home, served, valkey):
    (home / "config").mkdir(parents=True)
    shutil.copytree(ROOT / "mappings", home / "mappings")
    (home / "mappings" / "syncs.yaml").write_text(SYNCS)
    (home / "mappings" / "agents.yaml").write_text("agents: []\n")
    keys = {system: app.api_key for system, app in served.apps.items()}
    (home / "config" / "bridge.yaml").write_text(
        "redis: ${BRIDGE_REDIS_URL:-embedded}"
        "\n"
        "connections:\n"
        f'  helpdesk: {{system: switch, base_url: "{served.urls["switch"]}/api/v1", '
        f'credentials: {{api_key: "{keys["switch"]}"}}}}\n'
        f'  product: {{system: posthog, base_url: "{served.urls["posthog"]}", project_id: "12345", '
        f'credentials: {{api_key: "{keys["posthog"]}"}}}}\n'
    )
    words = [sys.executable, "-m", "bridge", "--home", str(home)]
    around = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "BRIDGE_REDIS_URL": valkey,
    }
    subprocess.run([*words, "db", "upgrade"], env=around, check=True, capture_output=True)
    return lambda: subprocess.Popen(
        [*words, "backfill", "tickets", "--json"],
        env=around,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def made(app):
    return len(
        [row for row in app.journal.since() if row.kind == "create" and row.actor == "bridge"]
    )


def test_ten_kills_change_nothing_about_the_result(tmp_path, served, valkey):
    source, target = served.apps["posthog"], served.apps["switch"]
    begin, rng, in_the_middle = command(tmp_path / "home", served, valkey), random.Random(7), 0
    for number in range(KILLS):
        process = begin()
        # From the start of the process or, once it has created some, from a random moment of its
        # work.
        goal = (number + 1) * COUNT // (KILLS + 2)
        until = time.monotonic() + 120
        while made(target) < goal and process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(rng.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        in_the_middle += process.returncode == -signal.SIGKILL and 0 < made(target) < COUNT
    process = begin()
    said, _ = process.communicate(timeout=1500)
    assert process.returncode == 0, said
    assert in_the_middle >= KILLS // 2, "the kills came before or after the work"
    assert made(target) == COUNT
    assert made(source) == 0
    # As an import that nobody disturbs leaves it: each customer's ticket of the source once.
    askers = sorted(each["anonymous_traits"]["email"] for each in source.tickets())
    assert sorted(each["customer"]["email"] for each in target.tickets()) == askers
