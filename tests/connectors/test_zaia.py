"""The Zaia connector against the sandbox of its API, and the traps of that API one by one."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.connectors import build
from bridge.connectors.contract import Intent, Person
from bridge.connectors.zaia.connector import ZaiaConnector
from bridge.connectors.zaia.listing import SHARED_ROWS, START, next_place, windows_join
from bridge.errors import (
    AlreadyExists,
    ConfigError,
    Refused,
    Unauthorised,
    Unavailable,
    UnknownOutcome,
)
from bridge.sandbox.zaia_rows import SERVICE_USER
from tests.connectors.bench import KEY
from tests.connectors.contract import ConnectorContract
from tests.connectors.documented import documented
from tests.connectors.zaia_bench import JONAS, MARY, WORDS, ZaiaBench


@pytest.fixture
def bench():
    made = ZaiaBench()
    yield made
    made.http.close()


class TestZaia(ConnectorContract):
    system = "zaia"

    # No sync makes anything there: a ticket of another system has no chat.
    test_a_create_shows_its_values_and_hides_its_marker = None
    test_a_create_is_found_by_its_marker_and_by_its_nature = None
    test_a_create_of_unknown_fate_is_found_again = None

    def test_declared_fields_round_trip(self, bench):
        """Every verb does one thing; tags are seen in the sandbox, for no read shows them."""
        bench.box.edit(bench.make(), {"tags": ["VIP", "old"]})
        one = bench.make(status="pending", tags=["old"])
        bench.update(one, "takeover", status="ongoing", assigneeId=MARY)
        assert (bench.now(one)["status"], bench.now(one)["assignee"]["id"]) == ("ongoing", MARY)
        bench.update(one, "assign", assigneeId=JONAS)
        bench.update(one, "attach", tags="vip")
        bench.update(one, "detach", tags="old")
        bench.update(one, "complete", status="completed")
        row = self.read(bench, [one])[one].data
        assert (row["status"], row["assigneeId"], bench.now(one)["tags"]) == (
            "completed",
            JONAS,
            ["VIP"],
        )


# Configuration


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"statuses": ["a", "b"]}, "statuses"),
        ({"statuses": ["a", "b", "b"]}, "statuses"),
        ({"statuses": "abc"}, "statuses"),
        ({"statuses": ["a", 1, "c"]}, "statuses"),
        ({"service_user": "me"}, "service_user"),
        ({"tags": {"VIP": "no"}}, "tags.VIP"),
        ({"tags": ["VIP"]}, "tags"),
        ({"tag_listing": "yes"}, "tag_listing"),
    ],
)
def test_options_of_a_wrong_shape_are_named(options, told):
    with pytest.raises(ConfigError, match=f"connections.my-zaia.{told}"):
        ZaiaBench(**options)


def test_a_status_that_the_deployment_does_not_know_stops_the_connection():
    bench = ZaiaBench(statuses=["waiting", "ongoing", "completed"])
    for call in (
        bench.connector.ping,
        bench.connector.probe,
        lambda: bench.connector.changed("ticket", None),
        lambda: bench.connector.scan("ticket", None),
    ):
        with pytest.raises(Unauthorised, match=r"'waiting' is refused; .* `statuses`"):
            call()


def test_other_words_work_when_they_are_configured():
    words = ["waiting", "human", "talking", "over"]
    bench = ZaiaBench({"statuses": words}, statuses=words)
    one = bench.make(status="waiting")
    assert bench.connector.ping() == "tickets are waiting, human, talking, over"
    assert bench.connector.CAPABILITIES["ticket"].writable["status"].forward == tuple(words)
    assert ZaiaConnector.CAPABILITIES["ticket"].writable["status"].forward == WORDS
    bench.update(one, "takeover", status="talking")
    bench.update(one, "complete", status="over")
    assert bench.now(one)["status"] == "over"


def test_the_key_is_sent_bare(bench):
    bench.box.api_key = f"Bearer {KEY}"
    with pytest.raises(Unauthorised):
        bench.connector.ping()


# Reading


@pytest.mark.parametrize("body", ["message", "text", "empty"])
def test_a_ticket_that_is_not_there_is_none_whatever_the_404_says(body):
    bench = ZaiaBench({"error_body": body})
    gone = bench.make()
    bench.remove(gone)
    assert bench.connector.read("ticket", [gone]) == {gone: None}


def test_a_404_where_the_listing_is_missing_too_deletes_nothing(bench):
    one = bench.make()
    bench.faulty.next = ["404", "404"]
    with pytest.raises(Unavailable, match="check base_url"):
        bench.connector.read("ticket", [one])


def test_what_is_no_uuid_is_never_asked_for(bench):
    assert bench.connector.read("ticket", ["../tags"]) == {"../tags": None}
    assert bench.faulty.calls == []


def test_tickets_of_removed_chats_are_listed(bench):
    one = bench.make()
    bench.box.edit(one, {"chatIsRemoved": True})
    (row,) = bench.connector.changed("ticket", None).records
    assert (row.ref.id, row.data["chatIsRemoved"], row.partial) == (one, True, False)
    assert "tags" in row.unreadable


def test_people_are_shown_and_the_service_user_is_nobody(bench):
    one, two = bench.make(assigneeId=MARY), bench.make(assigneeId=SERVICE_USER)
    found = {key: bench.connector.read("ticket", [key])[key] for key in (one, two)}
    assert found[one].people == (Person(MARY, "mary@support.example", "Mary Bishop"),)
    assert found[two].people == ()
    assert found[two].data["assigneeId"] is found[two].data["assigneeEmail"] is None


def test_a_listing_that_is_no_array_is_an_error(bench):
    bench.make()
    real = bench.box.list_tickets
    for body in (b'{"data": []}', b"12", b"null"):

        def listing(call, body=body):
            answer = real(call)
            answer.set_data(body)
            return answer

        bench.box.list_tickets = listing
        with pytest.raises(Unavailable, match="no array of rows"):
            bench.connector.changed("ticket", None)


def test_a_deployment_that_ignores_page_numbers_is_found_out(bench):
    for _ in range(120):
        bench.make(status="pending")
    real = bench.box.list_tickets

    def listing(call):
        call.request.args = {**call.request.args.to_dict(), "pageNumber": "1"}
        call.request.args = type(
            "Args", (dict,), {"getlist": lambda self, name: [self[name]] if name in self else []}
        )(call.request.args)
        return real(call)

    bench.box.list_tickets = listing
    page = bench.connector.changed("ticket", None)
    with pytest.raises(Unavailable, match="same page again"):
        bench.connector.changed("ticket", page.cursor)


@pytest.mark.parametrize("total", [0, 1, 99, 100, 101, 160, 199, 200, 1000, 2345])
def test_windows_cover_every_row_and_overlap(total):
    rows = [str(number) for number in range(total)]
    place, seen, ends = START, [], []
    while place is not None:
        size, number = place[2], place[3]
        window = rows[size * (number - 1) : size * number]
        if ends:
            assert size * (number - 1) <= ends[-1] - SHARED_ROWS
        ends.append(size * number)
        assert windows_join(place[4], window)
        seen += window
        place = next_place(place, 1, window, full=len(window) == size)
    assert set(seen) == set(rows)
    assert len(ends) <= total / 50 + 2


@pytest.mark.parametrize(
    ("before", "now", "fits"),
    [
        ("abcd", "cdef", True),
        ("abcd", "dcef", False),
        ("abcd", "efgh", False),
        ("", "abc", True),
        ("abcd", "df", True),
    ],
)
def test_windows_fit_when_they_share_rows_in_order(before, now, fits):
    assert windows_join(list(before), list(now)) is fits


# Verbs


def test_a_takeover_takes_the_ticket_s_own_user_else_the_service_user(bench):
    mine, nobodys = bench.make(assigneeId=MARY), bench.make()
    for one, user in ((mine, MARY), (nobodys, SERVICE_USER)):
        record = bench.update(one, "takeover", status="ongoing")
        assert (record.data["status"], record.partial) == ("ongoing", True)
        assert bench.now(one)["assignee"]["id"] == user
    assert record.data["assigneeId"] is None


def test_a_takeover_of_what_is_taken_over_only_assigns(bench):
    one = bench.make(status="ongoing", assigneeId=MARY)
    assert bench.update(one, "takeover", status="ongoing").data["assigneeId"] == MARY
    assert bench.writes() == []
    assert (
        bench.update(one, "takeover", status="ongoing", assigneeId=JONAS).data["assigneeId"]
        == JONAS
    )
    assert [call[1].rpartition("/")[2] for call in bench.writes()] == ["assignee"]


def test_what_was_completed_meanwhile_is_not_taken_over(bench):
    one = bench.make(status="completed")
    with pytest.raises(AlreadyExists, match="'completed' by now"):
        bench.update(one, "takeover", status="ongoing")
    assert bench.writes() == []


def test_a_status_that_is_none_is_not_repeated(bench):
    one = bench.make()
    bench.box.store.get(one)["status"] = KEY
    with pytest.raises(AlreadyExists, match="in no known status by now") as error:
        bench.update(one, "takeover", status="ongoing")
    assert KEY not in str(error.value)
    assert bench.writes() == []


@pytest.mark.parametrize("again", ["refused", "restamped"])
def test_what_is_completed_is_never_completed_again(again):
    bench = ZaiaBench({"complete_again": again})
    one = bench.make(status="ongoing", assigneeId=MARY)
    assert bench.update(one, "complete", status="completed").data["status"] == "completed"
    at = bench.now(one)["completedAt"]
    bench.wait(60)
    assert bench.update(one, "complete", status="completed").data["status"] == "completed"
    assert bench.now(one)["completedAt"] == at
    assert (len(bench.writes()), bench.notes()) == (1, [])


def test_a_refusal_after_it_was_done_counts_as_done(bench):
    one, two = bench.make(), bench.make(status="ongoing")
    for remote_id, verb, status in ((one, "takeover", "ongoing"), (two, "complete", "completed")):
        bench.faulty.next = ["", "409-after"]
        assert bench.update(remote_id, verb, status=status).data["status"] == status
    three = bench.make()
    bench.faulty.next = ["", "409"]
    with pytest.raises(AlreadyExists):
        bench.update(three, "complete", status="completed")


def test_completing_uses_the_assignee_else_the_service_user(bench):
    one, two = bench.make(status="ongoing", assigneeId=MARY), bench.make(status="ongoing")
    for each in (one, two):
        bench.update(each, "complete", status="completed")
    sent = [entry.sent for entry in bench.box.journal.since() if entry.kind == "write"]
    assert sent == [{"userId": MARY}, {"userId": SERVICE_USER}]


def test_without_a_user_nothing_is_taken_over(bench):
    one = bench.make()
    settings = replace(bench.settings, options={})
    with pytest.raises(Refused, match="configure service_user"):
        build(settings, bench.http).update(bench.ref(one), "complete", {"status": "completed"})
    assert bench.writes() == []


# Creating


def test_a_chat_gets_one_open_ticket(bench):
    draft = bench.draft("m-1")
    made = bench.connector.create(draft)
    assert (made.data["chatId"], made.data["status"], made.data["assigneeId"]) == (
        draft.values["chatId"],
        "pending",
        MARY,
    )
    again = bench.connector.create(draft)
    assert again.ref == made.ref
    assert len(bench.writes()) == 1
    bench.update(made.ref.id, "complete", status="completed")
    other = bench.connector.create(draft)
    assert other.ref != made.ref
    assert bench.notes() == []


@pytest.mark.parametrize("fault", ["timeout-after", "reset-after", "500-after", "html-after"])
def test_a_create_of_unknown_fate_is_found_on_its_chat(bench, fault):
    draft = bench.draft("m-42")
    bench.faulty.next = ["", "", "", fault]
    with pytest.raises(UnknownOutcome):
        bench.connector.create(draft)
    (found,) = bench.connector.find(Intent(draft, bench.clock.now()))
    assert (found.marker, found.data["chatId"]) == ("m-42", draft.values["chatId"])
    assert bench.connector.find(Intent(bench.draft("m-43"), bench.clock.now())) == []
    assert bench.connector.find(Intent(draft, bench.clock.now() + timedelta(hours=1))) == []
    assert [each.marker for each in bench.connector.find(Intent(draft, None))] == [None]


def test_a_create_of_unknown_fate_is_found_though_the_vendors_clock_is_behind(bench):
    bench.box.clock = Behind(bench.clock, minutes=40)
    draft = bench.draft("m-42")
    bench.faulty.next = ["", "", "", "timeout-after"]
    with pytest.raises(UnknownOutcome):
        bench.connector.create(draft)
    (found,) = bench.connector.find(Intent(draft, bench.clock.now()))
    assert found.marker == "m-42"


class Behind:
    def __init__(self, clock, *, minutes):
        self._clock, self._behind = clock, timedelta(minutes=minutes)

    def now(self):
        return self._clock.now() - self._behind


def test_documented_calls():
    bench = ZaiaBench()
    connector = bench.connector
    ref = connector.create(bench.draft("m-1")).ref
    bench.box.edit(ref.id, {"tags": ["old"]})
    bench.box.edit(bench.make(), {"tags": ["VIP"]})
    bench.update(ref.id, "attach", tags="VIP")
    bench.update(ref.id, "detach", tags="old")
    bench.update(ref.id, "takeover", status="ongoing", assigneeId=MARY)
    bench.update(ref.id, "assign", assigneeId=JONAS)
    bench.update(ref.id, "complete", status="completed")
    assert connector.read("ticket", [ref.id])[ref.id].data["status"] == "completed"
    connector.scan("ticket", None)
    assert {f"{method} {_path(url)}" for method, url in bench.faulty.calls} == {
        # The listing of tags is no part of the reference of tickets; it is asked where
        # `tag_listing` says so.
        "GET /api/v1/tags",
        *(re.sub(r"{\w+}", "{id}", call) for call in documented("zaia")),
    }
    assert bench.notes() == []
    bench.http.close()


def _path(url):
    return re.sub(
        r"[0-9a-f]{8}-[0-9a-f-]{27}", "{id}", url.split("?")[0].removeprefix("https://zaia.example")
    )
