"""A whole bridge over sandboxes in one process, with real connectors and virtual time."""

import itertools
import random
import shutil

from click.testing import CliRunner

from bridge import config as configuration
from bridge.cli import main
from bridge.config import SandboxAccount
from bridge.connectors import CONNECTORS, build, connector_class
from bridge.engine import earlier_markers
from bridge.engine.context import Context
from bridge.engine.inline import InlineExecutor
from bridge.engine.worker import Drain
from bridge.home import shipped_folder
from bridge.http.client import Http
from bridge.ledger import links, parking, work
from bridge.ledger.database import Ledger
from bridge.procedures import PROCEDURES
from bridge.runs import reconcile
from bridge.sandbox import access
from bridge.sandbox.registry import sandbox_class, systems
from bridge.sandbox.transport import WSGIAdapter
from bridge.simulate.virtual_time import Skewed
from tests.cli.conftest import KEYS
from tests.flow.world import FreeBudget, ManualClock

SWITCH_AND_POSTHOG = """\
tickets:
  entity: ticket
  members: {helpdesk: {create: true}, product: {create: when-supported}}
  match: [[customer, subject]]
  precedence: [helpdesk, product]
  fields:
    "*": latest
    subject: {owner: helpdesk, revert: false}
    description: {owner: helpdesk, revert: false}
    customer: first
    created_at: first
    tags: merge
"""
"""A sync of tickets between the two: `mappings/syncs.yaml`."""


class Estate:
    """Sandboxes, a ledger, the bridge between them; `options` of the sandboxes by connection."""

    def __init__(self, folder, *, files=None, options=None, ledger="sqlite://"):
        self.folder = folder
        for part in ("config", "mappings"):
            shutil.copytree(shipped_folder(part), folder / part)
        self.clock = ManualClock()
        self.limits = FreeBudget()
        accounts = access.accounts({system: f"http://{system}.invalid" for system in systems()})
        self._accounts = {
            system: SandboxAccount(
                base_url=account.base_url,
                credentials={"api_key": account.api_key},
                webhook_secret=account.webhook_secret,
                options=account.options,
            )
            for system, account in accounts.items()
        }
        self.classes = {system: connector_class(system) for system in CONNECTORS}
        self.apps, self._options = {}, options or {}
        self.clocks = {}
        """Each vendor's own; `seconds` makes one wrong."""
        self._sequence = itertools.count(1)  # one for all, as the judge orders what happened by it
        self.ledger = Ledger(ledger)
        self.ledger.upgrade()
        self.start(files)

    def start(self, files=None):
        """Begin, or begin anew with other files: only sandboxes and ledger stay."""
        for name, text in (files or {}).items():
            (self.folder / name).write_text(text)
        self.config = configuration.load(
            self.folder, environ={}, sandbox=self._accounts, connectors=self.classes
        )
        self.connectors, self.calls = {}, []
        for name, connection in self.config.connections.items():
            if name not in self.apps:
                self.clocks[name] = Skewed(self.clock)
                self.apps[name] = sandbox_class(connection.system)(
                    self.clocks[name],
                    random.Random(name),
                    api_key=self._accounts[connection.system].credentials["api_key"],
                    name=name,
                    options=self._options.get(name, {}),
                    sequence=self._sequence,
                )
            http = Http(
                connection,
                clock=self.clock,
                adapter=WSGIAdapter(self.apps[name], self.clock),
                keep=self.calls.append,
            )
            self.connectors[name] = build(connection, http)
        earlier_markers.recognise(self.connectors, self.ledger)
        self.context = Context(
            connections=self.config.connections,
            syncs=self.config.syncs,
            maps=self.config.maps,
            capabilities=self.config.capabilities,
            clock=self.clock,
            rng=random.Random(7),
            directory={name: self.config.agents.table(name) for name in self.config.connections},
            fields=self.config.fields,
        )
        self.drain = Drain(
            self.context,
            self.ledger,
            self.connectors,
            FreeBudget(),
            "drain",
            PROCEDURES,
            pool=InlineExecutor(self.clock),
        )

    def hint(self, name, remote_id, entity="ticket"):
        now = self.clock.now()
        with self.ledger.transaction() as tx:
            work.enqueue(
                tx,
                kind="observe",
                key=f"observe:{name}:{entity}:{remote_id}",
                connection=name,
                entity=entity,
                remote_id=str(remote_id),
                due_at=now,
                now=now,
            )
        self.settle()

    def settle(self):
        """Work, and let time pass, until nothing is left that time alone would bring."""
        for _ in range(200):
            self.drain.run()
            with self.ledger.read() as tx:
                due = work.next_due(tx, self.clock.now())
            if due is None:
                return
            self.clock.advance(max(0.0, (due - self.clock.now()).total_seconds()) + 0.001)
        raise AssertionError("never comes to rest")

    def reconcile(self, *kinds):
        """Run the scheduled jobs of every sync once: all full ones, unless told otherwise."""
        for kind in kinds or ("full",):
            for sync in self.context.syncs.values():
                for name in sync.members:
                    with self.ledger.transaction() as tx:
                        reconcile.start(tx, name, sync.entity, kind, self.clock.now())
            self.settle()

    def links(self, entity="ticket"):
        with self.ledger.read() as tx:
            found = links.load(tx, links.ids(tx, limit=10_000)).values()
        return [link for link in found if link.entity == entity]

    def refs(self, name, remote_id, entity="ticket"):
        """The records that are the same thing, by connection."""
        for link in self.links(entity):
            if name in link.sides and link.sides[name].remote_id == str(remote_id):
                return {each: side.remote_id for each, side in link.live().items()}
        return {}

    def parked(self):
        with self.ledger.read() as tx:
            return parking.parked(tx)

    def journal(self, name, *kinds, actor="bridge"):
        return [
            row
            for row in self.apps[name].journal.since()
            if row.kind in kinds and row.actor == actor
        ]

    @classmethod
    def on_disk(cls, folder, **more):
        """Make one whose ledger commands can open."""
        (folder / "var").mkdir(parents=True)
        return cls(folder, ledger=f"sqlite:///{folder}/var/bridge.db", **more)

    def command(self, *words):
        """Give a command in its home; gives what it said."""
        done = CliRunner().invoke(
            main, ["--home", str(self.folder), *words], env=KEYS, prog_name="bridge"
        )
        assert done.exit_code == 0, done.output
        return done.output
