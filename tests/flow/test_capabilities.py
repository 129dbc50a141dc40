"""What a system turns out not to do, and sources that turn out empty."""

from dataclasses import replace
from datetime import timedelta

from bridge.core.model.capabilities import Support
from bridge.core.model.syncs import Guard
from bridge.errors import Refused
from bridge.ledger import conflict_log, probes, run_records
from bridge.queue.redis_budget import MemoryBudget
from tests.flow.world import World, born


def test_a_probed_create_that_is_refused_is_withdrawn_for_the_connection(ledger):
    world = World(ledger, names="LH")
    member = world.context.syncs["tickets"].members["H"]
    object.__setattr__(member, "create", "probed")

    def create(_draft):
        raise Refused("H", "answered 405", status=405)

    world.connectors["H"].create = create
    remote_id = world.systems["L"].add(subject="s", status="open", tags=[])
    world.hint("L", remote_id)
    world.settle()
    with world.ledger.read() as tx:
        assert probes.findings(tx, "H") == {"create ticket": False}
    other = world.systems["L"].add(subject="t", status="open", tags=[])
    world.hint("L", other)
    world.settle()
    assert world.systems["H"].ids == []


def test_a_scan_of_an_emptied_source_stops_and_says_so(world):
    """Also where the sync's guard would let all of it go at once."""
    syncs = world.context.syncs
    syncs["tickets"] = replace(syncs["tickets"], guard=Guard(share=1.0))
    for number in range(11):
        world.systems["L"].add(subject=f"ticket {number}", status="open", tags=[])
    world.reconcile()
    for remote_id in list(world.systems["H"].ids):
        world.systems["H"].remove(remote_id)
    world.reconcile()
    with world.ledger.read() as tx:
        last = run_records.last(tx, kind="full", connection="H", entity="ticket")
    assert "lists no records" in last.error
    world.clock.advance(timedelta(hours=1).total_seconds())
    assert [link.sides["H"].tombstone for link in world.links()] == [False] * 11


def test_a_key_of_unknown_worth_is_written_once_and_what_was_ignored_is_not_carried(world):
    system, able = world.systems["H"], world.context.capabilities["H"]["ticket"]
    system.habits = replace(system.habits, ignores=frozenset({"tags"}))
    probing = able.writable | {"tags": replace(able.writable["tags"], on_update=Support.PROBED)}
    world.context.capabilities["H"]["ticket"] = replace(able, writable=probing)
    ids = born(world)
    before = world.bridge_writes()
    for tags in (["billing"], ["billing", "vip"]):
        world.systems["L"].edit(ids["L"], tags=tags)
        world.hint("L", ids["L"])
        world.settle()
    world.reconcile()
    assert world.bridge_writes() == before + 1
    with world.ledger.read() as tx:
        assert probes.findings(tx, "H") == {"tags": False}
    assert world.systems["L"].peek(ids["L"])["tags"] == ["billing", "vip"]


def test_f15_a_refused_call_does_not_forget_an_older_write_whose_fate_cannot_be_read(ledger):
    world = World(ledger, names="LP")
    ids = born(world, tags=["a", "b"])
    inbox = world.systems["P"]
    inbox.fail("after", on="update")
    world.systems["L"].edit(ids["L"], tags=["b"])  # our removal lands, its answer is lost ...
    world.hint("L", ids["L"])
    world.drain().run()
    inbox.lapse()  # ... and then the licence: nobody can read what became of it
    world.settle()
    inbox.fail("refused", on="update")
    world.systems["L"].edit(ids["L"], priority="urgent")
    world.hint("L", ids["L"])
    world.settle()
    world.systems["L"].edit(ids["L"], tags=["a", "b"])  # a human wants it back
    world.hint("L", ids["L"])
    world.settle()
    inbox.renew()
    world.reconcile()
    assert sorted(world.systems["L"].peek(ids["L"])["tags"]) == ["a", "b"]
    assert sorted(inbox.peek(ids["P"])["tags"]) == ["a", "b"]
    (link,) = world.links()
    with ledger.read() as tx:
        assert [row["detail"] for row in conflict_log.of_link(tx, link.id)] == []


def test_after_a_429_nobody_calls_until_the_time_that_the_vendor_named(ledger):
    world = World(ledger, names="LH")
    world.context.connections["L"] = replace(world.context.connections["L"], concurrency=1)
    world.context.capabilities["L"]["ticket"] = replace(
        world.context.capabilities["L"]["ticket"], read_batch=1
    )
    calls, read = [], world.connectors["L"].read

    def watched(entity, ids):
        calls.append(world.clock.now())
        return read(entity, ids)

    world.connectors["L"].read = watched
    for number in range(6):
        world.hint("L", world.systems["L"].add(subject=f"s{number}", status="open", tags=[]))
    world.systems["L"].fail("limited", on="read")  # Retry-After: 1 s
    drain = world.drain(budget=MemoryBudget())
    for _ in range(20):
        drain.run()
        world.clock.advance(0.2)
    assert len(calls) > 6
    assert calls[1] - calls[0] >= timedelta(seconds=1)
