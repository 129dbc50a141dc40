"""One row that a strict parser refuses hides no other row, at each of the five systems."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest

from bridge.connectors import left_out
from bridge.connectors.contract import Connector, Record
from bridge.core.model.values import Ref
from bridge.errors import NotFound, RemoteError, Unavailable
from tests.connectors.bench import Bench
from tests.connectors.odd_vendor import ODD, OddVendor
from tests.connectors.scopeai_bench import ScopeaiBench
from tests.connectors.switch_bench import CustomerBench, MessageBench
from tests.connectors.test_posthog import PostHogBench
from tests.connectors.test_switch import SwitchBench
from tests.connectors.test_zaia import ZaiaBench
from tests.connectors.upscope_bench import UpscopeBench

VALUES = {
    "half of an emoji": rb'"Ticket 1 \ud83d"',
    "the other half": rb'"Ticket 1 \ude00"',
    "a raw tab": b'"Ticket 1 \t"',
    "a raw vertical tab": b'"Ticket 1 \x0b"',
    "a byte of Latin-1": b'"caf\xe9"',
    "NUL": rb'"a\u0000b"',
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "a number beyond all": b"1e999",
    "70 bits": b"1180591620717411303424",
    "null": b"null",
    "a list": b"[[]]",
    "an object": b'{"id": {}}',
}


@dataclass(frozen=True)
class Place:
    """A system, and the texts of a row that may be odd there."""

    bench: Callable[[], Bench]
    entity: str
    texts: tuple[str, ...]
    """Names at the top of a row, or one level below, as `name.below`."""
    listed_name: str = "id"


PLACES = {
    "switch ticket": Place(
        SwitchBench, "ticket", ("subject", "tags", "assignee", "assignee.name", "customer", "extra")
    ),
    "switch message": Place(MessageBench, "message", ("content_text", "type", "extra")),
    "switch customer": Place(CustomerBench, "customer", ("name", "custom_fields", "extra")),
    "posthog": Place(
        PostHogBench,
        "ticket",
        (
            *("last_message_text", "tags", "assignee", "assignee.user", "anonymous_traits"),
            *("anonymous_traits.subject", "person", "extra"),
        ),
    ),
    "zaia": Place(
        ZaiaBench, "ticket", ("summary", "assigneeName", "assigneeEmail", "ownerName", "extra")
    ),
    "scopeai": Place(
        ScopeaiBench,
        "ticket",
        ("original_text", "external_id", "tag_relationships", "created", "extra"),
    ),
    "upscope": Place(
        UpscopeBench,
        "customer",
        ("tags", "identities", "unique_id", "sessions", "extra"),
        "short_id",
    ),
}


class Scene:
    """Three records at one system, of which the second is going to be odd."""

    def __init__(self, place: Place) -> None:
        self.bench, self.entity = place.bench(), place.entity
        faulty: Any = self.bench.faulty
        self.vendor = OddVendor(faulty._inner)
        faulty._inner = self.vendor
        self.connector: Connector = self.bench.connector
        self.ids = self.bench.add(3)
        self.odd = self.ids[1]
        self.listed_name = place.listed_name
        self.everyone = set(self.all("scan")[0])
        """All that is listed, beside the three."""

    def make_odd(self, change: Callable[[dict[str, Any]], Any], raw: bytes = b"null") -> None:
        self.vendor.rows = {self.odd.rpartition("/")[2]: change}
        self.vendor.raw = raw

    def all(self, way: str, cursor: Any = None) -> tuple[dict[str, Record], list[str], Any]:
        """List to the end: the records, what was left out, and the last cursor."""
        records: dict[str, Record] = {}
        step = self.connector.scan if way == "scan" else self.connector.changed
        with left_out.collected() as rows:
            for _ in range(60):
                page = step(self.entity, cursor)
                records |= {record.ref.id: record for record in page.records}
                cursor = page.cursor
                if cursor is None or (way == "changed" and not page.records):
                    return records, rows, cursor
        raise AssertionError("the listing did not end")

    def read(self, *ids: str) -> dict[str, Record | None]:
        return self.connector.read(self.entity, list(ids))


@pytest.fixture(params=PLACES)
def place(request):
    return PLACES[request.param]


@pytest.fixture
def scene(place):
    return Scene(place)


def with_value(name: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    """Show a value under a name, or under one below it."""
    first, _, below = name.partition(".")

    def change(row: dict[str, Any]) -> Any:
        inner = row.get(first)
        shown = {**(inner if isinstance(inner, dict) else {}), below: value} if below else value
        return {**row, first: shown}

    return change


@pytest.mark.parametrize("value", VALUES)
def test_an_odd_value_anywhere_hides_no_record_and_reads_the_same_again(place, value):
    for name in place.texts:
        for shown in (ODD, [ODD, "plain"]):
            scene = Scene(place)
            scene.make_odd(with_value(name, shown), VALUES[value])
            for way in ("scan", "changed"):
                records, rows, _ = scene.all(way)
                assert set(records) == scene.everyone, (name, way)
                assert rows == []
                again, _, _ = scene.all(way)
                assert {key: each.data for key, each in again.items()} == {
                    key: each.data for key, each in records.items()
                }
            assert None not in scene.read(*scene.ids).values()


def test_a_text_is_kept_with_a_replacement(scene, place):
    name = place.texts[0]
    if name == "tags":
        return  # a set; the value itself is looked at in the next test
    scene.make_odd(with_value(name, ODD), rb'"Ticket 1 \ud83d"')
    records, _, _ = scene.all("scan")
    assert records[scene.odd].data[name] == "Ticket 1 \ufffd"
    assert scene.read(scene.odd)[scene.odd].data[name] == "Ticket 1 \ufffd"


def test_a_name_of_a_tag_is_kept_with_a_replacement(scene, place):
    if "tags" not in place.texts:
        return
    scene.make_odd(with_value("tags", [ODD, "vip"]), b'"caf\xe9"')
    assert scene.read(scene.odd)[scene.odd].data["tags"] == ["caf\ufffd", "vip"]


def test_a_mark_before_the_answer_is_no_part_of_it(scene):
    scene.vendor.before = b"\xef\xbb\xbf"
    assert set(scene.all("scan")[0]) == set(scene.all("changed")[0]) == scene.everyone
    assert None not in scene.read(*scene.ids).values()


SHAPES = {
    "a text": lambda _row: "<b>error</b>",
    "null": lambda _row: None,
    "a list": lambda row: list(row.items()),
    "a number": lambda _row: 5,
    "an empty object": lambda _row: {},
}
IDS = {
    "none": None,
    "a fraction": 1.5,
    "true": True,
    "a list": ["t1"],
    "an object": {"id": "t1"},
    "empty": "",
    "too long": "x" * 300,
    "of two lines": "a\nb",
    "half of an emoji": "a\ud83d",
    "the folder": "..",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_row_of_the_wrong_shape_is_left_out_alone(scene, shape):
    scene.make_odd(SHAPES[shape])
    for way in ("scan", "changed"):
        records, rows, _ = scene.all(way)
        assert set(records) == scene.everyone - {scene.odd}
        assert rows, way
        assert all(each.startswith("row ") for each in rows)


@pytest.mark.parametrize("remote_id", IDS)
def test_a_row_without_an_id_that_can_be_read_is_left_out_alone(scene, remote_id):
    scene.make_odd(lambda row: {**row, scene.listed_name: IDS[remote_id]})
    for way in ("scan", "changed"):
        records, rows, _ = scene.all(way)
        assert set(records) == scene.everyone - {scene.odd}
        assert rows, way


def test_what_an_answer_may_hide_is_not_believed_to_be_gone(scene):
    scene.make_odd(lambda row: {**row, scene.listed_name: None})
    # PostHog is asked about the ticket in another way, too, and is known to have it.
    with pytest.raises((Unavailable, NotFound), match=scene.odd.rpartition("/")[2]):
        left_out.read_one(scene.connector, Ref("c", scene.entity, scene.odd))
    assert left_out.read_one(scene.connector, Ref("c", scene.entity, scene.ids[0])) is not None


TIMES = [None, 5, "", "soon", {}, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]


@pytest.mark.parametrize("time", TIMES)
def test_a_record_without_a_time_hides_no_later_one(scene, time):
    names = ("updated_at", "created_at", "last_seen_at", "createdAt", "created", "updatedAt")
    scene.make_odd(lambda row: {**row, **{name: time for name in names if name in row}})
    records, rows, cursor = scene.all("changed")
    assert (set(records), rows) == (scene.everyone, [])
    assert set(scene.all("scan")[0]) == scene.everyone
    scene.bench.wait(1000)
    [new] = scene.bench.add(1)
    assert new in scene.all("changed", cursor)[0]


def test_an_id_beyond_64_bits_is_kept_digit_by_digit():
    scene = Scene(PLACES["switch ticket"])
    scene.make_odd(lambda row: {**row, "id": ODD}, b"1180591620717411303424")
    for way in ("scan", "changed"):
        assert "1180591620717411303424" in scene.all(way)[0]


def test_a_full_page_with_a_row_that_is_left_out_is_not_the_last(place):
    scene = Scene(place)
    more = []
    for _ in range(3):
        scene.bench.wait(2)
        more += scene.bench.add(60)
    scene.make_odd(lambda _row: None)
    for way in ("scan", "changed"):
        records, rows, _ = scene.all(way)
        assert {*scene.everyone, *more} - set(records) == {scene.odd}
        assert rows


ANSWERS = {name: VALUES[name] for name in list(VALUES)[:10]}


@pytest.mark.parametrize("value", ANSWERS)
@pytest.mark.parametrize("name", ["switch ticket", "switch message", "posthog", "zaia", "scopeai"])
def test_the_answer_to_a_create_says_that_it_was_made(name, value):
    scene = Scene(PLACES[name])
    draft = scene.bench.draft("mk-a1")
    scene.vendor.raw = ANSWERS[value]

    class Every(dict):
        def get(self, _key, _default=None):
            return lambda row: {**row, "extra": ODD} if "id" in row else row

    scene.vendor.rows = Every()
    made = scene.connector.create(draft)
    assert made is not None
    assert made.ref.id not in scene.ids


@pytest.mark.parametrize("value", ANSWERS)
def test_an_error_that_is_odd_is_that_error(scene, value):
    faulty: Any = scene.bench.faulty
    body = b'{"error": {"code": "VALIDATION", "message": ' + ANSWERS[value] + b"}}"
    faulty._answer = lambda request, kind: _refused(faulty, request, kind, body)
    for call in (lambda: scene.connector.scan(scene.entity, None), lambda: scene.read(scene.odd)):
        faulty.next = ["422"]
        with pytest.raises(RemoteError) as refused:
            call()
        assert refused.value.status == 422
        str(refused.value).encode()


def _refused(faulty: Any, request: Any, kind: str, body: bytes) -> Any:
    response = type(faulty)._answer(faulty, request, kind)
    response.raw = type(response.raw)(BytesIO(body), preload_content=False)
    return response


@pytest.mark.parametrize("name", ["switch ticket", "posthog"])
def test_a_write_never_carries_half_of_an_emoji(name):
    scene = Scene(PLACES[name])
    verbs = {"switch ticket": {"tags": ["a\ud83d"]}, "posthog": {"tags": ["a\ud83d"]}}
    scene.connector.update(Ref("c", "ticket", scene.odd), scene.bench.change[0], verbs[name])
    sent = scene.vendor.sent[-1].decode()
    assert json.loads(sent)["tags"] == ["a\ufffd"]  # not by our own parser, which would mend it
