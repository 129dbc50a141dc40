from datetime import timedelta

import pytest
from sqlalchemy import select

from bridge.core.model.state import Element, FieldState, Link, Side, SideField
from bridge.core.model.values import Ref
from bridge.errors import LeaseLost
from bridge.ledger import attempts, intents, links, tables
from tests.ledger.helpers import LONG, at_once, begin, begin_intent, close, make_attempt, make_link


def ref(connection, remote_id):
    return Ref(connection, "ticket", remote_id)


def holds(tx, owner, fence):
    row = tx.execute(select(tables.link.c.lease_owner, tables.link.c.fence)).one()
    return tuple(row) == (owner, fence)


def test_what_is_saved_is_loaded(tx, now):
    make_link(tx, now, helpdesk="1", desk="x")
    fence = links.lease(tx, "a", "me", now, now + LONG)
    link = links.load(tx, ["a"])["a"]
    link.state = {
        "status": FieldState("open", 3, "helpdesk", now, now + LONG, flips=[(now, "desk")]),
        "tags": FieldState(
            ("a",), 2, elements={"a": Element(True, 2, "desk"), "b": Element(False, 1, "desk")}
        ),
        "subject": FieldState(None, 1, candidates={"desk": "\0\ud800"}, why_open="both edited"),
    }
    link.paused = True
    link.sides["desk"].fields = {"status": SideField(None, "r1", 3, now), "tags": SideField()}
    link.sides["desk"].version, link.sides["desk"].read_at = "7", now
    link.sides["desk"].suspect = {"digest": "d", "at": now}
    link.sides["helpdesk"].tombstone, link.sides["helpdesk"].missing_since = True, now
    link.sides["helpdesk"].in_scope = False
    links.save(tx, link, "me", fence, now)
    assert links.load(tx, ["a", "nobody"]) == {"a": link}
    assert list(link.live()) == ["desk"]


def test_links_are_counted_by_their_entity(tx, now):
    for number, entity in enumerate(["ticket", "customer", "ticket", "ticket"]):
        side = Side("helpdesk", f"{number}")
        made = Link(f"l{number}", "all", entity, sides={"helpdesk": side})
        assert links.create(tx, made, now)
    assert links.count_by_entity(tx, ["l0", "l1", "l2", "nobody"]) == {"ticket": 2, "customer": 1}
    assert links.count_by_entity(tx, []) == {}


def test_a_record_has_one_link_however_many_find_it_at_once(ledger, now):
    def start(tx, number):
        return links.create(
            tx,
            Link(f"l{number}", "tickets", "ticket", sides={"helpdesk": Side("helpdesk", "1")}),
            now,
        )

    assert sorted(at_once(ledger, start)) == [False] * 7 + [True]
    with ledger.read() as tx:
        assert len(links.ids(tx)) == 1
        assert links.of_refs(tx, [ref("helpdesk", "1"), ref("desk", "1")]) == {
            ref("helpdesk", "1"): links.ids(tx)[0]
        }


def test_a_link_that_cannot_be_stored_whole_is_not_stored_at_all(tx, now):
    make_link(tx, now, "a", helpdesk="1")
    sides = {"desk": Side("desk", "x"), "helpdesk": Side("helpdesk", "1")}
    assert links.create(tx, Link("b", "tickets", "ticket", sides=sides), now) is False
    assert links.ids(tx) == ["a"]
    assert links.of_refs(tx, [ref("desk", "x")]) == {}


def test_a_link_gets_one_live_side_on_a_connection(ledger, now):
    with ledger.transaction() as tx:
        make_link(tx, now)
    joined = at_once(
        ledger, lambda tx, number: links.add_side(tx, "a", Side("desk", f"x{number}"), now)
    )
    assert sorted(joined) == [False] * 7 + [True]


def test_a_record_joins_one_link(ledger, now):
    with ledger.transaction() as tx:
        for number in range(8):
            make_link(tx, now, f"l{number}", helpdesk=str(number))
    joined = at_once(
        ledger, lambda tx, number: links.add_side(tx, f"l{number}", Side("desk", "x"), now)
    )
    assert sorted(joined) == [False] * 7 + [True]


def test_nothing_joins_while_a_create_is_under_way(tx, now):
    make_link(tx, now)
    assert open_intent(tx, now)
    side = Side("desk", "x")
    assert links.add_side(tx, "a", side, now) is False
    assert side.id == ""
    intents.close(tx, "m1", "created", "x", now)
    assert links.add_side(tx, "a", side, now) is True
    assert links.load(tx, ["a"])["a"].sides["desk"] == side


def test_nothing_joins_a_link_that_is_not_there(tx, now):
    assert links.add_side(tx, "nobody", Side("desk", "x"), now) is False


def test_a_replacement_hides_the_dead_side_and_both_records_stay_known(tx, now):
    link = make_link(tx, now)
    fence = links.lease(tx, "a", "me", now, now + LONG)
    link.sides["helpdesk"].tombstone = True
    links.save(tx, link, "me", fence, now)
    assert links.count_sides(tx, "helpdesk", "ticket") == 0
    assert links.add_side(tx, "a", Side("helpdesk", "2"), now)
    assert links.load(tx, ["a"])["a"].sides["helpdesk"].remote_id == "2"
    assert set(links.of_refs(tx, [ref("helpdesk", "1"), ref("helpdesk", "2")]).values()) == {"a"}
    assert links.count_sides(tx, "helpdesk", "ticket") == 1


def test_a_lease_is_held_by_one_at_a_time(ledger, now):
    with ledger.transaction() as tx:
        make_link(tx, now)
    fences = at_once(ledger, lambda tx, number: links.lease(tx, "a", f"w{number}", now, now + LONG))
    assert sorted(fence for fence in fences if fence is not None) == [1]


def test_a_lease_that_ran_out_is_taken_over_and_its_old_holder_can_store_nothing(tx, now):
    link = make_link(tx, now)
    old = links.lease(tx, "a", "old", now, now + LONG)
    assert (
        links.lease(tx, "a", "new", now + LONG - timedelta(microseconds=1), now + 2 * LONG) is None
    )
    new = links.lease(tx, "a", "new", now + LONG, now + 2 * LONG)
    assert new == old + 1
    assert (holds(tx, "old", old), holds(tx, "new", new)) == (False, True)
    link.state["status"] = FieldState("stale", 1)
    with pytest.raises(LeaseLost, match="another worker"):
        links.save(tx, link, "old", old, now)
    links.release(tx, "a", "old", old)
    assert holds(tx, "new", new)
    assert links.load(tx, ["a"])["a"].state == {}


def test_the_same_worker_has_a_new_fence_each_time(tx, now):
    link = make_link(tx, now)
    first = links.lease(tx, "a", "me", now, now + LONG)
    second = links.lease(tx, "a", "me", now + LONG, now + 2 * LONG)
    with pytest.raises(LeaseLost):
        links.save(tx, link, "me", first, now)
    links.save(tx, link, "me", second, now)
    links.release(tx, "a", "me", second)
    assert links.lease(tx, "a", "other", now, now + LONG) == second + 1


def test_a_lease_on_nothing_is_not_given(tx, now):
    assert links.lease(tx, "nobody", "me", now, now + LONG) is None


def test_pages_and_lookups(tx, now):
    for name in ("a", "b", "c"):
        make_link(tx, now, name, helpdesk=f"{name}1", desk=f"desk_{name}")
    assert links.ids(tx, limit=2) == ["a", "b"]
    assert links.ids(tx, "b") == ["c"]
    assert links.find(tx, "helpdesk:b1") == links.find(tx, "b1") == links.find(tx, "b") == ["b"]
    assert links.find(tx, "%") == links.find(tx, "") == []


def test_an_attempt_is_loaded_until_it_is_closed_and_never_changed(tx, now):
    link = make_link(tx, now)
    fence = links.lease(tx, "a", "me", now, now + LONG)
    side = link.sides["helpdesk"]
    side.attempt = make_attempt(now)
    links.save(tx, link, "me", fence, now)
    begin(tx, "a", side, now, destructive=1)
    assert links.load(tx, ["a"])["a"].sides["helpdesk"].attempt == make_attempt(now)
    # A read has settled one of its fields.
    del side.attempt.sent["status"]
    links.save(tx, link, "me", fence, now)
    assert links.load(tx, ["a"])["a"].sides["helpdesk"].attempt.sent == {"tags": ["a"]}
    assert close(tx, "t1", "done", now + LONG, read_back={"status": "open"}, latency_ms=120)
    assert not close(tx, "t1", "again", now)
    assert links.load(tx, ["a"])["a"].sides["helpdesk"].attempt is None
    (told,) = attempts.history(tx, "a")
    assert told["detail"]["sent"] == make_attempt(now).sent
    assert (told["outcome"], told["read_back"], told["latency_ms"]) == (
        "done",
        {"status": "open"},
        120,
    )
    assert (told["opened_at"], told["closed_at"]) == (now, now + LONG)


def test_a_side_takes_one_write_at_a_time(ledger, now):
    with ledger.transaction() as tx:
        side = make_link(tx, now).sides["helpdesk"]

    def write(tx, number):
        mine = Side("helpdesk", "1", attempt=make_attempt(now, f"t{number}"), id=side.id)
        try:
            begin(tx, "a", mine, now)
        except LeaseLost:
            return False
        return True

    assert sorted(at_once(ledger, write)) == [False] * 7 + [True]


def test_destructive_changes_are_counted_within_a_time_and_unless_refused(tx, now):
    for number, (age, destructive, outcome) in enumerate(
        [
            (2 * LONG, 5, "done"),
            (LONG, 1, "refused"),
            (LONG, 0, "done"),
            (LONG, 2, "done"),
            (LONG, 3, ""),
        ]
    ):
        side = make_link(tx, now, f"a{number}", helpdesk=str(number)).sides["helpdesk"]
        side.attempt = make_attempt(now, f"t{number}")
        begin(tx, f"a{number}", side, now - age, destructive=destructive)
        if outcome:
            close(tx, f"t{number}", outcome, now)
    assert attempts.count_destructive(tx, "helpdesk", now - LONG - timedelta(seconds=1)) == 5
    assert attempts.count_destructive(tx, "desk", now - 3 * LONG) == 0


def test_a_destructive_change_that_is_sent_again_and_again_counts_once(tx, now):
    for link_id, changes in (("a", (1, 2, 1)), ("b", (1, 1))):
        side = make_link(tx, now, link_id, helpdesk=link_id).sides["helpdesk"]
        for number, destructive in enumerate(changes):
            side.attempt = make_attempt(now, f"{link_id}{number}")
            begin(tx, link_id, side, now, destructive=destructive)
            close(tx, f"{link_id}{number}", "unknown", now)
    assert attempts.count_destructive(tx, "helpdesk", now - LONG) == 3


def open_intent(tx, now, marker="m1", connection="desk"):
    draft = {"values": {"tags": ("a",)}, "sent": {"tags": ["a"]}}
    return begin_intent(
        tx,
        link_id="a",
        connection=connection,
        entity="ticket",
        marker=marker,
        draft=draft,
        send_by=now + LONG,
        now=now,
    )


def test_one_create_is_under_way_for_a_link_and_connection(ledger, now):
    with ledger.transaction() as tx:
        make_link(tx, now)
    opened = at_once(ledger, lambda tx, number: open_intent(tx, now, f"m{number}"))
    assert sorted(opened) == [False] * 7 + [True]


def test_a_create_and_a_join_exclude_each_other(ledger, now):
    with ledger.transaction() as tx:
        make_link(tx, now)

    def either(tx, number):
        if number % 2:
            return open_intent(tx, now, f"m{number}")
        return links.add_side(tx, "a", Side("desk", f"x{number}"), now)

    assert sorted(at_once(ledger, either)) == [False] * 7 + [True]


def test_an_intent_lives_until_it_is_closed(tx, now):
    make_link(tx, now)
    assert open_intent(tx, now)
    found = intents.by_marker(tx, "m1")
    assert (found.marker, found.send_by, found.draft["values"]) == (
        "m1",
        now + LONG,
        {"tags": ("a",)},
    )
    assert links.load(tx, ["a"])["a"].intents == {"desk": "m1"}
    assert intents.close(tx, "m1", "not found", None, now)
    assert not intents.close(tx, "m1", "created", "x", now)
    assert (intents.is_open(tx, "m1"), intents.failures(tx, "a", "desk")) == (False, 1)
    assert links.load(tx, ["a"])["a"].intents == {}
    assert open_intent(tx, now, "m2")


def test_a_tombstone_blocks_a_create(tx, now):
    link = make_link(tx, now)
    fence = links.lease(tx, "a", "me", now, now + LONG)
    link.sides["helpdesk"].tombstone = True
    links.save(tx, link, "me", fence, now)
    assert open_intent(tx, now, connection="helpdesk") is False
