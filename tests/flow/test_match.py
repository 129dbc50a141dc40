"""Joining a record to a link, when another worker was quicker by a moment."""

from bridge.core.model.values import Ref
from bridge.flow.match import join
from bridge.ledger import links, matching, timeline
from tests.flow.world import World, born

KEYS = [(0, "digest", None)]


def test_a_record_that_has_been_linked_meanwhile_is_not_joined_again():
    world = World()
    refs = born(world)
    (link,) = world.links()
    sync, now = world.context.syncs["tickets"], world.clock.now()
    with world.ledger.transaction() as tx:
        said = timeline.newest(tx)
        assert not join(tx, sync, Ref("H", "ticket", refs["H"]), link.id, KEYS, now)
    with world.ledger.read() as tx:
        assert timeline.newest(tx) == said
        assert matching.find(tx, "tickets", 0, "digest") == []
        assert links.ids(tx) == [link.id]
    assert world.links() == [link]
