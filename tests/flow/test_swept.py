"""What only a full listing shows: it is merged with the direct read that the listing has caused."""

from datetime import timedelta

from bridge.core.model.syncs import FieldPolicy
from bridge.core.model.values import Unreadable
from bridge.ledger import work
from tests.flow.world import World, born


def hidden(world, name, key):
    """From now on direct reads of a system leave a key out."""
    system = world.systems[name]
    shown = system.record

    def record(connection, remote_id):
        found = shown(connection, remote_id)
        if found is None:
            return None
        data = {each: value for each, value in found.data.items() if each != key}
        return found._replace(data=data, unreadable={key: "only a listing shows it"})

    system.record = record
    assert not isinstance(system.record(name, system.ids[0]).data.get(key), Unreadable)


def test_what_only_a_listing_shows_is_merged_unless_we_wrote_since(ledger):
    world = World(ledger, "LH", tags=FieldPolicy("merge"))
    ids = born(world, tags=["a"])
    hidden(world, "H", "tags")

    def sweep(tags, at):
        with world.ledger.transaction() as tx:
            payload = {"swept": {"at": at.isoformat(), "values": {"tags": tags}}}
            now = world.clock.now()
            work.enqueue(
                tx,
                kind="observe",
                key=f"observe:H:ticket:{ids['H']}",
                connection="H",
                entity="ticket",
                remote_id=ids["H"],
                due_at=now,
                now=now,
                payload=payload,
            )
        world.settle()

    before = world.clock.now()
    world.clock.advance(5)
    sweep(["a", "b"], world.clock.now())
    assert sorted(world.systems["L"].peek(ids["L"])["tags"]) == ["a", "b"]
    sweep([], before - timedelta(seconds=60))
    assert sorted(world.systems["L"].peek(ids["L"])["tags"]) == ["a", "b"]
