"""Records that are deleted, leave the scope and come back; agents whom nobody knows."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.connectors.contract import Person
from bridge.core.mapping.agent_table import AgentTable, agent_transform
from bridge.core.model.values import Ref
from bridge.errors import UnknownOutcome
from bridge.flow import people
from bridge.ledger import attempts, hints, parking
from bridge.ledger import directory as stored
from tests.flow.test_outcome import set_aside
from tests.flow.world import StepWorker, World, born


def arranged(ledger, names="LH", *, allow=(), only=None, **changes):
    """A world whose sync says how records end."""
    world = World(ledger, names)
    sync = world.context.syncs["tickets"]
    members = {
        name: replace(member, allow_delete=name in allow) for name, member in sync.members.items()
    }
    if only is not None:
        members["H"] = replace(members["H"], only=only)
    world.context.syncs["tickets"] = replace(sync, members=members, **changes)
    return world


def see(world, name, remote_id):
    world.hint(name, remote_id)
    world.settle()


def about_to_delete(world, remote_id):
    """A worker that has written down a delete at H, of a record that has gone from L."""
    world.hint("L", remote_id)
    worker = StepWorker(world, "worker")
    while worker.place() != "remove/send_attempt.Call1":
        if not worker.step():
            world.clock.advance(1)
    return worker


class TestDelete:
    def test_it_travels_as_a_delete_where_it_may_and_as_closed_elsewhere(self, ledger):
        world = arranged(ledger, "LHP", allow="H", delete="delete")
        ids = born(world)
        world.systems["L"].remove(ids["L"])
        see(world, "L", ids["L"])
        assert world.systems["H"].ids == []
        assert world.systems["P"].peek(ids["P"])["status"] == "resolved"
        writes = world.bridge_writes()
        world.reconcile()
        assert world.bridge_writes() == writes

    @pytest.mark.parametrize(("declared", "status"), [("ignore", "open"), ("close", "closed")])
    def test_without_leave_to_delete_it_closes_or_changes_nothing(self, ledger, declared, status):
        world = arranged(ledger, allow="H", delete=declared)
        ids = born(world, status="open")
        world.systems["L"].remove(ids["L"])
        see(world, "L", ids["L"])
        assert world.systems["H"].peek(ids["H"])["status"] == status

    def test_an_edit_elsewhere_speaks_against_it(self, ledger):
        world = arranged(ledger, allow="H", delete="delete")
        ids = born(world)
        world.systems["L"].remove(ids["L"])
        world.systems["H"].edit(ids["H"], priority="urgent")
        see(world, "L", ids["L"])
        assert world.systems["H"].ids == [ids["H"]]
        (link,) = world.links()
        assert link.state["status"].candidates is not None

    @pytest.mark.parametrize("fault", ["before", "after", "lost", "not sent", "limited"])
    def test_a_delete_that_goes_wrong_is_done_once_all_is_well(self, ledger, fault):
        world = arranged(ledger, allow="H", delete="delete")
        ids = born(world)
        world.systems["H"].fail(fault, on="delete")
        world.systems["L"].remove(ids["L"])
        see(world, "L", ids["L"])
        world.reconcile()
        assert world.systems["H"].ids == []
        assert all(side.tombstone for link in world.links() for side in link.sides.values())

    def test_a_delete_that_never_succeeds_is_set_aside(self, ledger):
        world = arranged(ledger, allow="H", delete="delete")
        ids = born(world)
        calls = []

        def failing(ref):
            calls.append(ref)
            raise UnknownOutcome("H", "answered 500", status=500)

        world.connectors["H"].delete = failing
        world.systems["L"].remove(ids["L"])
        see(world, "L", ids["L"])
        drain = world.drain()
        for _ in range(180):
            drain.run(5)
            world.clock.advance(60)
        assert len(calls) == 12
        assert [row.cause for row in set_aside(world)] == ["in vain"]

    def test_one_that_was_begun_by_a_worker_that_died_is_given_up_when_somebody_edits_elsewhere(
        self, ledger
    ):
        world = arranged(ledger, "LHP", allow="H", delete="delete")
        ids = born(world)
        world.systems["L"].remove(ids["L"])
        about_to_delete(world, ids["L"]).die(after=False)
        world.clock.advance(60)  # its lease has run out
        world.systems["P"].edit(ids["P"], priority="urgent")
        with world.ledger.transaction() as tx:  # it is read before anybody goes on with the removal
            now = world.clock.now()
            hints.give(tx, Ref("P", "ticket", ids["P"]), now, due_at=now - timedelta(hours=1))
        world.settle()
        assert world.systems["H"].peek(ids["H"])["priority"] == "urgent"
        (link,) = world.links()
        assert link.sides["H"].attempt is None

    def test_an_edit_made_just_before_the_call_is_seen_by_the_read_in_it(self, ledger):
        """Between read and delete nothing waits for budget or pool: no edit goes unseen."""
        world = arranged(ledger, allow="H", delete="delete")
        ids = born(world)
        world.systems["L"].remove(ids["L"])
        worker = about_to_delete(world, ids["L"])
        world.systems["H"].edit(ids["H"], priority="urgent")
        while worker.busy:
            worker.step()
        world.settle()
        assert world.systems["H"].peek(ids["H"])["priority"] == "urgent"
        (link,) = world.links()
        assert link.sides["H"].attempt is None

    def test_nothing_is_deleted_after_a_read_that_took_past_the_attempts_deadline(
        self, ledger, monkeypatch
    ):
        world = arranged(ledger, allow="H", delete="delete")
        ids = born(world)
        world.systems["L"].remove(ids["L"])
        worker, connector = about_to_delete(world, ids["L"]), world.connectors["H"]
        with monkeypatch.context() as patch:
            read = connector.read
            patch.setattr(
                connector, "read", lambda *asked: (world.clock.advance(60), read(*asked))[1]
            )
            worker.step()
        assert world.systems["H"].ids == [ids["H"]]
        while worker.busy:
            worker.step()
        world.settle()
        assert world.systems["H"].ids == []

    def test_many_deletions_are_held(self, ledger):
        world = arranged(ledger, allow="H", delete="delete")
        for number in range(12):
            world.hint(
                "L",
                world.systems["L"].add(
                    subject=f"ticket {number}", status="open", priority="low", tags=[]
                ),
            )
        world.settle()
        for remote_id in world.systems["L"].ids:
            world.systems["L"].remove(remote_id)
        for link in world.links():
            see(world, "L", link.sides["L"].remote_id)
        assert len(world.systems["H"].ids) == 2
        with world.ledger.read() as tx:
            assert {row.cause for row in parking.parked(tx)} == {"unsafe"}

    def test_it_is_on_the_timeline_as_an_attempt(self, ledger):
        world = arranged(ledger, allow="H", delete="delete")
        ids = born(world)
        world.systems["L"].remove(ids["L"])
        see(world, "L", ids["L"])
        (link,) = world.links()
        with world.ledger.read() as tx:
            last = attempts.history(tx, link.id)[-1]
        assert (last["verb"], last["outcome"], last["destructive"]) == ("delete", "done", 1)


class TestScope:
    def inside(self, record):
        return record["priority"] != "low"

    def test_nothing_travels_to_or_from_a_record_that_left(self, ledger):
        world = arranged(ledger, only=self.inside)
        ids = born(world)
        world.systems["H"].edit(ids["H"], priority="low", subject="private now")
        see(world, "H", ids["H"])
        world.systems["L"].edit(ids["L"], status="resolved")
        see(world, "L", ids["L"])
        assert world.systems["L"].peek(ids["L"])["subject"] == "It does not print"
        assert world.systems["H"].peek(ids["H"])["status"] != "resolved"

    def test_what_changed_meanwhile_is_merged_when_it_comes_back(self, ledger):
        world = arranged(ledger, only=self.inside)
        ids = born(world)
        world.systems["H"].edit(ids["H"], priority="low")
        see(world, "H", ids["H"])
        world.systems["L"].edit(ids["L"], status="resolved")
        see(world, "L", ids["L"])
        world.systems["H"].edit(ids["H"], priority="urgent", subject="back again")
        see(world, "H", ids["H"])
        assert world.unsettled() == []
        assert world.systems["L"].peek(ids["L"])["subject"] == "back again"
        assert world.systems["H"].peek(ids["H"])["status"] == "resolved"

    def test_leaving_closes_the_others_if_the_sync_says_so(self, ledger):
        world = arranged(ledger, only=self.inside, leave_scope="close")
        ids = born(world)
        world.systems["H"].edit(ids["H"], priority="low")
        see(world, "H", ids["H"])
        assert world.systems["L"].peek(ids["L"])["status"] == "closed"

    def test_a_decision_elsewhere_that_was_not_seen_stands_when_it_comes_back(self, ledger):
        world = arranged(ledger, only=self.inside, leave_scope="close")
        ids = born(world)
        world.systems["H"].edit(ids["H"], priority="low")
        see(world, "H", ids["H"])
        world.clock.advance(3600)
        world.systems["L"].edit(ids["L"], status="pending")
        world.clock.advance(3600)
        world.systems["H"].edit(ids["H"], priority="urgent")
        see(world, "H", ids["H"])
        assert world.systems["L"].peek(ids["L"])["status"] == "pending"
        assert world.systems["H"].peek(ids["H"])["status"] == "pending"

    def test_detached_it_is_nobodys_until_a_human_says_so(self, ledger):
        world = arranged(ledger, only=self.inside, leave_scope="detach")
        ids = born(world)
        world.systems["H"].edit(ids["H"], priority="low")
        see(world, "H", ids["H"])
        world.systems["H"].edit(ids["H"], priority="urgent", subject="back again")
        see(world, "H", ids["H"])
        world.reconcile()
        assert world.systems["L"].peek(ids["L"])["subject"] == "It does not print"
        assert {name: len(system.ids) for name, system in world.systems.items()} == {"L": 1, "H": 1}


class TestPeople:
    def directory(self, world):
        """Give H a directory of agents: an id there, an address everywhere else."""
        table = AgentTable({"ann@x.io": "h1"})
        world.context.directory["H"] = table
        named = agent_transform(table)
        mapped = world.context.maps["H"]["ticket"]
        field = replace(
            mapped.fields["assignee"],
            read=read_by(named),
            write=write_by(named),
            stranger=named.stranger,
        )
        fields = {**mapped.fields, "assignee": field}
        world.context.maps["H"]["ticket"] = replace(mapped, fields=fields)
        world.context._rules.clear()
        return table

    def strangers(self, world):
        with world.ledger.read() as tx:
            return [
                (each.connection, each.who, each.field, each.tickets)
                for each in stored.strangers(tx)
            ]

    def meet(self, world, *found):
        with world.ledger.transaction() as tx:
            people.learn(tx, world.context, "H", found, world.clock.now())
        world.settle()

    def test_a_stranger_is_listed_and_their_tickets_follow_once_they_are_known(self, ledger):
        world = World(ledger, "LH")
        self.directory(world)
        ids = born(world, assignee="ann@x.io")
        world.systems["H"].edit(ids["H"], assignee="h2")
        see(world, "H", ids["H"])
        assert world.systems["L"].peek(ids["L"])["assignee"] == "ann@x.io"
        assert self.strangers(world) == [("H", "h2", "assignee", 1)]
        self.meet(world, Person("h2", "Bob@X.io", "Bob"))
        assert world.systems["L"].peek(ids["L"])["assignee"] == "bob@x.io"
        assert self.strangers(world) == []

    def test_a_ticket_that_a_stranger_works_on_can_be_deleted_like_any_other(self, ledger):
        world = arranged(ledger, allow="H", delete="delete")
        self.directory(world)
        ids = born(world)
        world.systems["H"].edit(ids["H"], assignee="h2")
        see(world, "H", ids["H"])
        world.systems["L"].remove(ids["L"])
        see(world, "L", ids["L"])
        assert world.systems["H"].ids == []

    def test_an_address_without_a_name_there_is_listed_and_written_once_it_has_one(self, ledger):
        world = World(ledger, "LH")
        self.directory(world)
        ids = born(world, assignee="ann@x.io")
        world.systems["L"].edit(ids["L"], assignee="bob@x.io", priority="low")
        see(world, "L", ids["L"])
        assert world.systems["H"].peek(ids["H"])["assignee"] == "h1"
        assert world.systems["H"].peek(ids["H"])["priority"] == "low"
        assert self.strangers(world) == [("H", "bob@x.io", "assignee", 1)]
        self.meet(world, Person("h2", "bob@x.io"))
        assert world.systems["H"].peek(ids["H"])["assignee"] == "h2"
        assert self.strangers(world) == []

    def test_the_declared_directory_comes_first(self, ledger):
        world = World(ledger, "LH")
        table = self.directory(world)
        self.meet(world, Person("h1", "mallory@x.io"), Person("h9", "ann@x.io"))
        assert (table.email_of("h1"), table.email_of("h9"), table.name_of("ann@x.io")) == (
            "ann@x.io",
            None,
            "h1",
        )

    def learned(self, world):
        with world.ledger.read() as tx:
            return [(email, raw) for _connection, email, raw in stored.people(tx)]

    def test_whom_a_transaction_that_came_to_nothing_showed_is_learned_the_next_time(self, ledger):
        world = World(ledger, "LH")
        table, bob = self.directory(world), Person("h2", "bob@x.io")

        def fail():
            with world.ledger.transaction() as tx:
                assert people.learn(tx, world.context, "H", [bob], world.clock.now())
                assert (
                    table.name_of("bob@x.io") == "h2"
                )  # the record that shows him is read before the commit
                raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError):
            fail()
        assert self.learned(world) == []
        assert people.shows_news(world.context, "H", [bob])
        world.settle()
        assert table.name_of("bob@x.io") is None
        self.meet(world, bob)
        assert self.learned(world) == [("bob@x.io", "h2")]
        assert not people.shows_news(world.context, "H", [bob])

    def test_a_new_address_replaces_the_one_before(self, ledger):
        world = World(ledger, "LH")
        table = self.directory(world)
        self.meet(world, Person("h2", "bob@x.io"), Person("h3", "cat@x.io"))
        ids = born(world)
        world.systems["H"].edit(ids["H"], assignee="h2")
        see(world, "H", ids["H"])
        self.meet(world, Person("h2", "robert@x.io"), Person("h3", "cat@x.io"))
        assert self.learned(world) == [("cat@x.io", "h3"), ("robert@x.io", "h2")]
        assert (table.email_of("h2"), table.name_of("robert@x.io"), table.name_of("bob@x.io")) == (
            "robert@x.io",
            "h2",
            None,
        )
        world.reconcile()
        shown = {name: world.systems[name].peek(ids[name])["assignee"] for name in "HL"}
        assert shown == {"H": "h2", "L": "bob@x.io"}  # nobody has edited anything
        world.systems["L"].edit(ids["L"], assignee="robert@x.io")
        see(world, "L", ids["L"])
        assert (world.systems["H"].peek(ids["H"])["assignee"], self.strangers(world)) == ("h2", [])


def read_by(named):
    return lambda raw: None if raw is None else named.read(raw)


def write_by(named):
    return lambda value: None if value is None else named.write(value)
