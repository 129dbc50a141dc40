"""A refused create is parked, by field where one can be told, and never sent again for nothing."""

from dataclasses import replace

import pytest

from bridge.core.model.capabilities import Support
from bridge.errors import Refused
from bridge.ledger import parking, probes, work
from bridge.operations.evidence import facts
from tests.flow.estate import Estate
from tests.flow.pair import pair
from tests.flow.test_outcome import set_aside
from tests.flow.world import StepWorker, World, born


@pytest.fixture
def world(ledger):
    return World(ledger, names="LH")


def picky(world, wrong, *, status=400, detail="a value is invalid", updates=True):
    """H refuses creates (and updates) of which `wrong` says so."""
    connector, calls = world.connectors["H"], []
    create, update = connector.create, connector.update

    def refuse(values):
        calls.append(dict(values))
        if wrong(values):
            raise Refused("H", f"answered {status}", status=status, detail=detail)

    def creating(draft):
        refuse(draft.values)
        return create(draft)

    def updating(ref, verb, values):
        if updates:
            refuse(values)
        return update(ref, verb, values)

    connector.create, connector.update = creating, updating
    return calls


def ticket(world, **values):
    usual = {"subject": "It does not print", "status": "open", "priority": "high", "tags": []}
    remote_id = world.systems["L"].add(**(usual | values))
    world.hint("L", remote_id)
    world.settle()
    return remote_id


def polls(world, count=5):
    for _ in range(count):
        world.clock.advance(300)
        world.reconcile()


def test_one_that_nothing_helps_is_sent_no_more_until_what_is_sent_changes(world):
    calls = picky(world, lambda values: values.get("subject") == "It does not print")
    remote_id = ticket(world)
    sent = len(calls)
    assert sent <= 2  # as it is, and once with what cannot be brought later alone
    polls(world)
    assert len(calls) == sent
    (row,) = set_aside(world)
    assert (row.cause, row.key.endswith(":H")) == ("create refused", True)
    assert "answered 400" in row.why
    world.systems["L"].edit(remote_id, subject="It prints too much")
    world.hint("L", remote_id)
    world.settle()
    assert len(world.systems["H"].ids) == 1
    assert set_aside(world) == []


def test_an_operator_may_have_it_tried_again(world):
    wrong = [True]
    calls = picky(world, lambda _values: wrong[0])
    ticket(world)
    sent, wrong[0] = len(calls), False
    with world.ledger.transaction() as tx:
        assert parking.unpark(tx, world.clock.now()) == 1
    world.settle()
    assert ["subject" in call for call in calls[sent:]] == [True, False]  # then its status
    assert len(world.systems["H"].ids) == 1


def test_a_field_that_the_vendor_names_is_parked_and_the_record_made_without_it(world):
    calls = picky(
        world,
        lambda values: values.get("priority") == "urgent",
        detail='{"code": "invalid_choice", "attr": "priority"}',
    )
    remote_id = ticket(world, priority="urgent", assignee="mary")
    (made,) = world.systems["H"].ids
    shown = world.systems["H"].peek(made)
    assert (shown["assignee"], shown["priority"], shown["status"]) == ("mary", "normal", "open")
    (row,) = set_aside(world)
    assert row.key.endswith(":H:priority")
    # At once without that field alone: no update had to find it.
    assert [(call.get("priority"), call.get("assignee")) for call in calls[:2]] == [
        ("urgent", "mary"),
        (None, "mary"),
    ]
    sent = len(calls)
    polls(world)
    assert len(calls) == sent
    assert world.systems["L"].peek(remote_id)["priority"] == "urgent"
    world.systems["L"].edit(remote_id, priority="low")
    world.hint("L", remote_id)
    world.settle()
    assert world.systems["H"].peek(made)["priority"] == "low"
    assert set_aside(world) == []


def test_a_field_that_is_not_named_is_found_by_bringing_it_after_the_record_is_made(world):
    calls = picky(world, lambda values: values.get("priority") == "urgent", detail="no")
    ticket(world, priority="urgent", assignee="mary", tags=["a"])
    (made,) = world.systems["H"].ids
    shown = world.systems["H"].peek(made)
    assert (shown["assignee"], shown["priority"], shown["tags"]) == ("mary", "normal", ["a"])
    assert [row.key.rpartition(":")[2] for row in set_aside(world)] == ["priority"]
    sent = len(calls)
    polls(world)
    assert len(calls) == sent


def test_what_is_learned_of_a_word_is_not_tried_with_other_tickets(world):
    calls = picky(
        world,
        lambda values: values.get("priority") == "urgent",
        detail='{"attr": "priority"}',
    )
    for number in range(6):
        ticket(world, subject=f"ticket {number}", priority="urgent")
    polls(world, 2)
    assert len(world.systems["H"].ids) == 6
    assert sum(call.get("priority") == "urgent" for call in calls) <= 3
    # In the first create; then in an update, and in the one that finds out which field it was.
    with world.ledger.read() as tx:
        assert any(
            "urgent" in why or "urgent" in name for name, why in probes.reasons(tx, "H").items()
        )


@pytest.mark.parametrize("act", [parking.unpark, parking.discard])
def test_what_is_learned_of_a_word_is_tried_again_once_its_row_is_freed_or_thrown_away(world, act):
    wrong = ["urgent"]
    calls = picky(world, lambda values: values.get("priority") in wrong, detail='"priority"')
    ticket(world, priority="urgent", subject="one")
    assert [row.learned for row in set_aside(world)] == ["create priority=urgent"]
    for _ in range(2):
        sent = len(calls)
        with world.ledger.transaction() as tx:
            ids = parking.all_ids(tx)
            acted = (
                {"ids": ids} if act is parking.discard else {"now": world.clock.now(), "ids": ids}
            )
            act(tx, **acted)
            assert not [name for name in probes.findings(tx, "H") if "priority" in name]
        polls(world, 1)
        ticket(world, priority="urgent", subject=f"another {sent}")
        assert len(calls) > sent  # refused again, so said again
        assert set_aside(world)
    wrong.clear()
    with world.ledger.transaction() as tx:
        parking.discard(tx, parking.all_ids(tx))
    ticket(world, priority="urgent", subject="last")
    assert world.systems["H"].peek(world.systems["H"].ids[-1])["priority"] == "urgent"


def test_a_refused_move_of_the_status_says_nothing_about_the_word(world):
    ids = born(world)
    picky(world, lambda values: values.get("status") == "open", detail='"status"')
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    world.settle()
    world.systems["L"].edit(ids["L"], status="open")
    world.hint("L", ids["L"])
    world.settle()
    with world.ledger.read() as tx:
        assert not [name for name in probes.findings(tx, "H") if "status" in name]


def test_the_code_of_the_answer_is_not_taken_for_a_field_of_that_name(world):
    picky(world, lambda values: "priority" in values, detail='{"status": 400, "error": "no"}')
    ticket(world)
    assert [row.key.rpartition(":")[2] for row in set_aside(world)] == ["priority"]
    (made,) = world.systems["H"].ids
    assert world.systems["H"].peek(made)["status"] == "open"


def uncertain(world):
    """Nobody knows whether H creates."""
    sync = world.context.syncs["tickets"]
    members = {**sync.members, "H": replace(sync.members["H"], create=Support.PROBED)}
    world.context.syncs["tickets"] = replace(sync, members=members)


@pytest.mark.parametrize(("status", "known"), [(405, False), (500, False), (405, True)])
def test_of_several_creates_at_once_that_are_not_allowed_all_end_as_not_carried(
    world, status, known
):
    if not known:
        uncertain(world)
    picky(world, lambda _values: True, status=status)
    first, second = (
        world.systems["L"].add(subject=f"ticket {number}", status="open", priority="low", tags=[])
        for number in range(2)
    )
    workers = []
    for number, remote_id in enumerate((first, second)):
        world.hint("L", remote_id)
        workers.append(StepWorker(world, f"w{number}"))
    for worker in workers:
        while worker.place() != "create/make.Call1":
            if not worker.step():
                world.clock.advance(0.1)
    for worker in workers:
        while worker.busy:
            worker.step()
    world.settle()
    assert set_aside(world) == []
    polls(world, 2)
    assert set_aside(world) == []


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_declared_create_is_withdrawn_by_no_refusal_that_may_be_of_one_record(world, status):
    picky(world, lambda values: values["subject"] == "wrong", status=status)
    ticket(world, subject="wrong")
    assert [row.cause for row in set_aside(world)] == ["create refused"]
    ticket(world, subject="right")
    assert len(world.systems["H"].ids) == 1


def test_a_refused_value_does_not_withdraw_creating(world):
    uncertain(world)
    picky(world, lambda values: values.get("priority") == "urgent", detail='{"attr": "priority"}')
    ticket(world, priority="urgent")
    ticket(world, subject="another", priority="low")
    assert len(world.systems["H"].ids) == 2


def test_a_create_whose_turn_never_came_leaves_nothing_to_look_up(world):
    """The budget grants nothing for long: nothing was sent, so nothing is looked for."""

    class Shut:
        def __init__(self, clock):
            self.until = clock.now()

        def acquire(self, connection, _holder, now, **_more):
            wait = (self.until - now).total_seconds()
            return wait if connection.name == "H" and wait > 0 else 0.0

        def __getattr__(self, _name):
            return lambda *_args, **_more: None

    looked = []
    find = world.connectors["H"].find
    world.connectors["H"].find = lambda intent: (
        looked.append(intent) if intent.sent_at else None,
        find(intent),
    )[1]
    sync = world.context.syncs["tickets"]
    world.context.syncs["tickets"] = replace(sync, match=())
    remote_id = world.systems["L"].add(
        subject="It does not print", status="open", priority="low", tags=[]
    )
    world.hint("L", remote_id)
    shut = Shut(world.clock)
    shut.until = world.clock.now().replace(minute=5)
    drain = world.drain(budget=shut)
    for _ in range(400):
        drain.run()
        world.clock.advance(1)
    assert looked == []
    assert len(world.systems["H"].ids) == 1
    with world.ledger.read() as tx:
        assert work.next_due(tx, world.clock.now()) is None


def test_an_older_posthog_gets_its_tickets_without_the_word_that_it_does_not_know(tmp_path):
    estate = pair(tmp_path / "home")
    estate.apps["product"].configure({"critical": False})
    for number in range(4):
        asked = {"subject": f"Help {number}", "priority": "urgent"}
        asked["customer_email"] = f"c{number}@customer.example"
        estate.hint("helpdesk", estate.apps["helpdesk"].create(asked)["id"])
    estate.reconcile("poll", "full", "poll")
    assert [row["priority"] for row in estate.apps["product"].tickets()] == [None] * 4
    assert 1 <= len(refusals(estate, "product")) <= 3
    parked = estate.parked()
    assert {row.cause for row in parked} == {"Refused"}
    assert len(parked) <= 2  # of all tickets: one for creates, one for updates
    assert len({(row.connection, row.learned) for row in parked}) == len(parked)
    assert all(row.field == "priority" and row.learned for row in parked)
    with estate.ledger.read() as tx:
        rows = facts(estate.context, tx)
    not_carried = [row for row in rows if row["kind"] == "not_carried"]
    told = {row["id"] for row in not_carried if row["field"] == "priority"}
    assert told == {row["id"] for row in estate.apps["product"].tickets()}


@pytest.mark.parametrize("takes", ["text", "number"])
def test_the_form_of_ids_at_scopeai_is_found_out_once_for_all_tickets(tmp_path, takes):
    estate = Estate(tmp_path / "home")
    estate.apps["feedback"].configure({"external_id": takes})
    estate.apps["helpdesk"].populate(4, 3)
    estate.reconcile("poll", "full", "poll")
    assert len(estate.apps["feedback"].tickets()) == 4
    assert len(refusals(estate, "feedback")) == (takes == "text")
    assert estate.parked() == []
    estate.start()  # also by a worker that has made none itself
    asked = {"subject": "Later", "description": "Help", "customer_email": "z@customer.example"}
    estate.hint("helpdesk", estate.apps["helpdesk"].create(asked)["id"])
    assert len(estate.apps["feedback"].tickets()) == 5
    assert len(refusals(estate, "feedback")) == (takes == "text")


@pytest.mark.parametrize("word", ["medium", "normal"])
def test_the_word_in_the_middle_at_switch_is_found_out_once_for_all_tickets(tmp_path, word):
    estate = pair(tmp_path / "home")
    estate.apps["helpdesk"].configure({"priority_word": word, "other_word": False})
    for number in range(4):
        asked = {"email_subject": f"Help {number}", "priority": "medium"}
        asked["anonymous_traits"] = {"email": f"c{number}@customer.example"}
        estate.apps["product"].create(asked)
    estate.reconcile("poll", "full", "poll")
    assert [row["priority"] for row in estate.apps["helpdesk"].tickets()] == [word] * 4
    assert len(refusals(estate, "helpdesk")) == (word != "medium")
    assert estate.parked() == []


def refusals(estate, name):
    rows = estate.apps[name].journal.since()
    refused = [row for row in rows if row.kind == "error" and row.actor == "bridge"]
    return [row for row in refused if row.method != "GET"]


def test_what_failed_twice_and_was_not_refused_is_made_by_the_next_reconciliation(world):
    world.systems["H"].fail("before", on="create", times=2)
    ticket(world)
    world.clock.advance(600)
    world.settle()
    assert [row.cause for row in set_aside(world)] == ["create refused"]
    assert not world.systems["H"].ids
    polls(world, 1)
    assert set_aside(world) == []
    assert len(world.systems["H"].ids) == 1
