"""What the connectors read out of a vendor's JSON, and what they refuse to read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.connectors import left_out
from bridge.connectors.parsing import (
    MAX_ID_LENGTH,
    array_rows,
    event_name,
    format_time,
    ignored_event,
    is_uuid,
    known_time,
    last_time,
    object_rows,
    parse_time,
    record_id,
    row_count,
    row_id,
    row_time,
    row_times,
    same_text,
    value_at,
)
from bridge.core.model.clocks import NOT_LEARNT, SECOND, ClocksApart
from bridge.errors import Malformed, Unavailable
from bridge.http.caller import Answer
from tests.connectors.bench import START


def answer(body):
    return Answer(200, {}, body, START, ClocksApart(-SECOND, timedelta(0)))


@pytest.mark.parametrize(
    "text", ["2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00", "2026-11-23T12:00:00"]
)
def test_times_of_every_style_are_read_as_utc_and_written_alike(text):
    assert parse_time(text) == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert format_time(known_time(text)) == "2026-11-23T12:00:00Z"


@pytest.mark.parametrize(
    "value",
    [
        *(None, 7, "", "yesterday", {}, "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+05:00"),
        *("9999-12-31", "0001-01-01", "2026-13-01", "9" * 5000),
    ],
)
def test_what_is_no_time_reads_as_none(value):
    assert parse_time(value) is None


def test_a_time_that_must_be_one_raises():
    with pytest.raises(ValueError, match="yesterday"):
        known_time("yesterday")


@pytest.mark.parametrize(
    ("row", "expected"),
    [({"id": "a"}, "a"), ({"id": 7}, "7"), ({"id": True}, ""), ({"id": None}, ""), ({}, "")],
)
def test_an_id_of_a_row_is_a_text_or_a_number(row, expected):
    assert row_id(row) == expected


@pytest.mark.parametrize("body", [None, [], {"rows": None}, {"rows": {}}, {"rows": "x"}])
def test_a_listing_without_rows_is_unavailable(body):
    with pytest.raises(Unavailable, match="without rows under 'rows'"):
        object_rows("c", answer(body), "rows")
    with pytest.raises(Unavailable, match="no array of rows"):
        array_rows("c", answer({"rows": []}))


def test_rows_that_show_no_record_are_left_out_and_named():
    odd = ["x" * 100, None, [1], {}, {"id": {}}, {"id": 1.5}, 7]
    whole = answer({"rows": [{"id": 1}, *odd, {"id": "b"}]})
    with left_out.collected() as rows:
        assert object_rows("c", whole, "rows") == [{"id": 1}, {"id": "b"}]
    assert rows == [
        "row 2: it is 'xxxxxx… and no record",
        "row 3: it is empty",
        "row 4: it is a list and no record",
        "row 5: it has no id",
        "row 6: its id is an object",
        "row 7: its id is 1.5",
        "row 8: it is 7 and no record",
    ]
    assert row_count(whole, "rows") == 9
    with left_out.collected() as rows:
        assert array_rows("c", answer([None, {"id": 2}])) == [{"id": 2}]
    assert (rows, row_count(answer([None, {"id": 2}]))) == (["row 1: it is empty"], 2)
    assert array_rows("c", answer([None])) == [], "nobody collects: nothing is kept"


def test_rows_must_be_sorted_as_asked_and_need_not_all_be_dated():
    early, late = {"id": 1, "at": "2026-01-01"}, {"id": 2, "at": "2026-01-02"}
    times = row_times("c", [early, early, late], "at", answer([]))
    assert last_time("c", times, "at") == datetime(2026, 1, 2, tzinfo=UTC)
    with pytest.raises(Unavailable, match="not sorted by 'at'"):
        row_times("c", [late, early], "at", answer([]))
    odd = [{"id": 3}, {"id": 4, "at": None}, {"id": 5, "at": "2026-11-25"}, {"id": 6, "at": "0001"}]
    assert row_times("c", [odd[0], early, *odd, late], "at", answer([])) == times[1:]
    with pytest.raises(Unavailable, match="whole page has a time in 'at'"):
        last_time("c", row_times("c", odd, "at", answer([])), "at")


def test_a_time_a_little_ahead_is_a_clock_and_one_far_ahead_is_none():
    ahead = {"at": format_time(START + timedelta(hours=23))}
    assert row_time(ahead, "at", answer([])) == START + timedelta(hours=23)
    fast = Answer(200, {}, [], START, ClocksApart(timedelta(days=-2) - SECOND, timedelta(days=-2)))
    assert row_time({"at": format_time(START + timedelta(days=2))}, "at", fast) is not None
    assert row_time({"at": format_time(START + timedelta(days=2))}, "at", answer([])) is None
    undated = Answer(200, {}, [], START, NOT_LEARNT)
    assert row_time({"at": format_time(START + timedelta(days=3))}, "at", undated) is None


def test_a_path_that_leads_nowhere_is_none():
    assert value_at({"a": {"b": 1}}, "a.b") == 1
    assert value_at({"a": [1]}, "a.b") is None
    assert value_at(None, "a") is None


def test_names_and_ids_of_webhooks_are_short_printable_texts():
    assert event_name({"event": "ticket.updated"}, "event") == "ticket.updated"
    assert (record_id(7, "id"), record_id("t-7", "id")) == ("7", "t-7")
    for value in ("", " t", "a\nb", "x" * (MAX_ID_LENGTH + 1), None, True, 1.5):
        with pytest.raises(Malformed, match="'id'"):
            record_id(value, "id")
    with pytest.raises(Malformed, match="'event'"):
        event_name({"event": ""}, "event")


def test_an_ignored_event_says_whether_it_is_known():
    assert ignored_event("a", {"a"}).ignored == "event a is not used"
    assert ignored_event("b", {"a"}).ignored == "unknown event b"


def test_texts_are_compared_as_people_do():
    assert same_text(" Ann@Example.com", "ann@example.COM ")
    assert not same_text(None, None)
    assert is_uuid("5f0e7a52-31c4-4d0b-9a54-0c2f7b1d8eff")
    assert not is_uuid("../5f0e7a52")
