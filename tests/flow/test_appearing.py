"""A vendor that shows a new record late: our own create outweighs that it is not there yet."""

from datetime import timedelta

import pytest

from bridge.core.model.capabilities import longest_appearance
from bridge.errors import UnknownOutcome
from bridge.ledger import conflict_log, probes, timeline
from tests.flow.pair import pair
from tests.flow.world import World

SEEN = {"subject": "It does not print", "status": "open", "priority": "high", "tags": []}


def lagging(world, seconds):
    """H shows a record so long after it was made; give the times at which it was asked."""
    connector, made, asked = world.connectors["H"], {}, []
    create, read = connector.create, connector.read

    def creating(draft):
        record = create(draft)
        made[record.ref.id] = world.clock.now()
        return record

    def reading(entity, ids):
        asked.append(world.clock.now())
        shown = read(entity, ids)
        early = [each for each in ids if (world.clock.now() - made[each]).total_seconds() < seconds]
        return {**shown, **dict.fromkeys(early)}

    connector.create, connector.read = creating, reading
    return asked


def mirrored(world, **values):
    remote_id = world.systems["L"].add(**(SEEN | values))
    world.hint("L", remote_id)
    world.drain().run()
    (link,) = [link for link in world.links() if link.sides["L"].remote_id == remote_id]
    world.hint("H", link.sides["H"].remote_id)  # its webhook comes at once
    return remote_id, link.sides["H"].remote_id


def said(world):
    with world.ledger.read() as tx:
        return [line.kind for link in world.links() for line in timeline.timeline(tx, link.id)]


def conflicts(world):
    with world.ledger.read() as tx:
        return conflict_log.list_open(tx)


@pytest.mark.parametrize("lag", [1, 5, 14])
@pytest.mark.parametrize("delete", ["close", "delete", "ignore"])
def test_a_record_that_is_shown_late_was_never_away(ledger, lag, delete):
    world = World(ledger, "LH")
    sync = world.context.syncs["tickets"]
    object.__setattr__(sync, "delete", delete)
    asked = lagging(world, lag)
    ours, theirs = mirrored(world)
    world.systems["L"].edit(ours, status="pending")
    world.hint("L", ours)
    world.settle()
    assert len(asked) <= 6 + 2 * lag, "it is asked without a pause"
    assert not {"missing", "deleted"} & set(said(world))
    assert conflicts(world) == []
    assert world.systems["H"].peek(theirs)["status"] == "pending"
    assert world.systems["L"].peek(ours)["status"] == "pending"


def test_a_longer_lag_is_learned_by_the_first_and_hurts_no_other(ledger):
    world = World(ledger, "LH")
    object.__setattr__(world.context.syncs["tickets"], "delete", "close")
    lagging(world, 40)
    ours, theirs = mirrored(world)
    world.systems["L"].edit(ours, subject="It prints too much")
    world.settle()
    world.clock.advance(60)
    world.reconcile()
    assert conflicts(world) == []  # what the bridge took for a deletion is taken back
    assert world.systems["L"].peek(ours)["status"] == "open"
    assert world.systems["H"].peek(theirs)["status"] == "open"
    with world.ledger.read() as tx:
        assert 40 <= longest_appearance("ticket", probes.findings(tx, "H")) <= 120
    before = said(world).count("deleted")
    mirrored(world, subject="another")
    world.settle()
    assert said(world).count("deleted") == before


def test_a_record_that_is_deleted_later_is_as_gone_as_any(ledger):
    world = World(ledger, "LH")
    object.__setattr__(world.context.syncs["tickets"], "delete", "close")
    ours, theirs = mirrored(world)
    world.settle()
    world.clock.advance(60)
    world.systems["H"].remove(theirs)
    world.hint("H", theirs)
    world.settle()
    assert world.systems["L"].peek(ours)["status"] == "closed"


def test_whoever_restores_a_record_an_hour_later_teaches_nothing(ledger):
    world = World(ledger, "LH")
    _ours, theirs = mirrored(world)
    world.settle()
    gone = world.connectors["H"].read
    world.clock.advance(60)
    world.connectors["H"].read = lambda _entity, ids: dict.fromkeys(ids)
    world.hint("H", theirs)
    world.settle()
    world.connectors["H"].read = gone
    world.clock.advance(3600)
    world.hint("H", theirs)
    world.settle()
    assert "returned" in said(world)
    with world.ledger.read() as tx:
        assert longest_appearance("ticket", probes.findings(tx, "H")) == 0


@pytest.mark.parametrize("lag", [1, 4, 14])
def test_a_create_without_an_answer_is_looked_for_as_long_as_it_may_not_be_shown(ledger, lag):
    world = World(ledger, "LH")
    connector, made = world.connectors["H"], {}
    create, find = connector.create, connector.find

    def creating(draft):
        record = create(draft)
        made[record.ref.id] = world.clock.now()
        raise UnknownOutcome("H", "the connection was lost")

    def finding(intent):
        late = world.clock.now() - timedelta(seconds=lag)
        return [each for each in find(intent) if made.get(each.ref.id, late) <= late]

    connector.create, connector.find = creating, finding
    world.hint("L", world.systems["L"].add(**SEEN))
    world.settle()
    assert len(made) == 1
    (link,) = world.links()
    assert set(link.live()) == {"L", "H"}


def test_a_listing_that_lags_behind_our_own_write_is_no_edit(tmp_path):
    estate = pair(tmp_path / "home")
    asked = {"subject": "Help", "customer_email": "ann@customer.example", "status": "open"}
    ours = estate.apps["helpdesk"].create(asked)["id"]
    estate.hint("helpdesk", ours)
    theirs = estate.refs("helpdesk", ours)["product"]
    estate.clock.advance(600)
    estate.apps["product"].configure({"list_lag": 4.0})
    estate.apps["helpdesk"].edit(ours, {"status": "closed"})
    estate.hint("helpdesk", ours)
    for _ in range(20):
        estate.hint("product", theirs)  # its own webhooks, and polls
    estate.settle()
    assert estate.apps["helpdesk"].store.get(ours)["status"] == "closed"
    assert estate.apps["product"].store.get(theirs)["status"] == "resolved"
    estate.clock.advance(600)
    estate.apps["product"].edit(theirs, {"status": "pending"})
    estate.clock.advance(600)
    estate.hint("product", theirs)
    assert estate.apps["helpdesk"].store.get(ours)["status"] == "pending"
