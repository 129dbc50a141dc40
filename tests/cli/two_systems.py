"""A home between the sandboxes of Switch and PostHog, and its commands as processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from bridge.sandbox import server
from bridge.sandbox.server import Spec

ROOT = Path(__file__).resolve().parents[2]
SYNCS = """\
tickets:
  entity: ticket
  members: {helpdesk: {create: true, allow_delete: true}, product: {}}
  fields: {"*": latest}
  precedence: [helpdesk, product]
"""


def serve_both():
    """Serve both sandboxes: `helpdesk` is Switch, `product` is PostHog."""
    specs = [Spec("switch", name="helpdesk"), Spec("posthog", name="product")]
    return server.serve(specs, port_base=0, seed=4)


class TwoSystems:
    """The home; `valkey`: the Redis that it uses, else its commands see to one themselves."""

    def __init__(self, home, served, valkey=""):
        self.home = home
        (home / "config").mkdir(parents=True)
        shutil.copytree(ROOT / "mappings", home / "mappings")
        (home / "mappings" / "syncs.yaml").write_text(SYNCS)
        (home / "mappings" / "agents.yaml").write_text("agents: []\n")
        keys = {system: app.api_key for system, app in served.apps.items()}
        (home / "config" / "bridge.yaml").write_text(
            "redis: ${BRIDGE_REDIS_URL:-embedded}\n"
            "connections:\n"
            f'  helpdesk: {{system: switch, base_url: "{served.urls["switch"]}/api/v1", '
            f'timeout: 3, credentials: {{api_key: "{keys["switch"]}"}}}}\n'
            f'  product: {{system: posthog, base_url: "{served.urls["posthog"]}", '
            f'project_id: "12345", credentials: {{api_key: "{keys["posthog"]}"}}}}\n'
        )
        self._around = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "BRIDGE_REDIS_URL": valkey,
        }
        assert self.run("db", "upgrade").returncode == 0

    def begin(self, *words):
        """Start a command."""
        return subprocess.Popen(
            self._command(words),
            env=self._around,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words):
        """Give a command and wait for its end."""
        return subprocess.run(
            self._command(words),
            env=self._around,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
        )

    def _command(self, words):
        return [sys.executable, "-m", "bridge", "--home", str(self.home), *words]
