"""What changed files mean for the tickets that are known: said, and asked where doubtful."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.core.model.capabilities import Support
from bridge.core.model.syncs import Secret
from bridge.engine import worker_identity
from bridge.errors import NotAccepted, NotPossible, UnknownName
from bridge.ledger import (
    audit,
    catch_up,
    configurations,
    connection_health,
    run_records,
    running_processes,
)
from bridge.operations import renames
from bridge.runs import adoption, configuration_changes, reconcile
from bridge.runs.configuration_changes import KnownRecords
from tests.flow.taken_away import SYNC, LivingWorld
from tests.operations.desks import desk_of


def account(connection, **changed):
    return replace(connection, **{"place": f"https://{connection.name}.example", **changed})


@pytest.fixture
def world():
    made = LivingWorld()
    named = {
        name: account(each, credentials={"api_key": Secret(f"key of {name}")})
        for name, each in made.everything.connections.items()
    }
    made.everything = replace(made.everything, connections=named, revision="first")
    made.start()
    return made.mirror(3)


def with_files(world, **changed):
    """The context of changed files, before anybody has started with it."""
    return replace(world.everything, taken_in={}, _rules={}, **{"revision": "second", **changed})


def renamed(world, old, new, **account_changes):
    """The context of files in which a connection has another name."""

    def names(values):
        return {new if name == old else name: value for name, value in values.items()}

    all_of = world.everything
    sync = all_of.syncs[SYNC]
    connections = names(all_of.connections)
    connections[new] = replace(connections[new], name=new, **account_changes)
    members = {
        name: replace(member, connection=name) for name, member in names(sync.members).items()
    }
    return with_files(
        world,
        connections=connections,
        maps=names(all_of.maps),
        capabilities=names(all_of.capabilities),
        syncs={SYNC: replace(sync, members=members, precedence=tuple(members))},
    )


def said(world, context):
    with world.ledger.read() as tx:
        changes = adoption.compare(tx, context, adoption.count_known(tx))
    return [(change.doubtful, change.text) for change in changes]


def in_sync(world, name, **changed):
    sync = world.everything.syncs[SYNC]
    members = {**sync.members, name: replace(sync.members[name], **changed)}
    return {SYNC: replace(sync, members=members)}


def test_the_same_files_change_nothing(world):
    assert said(world, world.everything) == []
    with world.ledger.read() as tx:
        before = configurations.newest(tx).id
    world.start()
    with world.ledger.read() as tx:
        assert configurations.newest(tx).id == before


def test_a_first_start_needs_nothing():
    world = LivingWorld()
    adoption.adopt(world.ledger, world.context, "start")


def test_a_connection_that_is_gone_is_said_with_its_sides_and_starts(world):
    gone = {name: each for name, each in world.everything.connections.items() if name != "P"}
    sync = world.everything.syncs[SYNC]
    members = {name: each for name, each in sync.members.items() if name != "P"}
    context = with_files(world, connections=gone, syncs={SYNC: replace(sync, members=members)})
    assert said(world, context) == [
        (False, "`P` is gone: 3 sides retire"),
    ]
    adoption.adopt(world.ledger, context, "start")
    # Its account stays known: the same under another name is still told, one start later.
    again = renamed(world, "P", "hog")
    ((doubtful, text), *_) = said(world, replace(again, revision="third"))
    assert doubtful
    assert text == (
        "`hog` is new and `P` gone with the same account: `bridge connection rename P hog` keeps "
        "its 3 records; else each is made again"
    )
    world.start()
    assert said(world, world.everything) == []


@pytest.mark.parametrize(
    ("changed", "alike"),
    [
        ({}, "with the same account"),
        ({"credentials": {"api_key": Secret("another")}}, "at the same address"),
        ({"place": "https://else.example"}, "with the same key at another address"),
    ],
)
def test_a_renamed_connection_is_asked_about_before_anything_is_done(world, changed, alike):
    context = renamed(world, "P", "hog", **changed)
    assert any(doubtful and alike in text for doubtful, text in said(world, context))
    assert not any("joins" in text for _doubtful, text in said(world, context))
    with pytest.raises(NotAccepted, match="bridge connection rename P hog") as refused:
        adoption.adopt(world.ledger, context, "start")
    assert "say --accept" in refused.value.problems[-1]
    with world.ledger.read() as tx:
        assert configurations.newest_revision(tx) == "first"
        assert audit.recent(tx) == []


def test_a_key_that_leads_to_several_projects_does_not_make_them_one(world):
    context = renamed(world, "P", "hog", place="https://P.example project_id 7")
    assert not any(doubtful for doubtful, _text in said(world, context))


def beside(world, sync_members, *, without=(), **of_twin):
    """The context of files in which `hog` is beside P, with the members given in the sync."""
    all_of = world.everything
    twin = replace(all_of.connections["P"], name="hog", **of_twin)
    connections = {**all_of.connections, "hog": twin}
    sync = all_of.syncs[SYNC]
    known = {**sync.members, "hog": replace(sync.members["P"], connection="hog")}
    members = {name: known[name] for name in sync_members}
    return with_files(
        world,
        connections={name: each for name, each in connections.items() if name not in without},
        maps={**all_of.maps, "hog": all_of.maps["P"]},
        capabilities={**all_of.capabilities, "hog": all_of.capabilities["P"]},
        syncs={SYNC: replace(sync, members=members, precedence=tuple(members))},
    )


def test_a_member_that_gives_way_to_its_own_account_is_asked_about(world):
    others = [name for name in world.everything.syncs[SYNC].members if name != "P"]
    new_key = {"credentials": {"api_key": Secret("new")}}
    exchanged = beside(world, [*others, "hog"], **new_key)
    ((doubtful, text), *_) = said(world, exchanged)
    assert doubtful
    assert text == (
        f"`hog` takes the place of `P` in {SYNC} at the same address: its 3 records retire, and "
        "are made again. Give `P` the new key or address instead, or accept it if it is meant so"
    )
    with pytest.raises(NotAccepted):
        adoption.adopt(world.ledger, exchanged, "start")
    adoption.adopt(world.ledger, exchanged, "start", accept=True)
    assert not any(doubtful for doubtful, _text in said(world, replace(exchanged, revision="3")))


def test_a_connection_that_was_there_before_it_took_the_place_is_asked_about(world):
    members = list(world.everything.syncs[SYNC].members)
    idle = beside(world, members)
    assert not any(doubtful for doubtful, _text in said(world, idle))
    adoption.adopt(world.ledger, idle, "start")
    others = [name for name in members if name != "P"]
    taken = replace(beside(world, [*others, "hog"], without=["P"]), revision="third")
    ((doubtful, text), *_) = said(world, taken)
    assert doubtful
    assert "`bridge connection rename P hog` keeps its 3 records" in text


def test_an_acceptance_is_remembered_and_audited(world):
    context = renamed(world, "P", "hog")
    adoption.adopt(world.ledger, context, "local:me", accept=True)
    adoption.adopt(world.ledger, context, "start")  # as a supervisor starts it again
    with world.ledger.read() as tx:
        (row,) = audit.recent(tx)
    assert (row["actor"], row["action"]) == ("local:me", "accept")


def test_another_account_is_no_rename(world):
    context = renamed(
        world, "P", "hog", place="https://else.example", credentials={"api_key": Secret("x")}
    )
    assert not any(doubtful for doubtful, _text in said(world, context))


def test_a_ledger_that_noted_no_account_asks_too(world):
    with world.ledger.transaction() as tx:
        tx.execute(configurations.configuration.delete())
    ((doubtful, text), *_) = said(world, renamed(world, "P", "hog"))
    assert doubtful
    assert "its account was never noted" in text


@pytest.mark.parametrize(
    ("changed", "doubtful", "text"),
    [
        ({"place": "https://P.example 7"}, True, "leads to another account, https://P.example 7"),
        ({"credentials": {"api_key": Secret("new")}}, False, "has another key"),
    ],
)
def test_another_address_project_or_key(world, changed, doubtful, text):
    connections = dict(world.everything.connections)
    connections["P"] = replace(connections["P"], **changed)
    ((asked, words),) = said(world, with_files(world, connections=connections))
    assert (asked, text in words) == (doubtful, True)
    assert not any(key in words for key in ("key of P", "'new'"))


@pytest.mark.parametrize("place", ["https://p.example./", "https://P.example:443//x/.."])
def test_another_spelling_of_the_same_address_is_no_other_account(world, place):
    connections = dict(world.everything.connections)
    connections["P"] = replace(connections["P"], place=place)
    assert said(world, with_files(world, connections=connections)) == []
    ((doubtful, text), *_) = said(world, renamed(world, "P", "hog", place=place))
    assert doubtful
    assert "with the same account" in text


def test_create_that_is_switched_is_said_with_the_tickets_that_lack_a_record(world):
    off = with_files(world, syncs=in_sync(world, "P", create=Support.NO))
    assert said(world, off) == [
        (False, "`create` is off for `P` in tickets: 0 tickets get no record there")
    ]
    adoption.adopt(world.ledger, off, "start")
    on = with_files(world, revision="third")
    assert said(world, on) == [
        (False, "`create` is on for `P` in tickets: up to 0 records are made there")
    ]


def test_another_rule_is_said(world):
    world.start()
    sync = world.everything.syncs[SYNC]
    policies = {**sync.policies, "priority": replace(sync.policies["priority"], policy="manual")}
    context = with_files(world, syncs={SYNC: replace(sync, policies=policies, delete="close")})
    goes_by_them = "what is edited from now on is settled by them"
    assert said(world, context) == [
        (False, f"the rules of {SYNC} are others in delete, fields.priority: {goes_by_them}")
    ]


def test_a_replaced_mapping_is_said_with_the_fields_and_records(world):
    entity_map = world.everything.maps["P"]["ticket"]
    fields = dict(entity_map.fields)
    fields["status"] = replace(fields["status"], revision="another")
    maps = {**world.everything.maps, "P": {"ticket": replace(entity_map, fields=fields)}}
    ((doubtful, text),) = said(world, with_files(world, maps=maps))
    assert not doubtful
    assert text.startswith("the mapping of `P` is another in ticket status: 3 tickets are read")


def test_what_is_read_anew_is_counted_by_entity():
    members = {("tickets", "P"): 12, ("people", "P"): 6, ("tickets", "L"): 9}
    entities = {"tickets": "ticket", "people": "customer"}
    known = KnownRecords(members, {"tickets": 12, "people": 6}, entities)

    def described(revision):
        fields = {"ticket": {"status": revision}, "customer": {"name": revision}}
        return {"connections": {"P": {"fields": fields}}}

    found = configuration_changes._mappings(described("a"), described("b"), known)
    assert [each.text.partition(": ")[2].partition(" read")[0] for each in found] == [
        "12 tickets are",
        "6 customers are",
    ]


def test_a_renamed_sync_is_asked_about(world):
    sync = world.everything.syncs[SYNC]
    context = with_files(world, syncs={"cases": replace(sync, name="cases")})
    ((doubtful, text), *_) = said(world, context)
    assert doubtful
    assert "`bridge sync rename tickets cases` keeps its 3 tickets" in text
    renames.rename_sync(desk_of(world), SYNC, "cases")
    assert not any(asked for asked, _text in said(world, context))


# --- renaming -------------------------------------------------------------------------------------


def test_a_renamed_connection_goes_on_as_before(world):
    for each in world.links():
        world.edit("P", "priority", "low", link=each)
    world.edit("L", "status", "pending", link=world.links()[0])
    world.drain().run(0.1)
    counts = renames.rename_connection(desk_of(world), "P", "hog")
    assert counts["side"] == 3
    context = renamed(world, "P", "hog")
    assert not any(doubtful for doubtful, _text in said(world, context))
    before = {name: len(system.ids) for name, system in world.systems.items()}
    world.context = context
    world.systems["hog"] = world.systems.pop("P")
    world.connectors = {**world.all_connectors}
    world.connectors["hog"] = world.connectors.pop("P")
    world.connectors["hog"].connection = context.connections["hog"]
    adoption.adopt(world.ledger, context, "start")
    world.settle()
    world.reconcile()
    for each in world.links():
        assert set(each.sides) == {"L", "H", "hog"}
        assert each.state["priority"].value == "low"
    assert {name: len(system.ids) for name, system in world.systems.items()} == {
        "L": before["L"],
        "H": before["H"],
        "hog": before["P"],
    }
    assert world.parked() == []
    with world.ledger.read() as tx:
        assert audit.recent(tx)[0]["action"] == "connection rename"


@pytest.mark.parametrize(
    ("of_old", "of_new", "after"),
    [
        (None, "full", "full"),
        ("full", None, "full"),
        ("poll", "full", "full"),
        ("full", "poll", "full"),
        ("done", "full", "full"),
        ("poll", "done", "poll"),
    ],
)
def test_what_there_is_to_catch_up_with_survives_a_rename(world, of_old, of_new, after):
    """A restore marks the names of the files, where the connection is called NEW already."""
    early, late = world.clock.now(), world.clock.now() + timedelta(hours=1)
    with world.ledger.transaction() as tx:
        for name, kind, now in (("P", of_old, early), ("hog", of_new, late)):
            if kind is not None:
                catch_up.begin(tx, [name], kind, "put back", now)
    renames.rename_connection(desk_of(world), "P", "hog")
    with world.ledger.read() as tx:
        left = catch_up.by_connection(tx)
    assert {name: state.kind for name, state in left.items()} == {"hog": after}
    assert left["hog"].since == (early if of_new is None else late)


@pytest.mark.parametrize("paused", ["P", "hog"])
def test_an_operators_pause_survives_a_rename(world, paused):
    now = world.clock.now()
    with world.ledger.transaction() as tx:
        for name in ("P", "hog"):
            connection_health.resume(tx, name)
        connection_health.hold(tx, paused, "for the move", now)
    renames.rename_connection(desk_of(world), "P", "hog")
    with world.ledger.read() as tx:
        health = connection_health.by_name(tx)
    assert {name: row.held_at for name, row in health.items() if name in ("P", "hog")} == {
        "hog": now
    }


def test_every_table_that_names_a_connection_is_renamed():
    from bridge.ledger import renaming, tables

    naming = {
        table.name for table in tables.metadata.sorted_tables if "connection" in table.columns
    }
    assert {table.name for table in renaming.NAMED} == naming


def test_two_connections_or_syncs_cannot_be_made_one(world):
    desk = desk_of(world)
    with pytest.raises(NotPossible, match="3 records of H are known"):
        renames.rename_connection(desk, "P", "H")
    with pytest.raises(NotPossible, match="the same name"):
        renames.rename_connection(desk, "P", "P")
    with pytest.raises(UnknownName, match="connections with records: H, L, P"):
        renames.rename_connection(desk, "hog", "P")
    with pytest.raises(UnknownName, match="syncs with tickets: tickets"):
        renames.rename_sync(desk, "cases", SYNC)
    with pytest.raises(NotPossible, match="3 tickets"):
        renames.rename_sync(desk, SYNC, SYNC)


def test_what_was_begun_for_a_connection_without_records_gets_the_new_name_too(world):
    with world.ledger.transaction() as tx:
        run_id = reconcile.start(tx, "fresh", "ticket", "full", world.clock.now())
    renames.rename_connection(desk_of(world), "fresh", "hog")
    with world.ledger.read() as tx:
        assert run_records.get(tx, run_id).connection == "hog"


def test_nothing_is_renamed_while_the_bridge_runs(world):
    with world.ledger.transaction() as tx:
        name = worker_identity.name("x")
        running_processes.started(tx, name, "worker", "first", world.clock.now())
    with pytest.raises(NotPossible, match=r"running \(worker\): stop it"):
        renames.rename_connection(desk_of(world), "P", "hog")
    with pytest.raises(NotPossible, match="stop it"):
        renames.rename_sync(desk_of(world), SYNC, "cases")


# --- two revisions at once ------------------------------------------------------------------------


def test_a_process_of_older_files_begins_nothing_more(world):
    old = world.context
    world.context = with_files(world)
    adoption.adopt(world.ledger, world.context, "start")
    fresh, world.context = world.context, old
    world.edit("L", "status", "pending", link=world.links()[0])
    drain = world.drain()
    assert drain.run(1.0).claimed == 0
    assert drain.outdated
    world.context = fresh
    world.settle()
    assert world.reads("H", "status", world.links()[0]) == "pending"


def test_processes_are_known_until_they_end(world):
    now, mine, other = world.clock.now(), worker_identity.name("a"), "elsewhere:x:1:2:b"
    with world.ledger.transaction() as tx:
        running_processes.started(tx, mine, "clock", "first", now - timedelta(1))
        running_processes.started(tx, other, "worker", "older", now)
        running_processes.started(tx, mine.rpartition(":")[0] + "x:z", "web", "first", now)
    with world.ledger.read() as tx:
        assert [each.kind for each in adoption.running(tx, world.context)] == ["clock", "worker"]
        outdated = adoption.outdated_processes(tx, world.context)
    assert [each.kind for each in outdated] == ["worker"]
    world.clock.advance(running_processes.GONE_AFTER.total_seconds())
    with world.ledger.read() as tx:
        assert [each.kind for each in adoption.running(tx, world.context)] == ["clock"]
