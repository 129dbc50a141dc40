"""A home with one Upscope account whose sandbox listens, and commands that are given by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

from bridge.ledger.database import Ledger
from bridge.sandbox import server
from bridge.sandbox.server import Spec

ROOT = Path(__file__).resolve().parents[2]
JO = "jo.hand@customer.example"
OTHERS = """\
  helpdesk:
    system: switch
    base_url: "https://switch.example/api/v1"
    credentials: {api_key: "a-key-of-switch"}
  product:
    system: posthog
    base_url: "https://posthog.example"
    project_id: "1"
    credentials: {api_key: "phx-key"}
"""
SYNCS = """\
tickets:
  entity: ticket
  members: {helpdesk: {}, product: {}}
  fields: {"*": latest}
  precedence: [helpdesk, product]
"""


class Hand:
    """The home, its ledger, and the sandbox behind `screens`."""

    def __init__(self, run, home):
        self.served = server.serve([Spec("upscope", name="screens")], port_base=0, seed=4, hang=0.1)
        self.box = self.served.apps["upscope"]
        (home / "config").mkdir(parents=True)
        shutil.copytree(ROOT / "mappings", home / "mappings")
        (home / "mappings" / "syncs.yaml").write_text(SYNCS)
        (home / "mappings" / "agents.yaml").write_text("agents: []\n")
        self.address = self.served.urls["upscope"]
        (home / "config" / "bridge.yaml").write_text(
            "connections:\n"
            f'  screens: {{system: upscope, base_url: "{self.address}/v1.1", timeout: 5, '
            f'credentials: {{api_key: "{self.box.api_key}"}}}}\n' + OTHERS
        )
        self.home, self._run = home, run
        made = run("--home", str(home), "db", "upgrade")
        assert made.exit_code == 0, made.output
        self.ledger = Ledger(f"sqlite:///{home / 'var' / 'bridge.db'}")

    def __call__(self, *arguments, keys=""):
        return self._run("--home", str(self.home), *arguments, keys=keys)

    def kept(self):
        """Give everything that was stored in the home, and in the ledger."""
        return "\n".join(
            path.read_bytes().decode("latin-1") for path in self.home.rglob("*") if path.is_file()
        )

    def calls(self, kind):
        return [
            entry
            for entry in self.box.journal.since()
            if entry.kind == kind and entry.actor == "bridge"
        ]

    def close(self):
        self.ledger.close()
        self.served.stop()
