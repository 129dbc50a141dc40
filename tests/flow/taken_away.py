"""A World whose files change while the ledger lives on: what is taken away, and what comes back."""

from dataclasses import replace

from bridge.ledger import parking
from bridge.runs import adoption, reconcile
from tests.flow.world import World

SYNC = "tickets"


class LivingWorld(World):
    """A World that can be started again with other files; systems and ledger stay."""

    def __init__(self, names="LHP", **policies):
        super().__init__(names=names, **policies)
        self.everything, self.all_connectors = self.context, dict(self.connectors)
        self.start()

    def start(self, **changed):
        """Start the processes with what the files say: as at first, but for these."""
        self.context = replace(self.everything, taken_in={}, _rules={}, **changed)
        self.connectors = {
            name: connector
            for name, connector in self.all_connectors.items()
            if name in self.context.connections
        }
        with self.ledger.transaction() as tx:
            adoption.take_up(tx, self.context)

    def take_away(self, name, *, known=False):
        """Take a connection out of the files; `known`: out of the sync alone."""
        sync = self.everything.syncs[SYNC]
        members = {each: made for each, made in sync.members.items() if each != name}
        left = replace(sync, members=members, precedence=tuple(members))
        kept = set(self.everything.connections) if known else set(members)
        self.start(
            syncs={SYNC: left},
            connections=_of(self.everything.connections, kept),
            maps=_of(self.everything.maps, kept),
            capabilities=_of(self.everything.capabilities, kept),
        )

    def mirror(self, count=1):
        """Make tickets on the first system, and let them be mirrored."""
        for number in range(count):
            made = self.systems["L"].add(
                subject=f"Number {number}", status="open", priority="high", tags=[]
            )
            self.hint("L", made)
        self.settle()
        return self

    def reconcile(self):
        """One full reconciliation of everything that is mirrored."""
        with self.ledger.transaction() as tx:
            reconcile.start_syncs(tx, self.context, self.context.syncs)
        self.settle()

    @property
    def link(self):
        """The one link, with all of its sides."""
        (link,) = self.links()
        return link

    def ref(self, name):
        return f"{name}:{self.link.sides[name].remote_id}"

    def reads(self, name, field, link=None):
        """What a system's record says, in canonical form."""
        link = link or self.link
        data = self.systems[name].record(name, link.sides[name].remote_id).data
        return self.everything.maps[name]["ticket"].canonical(data)[field]

    def edit(self, name, field, value, *, link=None, seen=True):
        """Let a human set a field, by its canonical value."""
        link = link or self.link
        field_map = self.everything.maps[name]["ticket"].fields[field]
        remote_id = link.sides[name].remote_id
        self.systems[name].edit(remote_id, **{field_map.write_key: field_map.write(value)})
        if seen:
            self.hint(name, remote_id)

    def state(self, field):
        return self.link.state[field]

    def parked(self):
        with self.ledger.read() as tx:
            return parking.parked(tx)


def _of(values, names):
    return {name: value for name, value in values.items() if name in names}
