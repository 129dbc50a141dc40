"""Joining a record to a link, when another worker was quicker by a moment."""

import pytest

from bridge.core.values import Ref
from bridge.flow.match import join
from bridge.ledger import journal, links, matching
from tests.flow.world import World, born

KEYS = [(0, "digest", None)]


@pytest.mark.parametrize("found", [False, True], ids=["a link of its own", "a link that matched"])
def test_a_record_that_has_been_linked_meanwhile_is_not_joined_again(found):
    world = World()
    refs = born(world)
    (link,) = world.links()
    sync, now = world.context.syncs["tickets"], world.clock.now()
    with world.ledger.transaction() as tx:
        said = journal.newest(tx)
        other = link.id if found else None
        assert not join(tx, sync, Ref("H", "ticket", refs["H"]), other, KEYS, now, fresh="fresh")
    with world.ledger.read() as tx:
        assert journal.newest(tx) == said
        assert matching.find(tx, "tickets", 0, "digest") == []
        assert links.ids(tx) == [link.id]
    assert world.links() == [link]
