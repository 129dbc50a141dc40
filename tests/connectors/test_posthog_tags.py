"""PostHog's licence for tags comes and goes: an empty set is no removal that somebody made."""

from __future__ import annotations

import itertools

import pytest

from bridge.connectors.posthog.tag_belief import SEARCH_INTERVAL
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Ref
from tests.connectors.bench import connection
from tests.connectors.test_posthog import PostHogBench

LAG = 5.0


@pytest.fixture
def bench():
    made = PostHogBench()
    yield made
    made.http.close()


@pytest.fixture
def older():
    made = PostHogBench(ids_supported=False)
    made.connector.probe()
    yield made
    made.http.close()


@pytest.fixture
def lagging():
    """A deployment without `ids` whose listing shows a change some time after it was made."""
    made = PostHogBench(ids_supported=False, list_lag=LAG)
    made.add(2)
    made.wait(LAG)
    made.connector.probe()
    yield made
    made.http.close()


def tagged(bench, count=1, tag="billing"):
    ids = bench.add(count)
    for remote_id in ids:
        bench.box.edit(remote_id, {"tags": [tag]})
    return ids


def read(bench, *ids):
    return bench.connector.read("ticket", list(ids))


def patch(bench, remote_id, values):
    return bench.connector.update(Ref("my-posthog", "ticket", remote_id), "patch", values)


def test_a_witness_costs_no_call_of_its_own(bench):
    (witness,), (plain,) = tagged(bench), bench.add(1)
    read(bench, witness)
    calls = len(bench.faulty.calls)
    found = read(bench, plain)
    assert set(found) == {plain}
    assert found[plain].unreadable == {}
    assert len(bench.faulty.calls) == calls + 1


@pytest.mark.parametrize("make", ["bench", "older"])
def test_a_licence_that_lapses_takes_no_tag_away_at_any_moment(make, request):
    """However it is read, what is read after the lapse says nothing."""
    bench = request.getfixturevalue(make)
    ids = tagged(bench, 4)
    read(bench, *ids)
    bench.connector.changed("ticket", None)
    bench.box.configure({"tags_licensed": False})
    for _ in range(3):
        assert all("tags" in record.unreadable for record in read(bench, *ids).values())
        assert "tags" in read(bench, ids[0])[ids[0]].unreadable
        for page in (bench.connector.changed("ticket", None), bench.connector.scan("ticket", None)):
            assert [record.unreadable.keys() for record in page.records] == [{"tags"}] * 4
        shown = bench.connector.update(
            Ref("my-posthog", "ticket", ids[0]), "patch", {"status": "open"}
        )
        assert "tags" in shown.unreadable
        bench.wait(SEARCH_INTERVAL.total_seconds())
    bench.box.configure({"tags_licensed": True})
    bench.wait(SEARCH_INTERVAL.total_seconds())
    assert [record.data["tags"] for record in read(bench, *ids).values()] == [["billing"]] * 4


def test_a_removal_by_a_human_is_believed_while_any_other_tag_is_shown(bench):
    first, second = tagged(bench, 2)
    read(bench, first, second)
    bench.box.edit(first, {"tags": []})
    assert (read(bench, first)[first].unreadable, read(bench, first)[first].data["tags"]) == (
        {},
        [],
    )
    bench.box.edit(second, {"tags": []})
    assert (
        "tags" in read(bench, second)[second].unreadable
    )  # nobody can tell this from a licence that lapsed


def test_where_witnesses_lost_their_tags_another_is_looked_for(bench):
    ids = tagged(bench, 6)
    read(bench, *ids[:3])
    for remote_id in ids[:5]:
        bench.box.edit(remote_id, {"tags": []})
    assert read(bench, ids[0])[ids[0]].unreadable == {}


def test_writes_of_ours_that_no_listing_shows_yet_end_no_belief(lagging):
    ids, (*written, plain) = tagged(lagging, 3), lagging.add(4)
    lagging.wait(LAG)
    read(lagging, *ids)
    for remote_id in written:
        assert patch(lagging, remote_id, {"tags": ["billing"]}).data["tags"] == ["billing"]
    calls = len(lagging.faulty.calls)
    assert patch(lagging, plain, {"status": "open"}).unreadable == {}
    assert len(lagging.faulty.calls) == calls + 2


def test_a_search_finds_a_witness_where_only_a_write_of_ours_showed_tags(lagging):
    tagged(lagging)
    written, plain = lagging.add(2)
    lagging.wait(LAG)
    patch(lagging, written, {"tags": ["billing"]})
    assert patch(lagging, plain, {"status": "open"}).unreadable == {}


def test_witnesses_that_lost_their_tags_end_no_belief_while_another_has_some(older):
    ids, (plain,) = tagged(older, 3), older.add(1)
    read(older, *ids)
    for emptied, believed in (((ids[0], ids[2]), True), ((ids[1],), False)):
        for remote_id in emptied:
            older.box.edit(remote_id, {"tags": []})
        calls = len(older.faulty.calls)
        shown = patch(older, plain, {"status": "open"})
        assert (shown.unreadable == {}) is believed
        assert len(older.faulty.calls) <= calls + 4


def test_the_search_for_another_witness_is_not_repeated_at_once(bench):
    (plain,) = bench.add(1)
    read(bench, plain)
    calls = len(bench.faulty.calls)
    for _ in range(5):
        read(bench, plain)
    assert len(bench.faulty.calls) == calls + 5
    bench.wait(SEARCH_INTERVAL.total_seconds())
    read(bench, plain)
    assert len(bench.faulty.calls) == calls + 7


def test_a_write_is_done_even_if_the_look_at_tags_fails(bench):
    (plain,) = bench.add(1)
    for fault in ("429", "500", "timeout"):
        bench.wait(SEARCH_INTERVAL.total_seconds() + 10)
        bench.faulty.next = ["", fault]
        shown = bench.connector.update(
            Ref("my-posthog", "ticket", plain), "patch", {"status": "open"}
        )
        assert shown.data["status"] == "open"
        assert "tags" in shown.unreadable


def test_who_declares_the_licence_is_asked_nothing(bench):
    settings: Connection = connection(
        "posthog", options={**bench.settings.options, "tags_licensed": True}
    )
    connector = type(bench.connector)(settings, bench.http)
    (plain,) = bench.add(1)
    assert connector.read("ticket", [plain])[plain].unreadable == {}
    assert len(bench.faulty.calls) == 1


def test_a_full_batch_still_has_room_for_witnesses(bench):
    (witness,) = tagged(bench)
    read(bench, witness)
    plain = bench.add(bench.connector.CAPABILITIES["ticket"].read_batch)
    calls = len(bench.faulty.calls)
    assert {tuple(record.unreadable) for record in read(bench, *plain).values()} == {()}
    assert len(bench.faulty.calls) == calls + 1
    assert len(bench.faulty.calls[-1][1].split("ids=")[1].split("%2C")) == 98


# Figures and people


def test_unread_messages_are_counted(bench):
    first, *_ = bench.add(3)
    bench.box.edit(first, {"status": "resolved"})
    assert bench.connector.account_metrics() == {"unread_tickets": 2}
    assert {row["unread_team_count"] for row in bench.box.store} == {1}


@pytest.mark.parametrize("status", ["403", "404"])
def test_a_key_that_may_not_count_is_asked_once_and_stops_nothing(bench, status):
    bench.faulty.next = [status]
    assert bench.connector.account_metrics() == {}
    assert bench.connector.account_metrics() == {}
    assert len(bench.faulty.calls) == 1


@pytest.mark.parametrize(
    ("raw", "people"),
    [("user:12", [("user:12", "jonas@support.example")]), ("role", []), (None, [])],
)
def test_people_are_shown_and_roles_are_none(bench, raw, people):
    (remote_id,) = bench.add(1)
    kind = {"role": {"type": "role", "id": "0198f3a1-6f0e-7c3b-9a51-2b7d4e1c8f60"}, None: None}
    bench.box.edit(remote_id, {"assignee": kind.get(raw, {"type": "user", "id": 12})})
    (record,) = read(bench, remote_id).values()
    assert [(each.id, each.email) for each in record.people] == people


def test_a_snoozed_ticket_stays_snoozed_when_its_status_is_written(bench):
    (remote_id,) = bench.add(1)
    bench.box.edit(remote_id, {"snoozed_until": "2026-12-24T08:00:00Z"})
    bench.connector.update(Ref("my-posthog", "ticket", remote_id), "patch", {"status": "pending"})
    row = bench.box.store.get(remote_id)
    assert (row["status"], row["snoozed_until"]) == ("pending", "2026-12-24T08:00:00Z")
    sent = set(itertools.chain.from_iterable(entry.sent for entry in bench.box.journal.since()))
    assert not sent & {"snoozed_until", "sla_due_at"}
