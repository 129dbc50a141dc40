"""Tags at Zaia, which no ticket shows: found by listing, attached and detached by id."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bridge.connectors import build
from bridge.connectors.zaia.records import TAGS_NOT_SHOWN
from bridge.connectors.zaia.tag_ids import TagIds
from bridge.connectors.zaia.tag_sweep import DRIFTED
from bridge.errors import AlreadyExists, Lacking, NotFound, UnknownOutcome
from bridge.sandbox.zaia_rows import SERVICE_USER
from tests.connectors.zaia_bench import ZaiaBench


@pytest.fixture
def bench():
    made = ZaiaBench()
    yield made
    made.http.close()


def test_tags_are_known_from_a_full_listing_as_of_its_beginning(bench):
    one, two = bench.make(tags=["VIP", "billing"]), bench.make(status="completed", tags=["billing"])
    three = bench.make(status="ongoing")
    bench.wait(60)
    began = bench.clock.now()
    page, found = bench.connector.scan("ticket", None), {}
    assert page.records[0].unreadable["tags"]
    while page.cursor is not None:
        bench.wait(7)
        page = bench.connector.scan("ticket", json.loads(json.dumps(page.cursor)))
        found |= {record.ref.id: record for record in page.records}
    assert {key: record.data["tags"] for key, record in found.items()} == {
        one: ["VIP", "billing"],
        two: ["billing"],
        three: [],
    }
    assert {record.read_at for record in found.values()} == {began}
    assert not any(record.unreadable for record in found.values())


def test_what_is_attached_while_tags_are_listed_may_be_missing_but_is_newer(bench):
    one = bench.make(tags=["old"])
    bench.wait(60)
    page = bench.connector.scan("ticket", None)
    began = bench.clock.now()
    while "place" in page.cursor:
        page = bench.connector.scan("ticket", page.cursor)
        bench.wait(1)
    bench.update(one, "attach", tags="old")
    bench.box.edit(one, {"tags": ["old", "new"]})
    (row,) = bench.connector.scan("ticket", page.cursor).records
    assert (row.data["tags"], row.read_at) == (["old"], began)


def test_a_ticket_made_after_the_sweep_began_has_unknown_tags(bench):
    bench.make(tags=["VIP"])
    bench.wait(60)
    page = bench.connector.scan("ticket", None)
    bench.wait(1)
    late = bench.make(tags=["VIP"])
    found = {}
    while page.cursor is not None:
        page = bench.connector.scan("ticket", page.cursor)
        found |= {record.ref.id: record for record in page.records}
    assert "newer" in found[late].unreadable["tags"]
    assert "tags" not in found[late].data


@pytest.mark.parametrize(("first", "then"), [("ongoing", "completed"), ("completed", "ongoing")])
@pytest.mark.parametrize("turn", range(1, 8))
def test_a_ticket_that_moves_either_way_meanwhile_keeps_its_tags(bench, first, then, turn):
    one, other = bench.make(status=first, tags=["VIP"]), bench.make(status="pending")
    bench.wait(60)
    found, cursor = {}, None
    for number in range(100):
        if number == turn:
            bench.box.edit(one, {"status": then})
        page = bench.connector.scan("ticket", cursor)
        found |= {
            record.ref.id: record.data["tags"] for record in page.records if "tags" in record.data
        }
        cursor = page.cursor
        if cursor is None:
            break
    assert found[other] == []
    assert found.get(one, ["VIP"]) == ["VIP"]


def test_a_tag_of_more_tickets_than_a_page_while_rows_leave_the_front(bench):
    ids = [bench.make(status="completed", tags=["VIP"]) for _ in range(230)]
    bench.make(status="pending")
    bench.wait(60)
    cursor, found = None, {}
    gone = iter(reversed(ids))
    for turn in range(100):
        page = bench.connector.scan("ticket", cursor)
        found |= {record.ref.id: record.data.get("tags") for record in page.records}
        cursor = page.cursor
        if cursor is None:
            break
        for _ in range(5 if turn in (4, 5, 6) else 0):
            bench.remove(next(gone))
    left = [each for each in ids if bench.now(each)]
    assert len(left) == 215
    assert {each: found[each] for each in left} == {each: ["VIP"] for each in left}


def test_pages_without_an_order_leave_tags_unread(bench):
    for _ in range(150):
        bench.make(status="pending", tags=["VIP"])
    bench.wait(60)
    bench.box.configure({"shuffled": True})
    told = {row if isinstance(row, str) else tuple(row) for row in bench.tags().values()}
    # Where pages have no order, some tickets are not met again after the first page, which says
    # nothing about tags.
    assert {DRIFTED} <= told <= {DRIFTED, TAGS_NOT_SHOWN}


def test_a_deployment_that_ignores_the_tag_filter_says_nothing_about_tags():
    bench = ZaiaBench({"tag_filter": False})
    one, two = bench.make(tags=["VIP"]), bench.make()
    bench.wait(60)
    assert bench.tags() == dict.fromkeys((one, two), "this deployment does not filter by tag")
    assert bench.connector.probe()["tag_filter"] is False
    bench.update(two, "attach", tags="VIP")
    assert bench.now(two)["tags"] == ["VIP"]


def test_without_names_nothing_is_said_about_tags():
    bench = ZaiaBench({"tag_listing": False}, tag_listing=False)
    one = bench.make(tags=["VIP"])
    assert "no tags are known" in bench.tags()[one]
    with pytest.raises(Lacking, match="no tag 'VIP' is known"):
        bench.update(one, "attach", tags="VIP")
    assert bench.writes() == []


def test_names_come_from_the_configuration_first(bench):
    one, two = bench.make(tags=["VIP"]), bench.make()
    named = ZaiaBench.__new__(ZaiaBench)
    named.__dict__ |= bench.__dict__
    settings = replace(
        bench.settings,
        options={"service_user": SERVICE_USER, "tags": {"Very important": bench.box.tags["VIP"]}},
    )
    named.connector = build(settings, bench.http)
    bench.wait(60)
    assert named.tags() == {one: ["Very important"], two: []}
    named.update(two, "attach", tags="#very IMPORTANT ")
    assert bench.now(two)["tags"] == ["VIP"]


def test_a_tag_refused_in_a_listing_leaves_all_tags_unread(bench):
    one = bench.make(tags=["VIP"])
    bench.wait(60)
    page = bench.connector.scan("ticket", None)
    bench.faulty.next = ["400"]
    page = bench.connector.scan("ticket", page.cursor)
    (row,) = bench.connector.scan("ticket", page.cursor).records
    assert (row.ref.id, "tags" in row.data) == (one, False)
    assert "refused" in row.unreadable["tags"]


def test_the_first_page_of_a_full_listing_has_rows_whatever_the_tags(bench):
    bench.box._named(["never used"])
    one = bench.make(status="completed")
    assert [record.ref.id for record in bench.connector.scan("ticket", None).records] == [one]
    bench.remove(one)
    page = bench.connector.scan("ticket", None)
    assert (page.records, page.cursor) == ([], None)


def test_names_are_found_by_spelling_then_by_likeness():
    known = TagIds([("VIP", "1")])
    known.learn([("vip", "2"), ("#Billing", "3"), ("other name of VIP", "1")])
    assert [known.id_of(each) for each in ("VIP", "vip", "Vip", "billing", "none")] == [
        "1",
        "2",
        "1",
        "3",
        None,
    ]
    assert known.all() == {"VIP": "1", "vip": "2", "#Billing": "3"}


@pytest.mark.parametrize("status", [200, 404, 409, 500])
@pytest.mark.parametrize(("verb", "tag"), [("attach", "VIP"), ("detach", "old")])
def test_a_tag_that_is_as_wanted_is_not_sent_again(status, verb, tag):
    bench = ZaiaBench({"attach_again": status, "detach_missing": status})
    bench.make(tags=["old"])
    one = bench.make(tags=["VIP"])
    assert bench.update(one, verb, tags=tag).proved == {"tags"}
    assert bench.writes() == []
    bench.box.configure({"tag_filter": False})
    fresh = ZaiaBench.__new__(ZaiaBench)
    fresh.__dict__ |= bench.__dict__
    fresh.connector = build(bench.settings, bench.http)
    if status == 200:
        fresh.update(one, verb, tags=tag)
    else:  # where nothing can be looked up, the vendor's word stands
        with pytest.raises((NotFound, AlreadyExists, UnknownOutcome)):
            fresh.update(one, verb, tags=tag)
    assert len(bench.writes()) == 1


@pytest.mark.parametrize("fault", ["500-after", "409-after", "404-after", "400-after"])
@pytest.mark.parametrize(
    ("verb", "tag", "left"), [("attach", "VIP", ["old", "VIP"]), ("detach", "old", [])]
)
def test_an_odd_answer_about_a_tag_is_looked_into(bench, fault, verb, tag, left):
    bench.make(tags=["VIP"])
    one = bench.make(tags=["old"])
    bench.connector.probe()
    bench.faulty.next = ["", "", fault]
    assert bench.update(one, verb, tags=tag).proved == {"tags"}
    assert bench.now(one)["tags"] == left
    assert len(bench.writes()) == 1


def test_a_tag_whose_write_was_lost_is_of_unknown_outcome(bench):
    bench.make(tags=["VIP"])
    one = bench.make()
    bench.connector.probe()
    for fault in ("500", "timeout-after"):
        bench.faulty.next = ["", "", fault]
        with pytest.raises(UnknownOutcome):
            bench.update(one, "attach", tags="VIP")
