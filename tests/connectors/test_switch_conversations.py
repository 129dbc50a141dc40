"""Conversations of a Switch that takes documented parameters only, in whatever order it lists."""

from __future__ import annotations

import json
from datetime import timedelta
from io import BytesIO
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter

from bridge.connectors import build
from bridge.connectors.contract import Draft, Intent
from bridge.errors import Unavailable
from bridge.http.client import Http
from bridge.sandbox.store import seconds_iso
from tests.connectors.bench import START, StillClock, connection

DOCUMENTED = {"ticket_id", "type", "internal", "limit", "cursor"}
ORDERS = ("newest first", "oldest first", "none")


class StrictDesk(BaseAdapter):
    """Lists conversations by the guide, and refuses any other parameter."""

    def __init__(self, order="newest first", *, inclusive=False):
        super().__init__()
        self.order, self.inclusive = order, inclusive
        self.rows, self.asked = [], []

    def say(self, at, **fields):
        number = len(self.rows) + 1
        row = {
            "id": f"conv_{number}",
            "ticket_id": "tkt_1",
            "type": "reply",
            "internal": False,
            "content_text": f"Words {number}",
            "created_at": seconds_iso(at),
        }
        self.rows.append({**row, **fields})
        return row["id"]

    def send(self, request, *_args, **_kwargs):
        query = dict(parse_qsl(urlsplit(request.url).query))
        self.asked.append(query)
        body, status = self.page(query), 200
        if not query.keys() <= DOCUMENTED:
            body, status = (
                {"error": {"code": "BAD_REQUEST", "message": "unknown", "details": {}}},
                400,
            )
        response = requests.Response()
        response.status_code = status
        raw = BytesIO(json.dumps(body).encode())
        response.raw = urllib3.HTTPResponse(raw, preload_content=False)
        response.url, response.request = request.url, request
        return response

    def page(self, query):
        rows = [row for row in self.rows if self.fits(row, query)]
        rows.sort(key=lambda row: row["created_at"], reverse=self.order != "oldest first")
        cursor, limit = query.get("cursor"), int(query["limit"])
        if cursor:
            rows = [row for row in rows if self.after(row["created_at"], cursor)]
        page = rows[:limit]
        if self.order == "none":
            page = [*page[1::2], *page[::2]]
        following = rows[:limit][-1]["created_at"] if len(rows) > limit else None
        meta = {"limit": limit, "total": len(rows), "next_cursor": following}
        return {"data": page, "meta": meta}

    def after(self, time, cursor):
        if self.inclusive and time == cursor:
            return True
        return time > cursor if self.order == "oldest first" else time < cursor

    def fits(self, row, query):
        return all(
            str(row[name]).lower() == query[name]
            for name in ("ticket_id", "type", "internal")
            if name in query
        )

    def close(self):
        """Close nothing."""


def connect(desk):
    settings = connection("switch", base_url="https://switch.example/api/v1")
    return build(settings, Http(settings, clock=StillClock(), adapter=desk))


def polled(connector, cursor=None):
    """Return the ids that one poll gives, and the cursor of the next one."""
    ids = []
    for _ in range(200):
        page = connector.changed("message", cursor)
        cursor = json.loads(json.dumps(page.cursor))
        if not page.records:
            return ids, cursor
        ids += [record.ref.id for record in page.records]
    raise AssertionError("the poll does not end")


def scanned(connector):
    ids, cursor = [], None
    for _ in range(200):
        page = connector.scan("message", cursor)
        ids += [record.ref.id for record in page.records]
        if page.cursor is None:
            return ids
        cursor = json.loads(json.dumps(page.cursor))
    raise AssertionError("the scan does not end")


def minutes(count):
    return START + timedelta(minutes=count)


@pytest.fixture(params=ORDERS)
def desk(request):
    return StrictDesk(request.param)


def test_replies_of_lost_webhooks_arrive_by_poll_in_whatever_order_they_are_listed(desk):
    loaded = {desk.say(minutes(number)) for number in range(24)}
    connector = connect(desk)
    ids, cursor = polled(connector)
    assert set(ids) == loaded
    later = {desk.say(minutes(100 + number)) for number in range(7)}
    ids, cursor = polled(connector, cursor)
    assert set(ids) >= later
    ids, _ = polled(connector, cursor)
    assert later & set(ids) <= set(ids)


@pytest.mark.parametrize("order", ORDERS[:2])
def test_pages_that_end_inside_a_second_and_rows_that_come_meanwhile_lose_nothing(order):
    desk = StrictDesk(order)
    for number in range(350):
        desk.say(START + timedelta(seconds=number // 3))
    connector = connect(desk)
    expected = {row["id"] for row in desk.rows}
    page = connector.changed("message", None)
    ids = [record.ref.id for record in page.records]
    desk.say(minutes(500))
    more, after = polled(connector, page.cursor)
    assert set(ids + more) >= expected
    assert desk.rows[-1]["id"] in polled(connector, after)[0] + more
    assert set(scanned(connector)) == expected | {desk.rows[-1]["id"]}


def test_a_quiet_poll_reads_down_to_known_ground_and_no_further():
    desk = StrictDesk()
    for number in range(1000):
        desk.say(minutes(number))
    connector = connect(desk)
    _, cursor = polled(connector)
    desk.asked.clear()
    ids, _ = polled(connector, cursor)
    assert len(desk.asked) == 1
    assert len(ids) <= 6


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("order", ORDERS[:2])
def test_a_second_that_holds_more_than_a_page_is_listed_in_parts(order, inclusive):
    desk = StrictDesk(order, inclusive=inclusive)
    for number in range(320):
        kind = ("reply", "note", "system")[number % 3]
        desk.say(START, type=kind, internal=number % 2 == 0)
    for number in range(5):
        desk.say(minutes(1 + number))
        desk.say(minutes(-1 - number))
    assert set(scanned(connect(desk))) == {row["id"] for row in desk.rows}


def test_a_second_that_no_listing_shows_whole_is_named():
    desk = StrictDesk()
    for _ in range(250):
        desk.say(START)
    with pytest.raises(Unavailable, match="share the second 2026-11-23T12:00:00Z"):
        scanned(connect(desk))


def test_a_listing_without_order_is_said_aloud_once_a_poll(caplog):
    desk = StrictDesk("none")
    for number in range(250):
        desk.say(minutes(number))
    polled(connect(desk))
    (line,) = [each for each in caplog.messages if "no order" in each]
    assert line.startswith("my-switch: conversations are listed in no order by created_at")


def test_a_poll_begun_by_an_earlier_version_goes_on():
    desk = StrictDesk()
    for number in range(30):
        desk.say(minutes(number))
    stored = {"from": seconds_iso(minutes(15)), "top": seconds_iso(minutes(20))}
    ids, _ = polled(connect(desk), stored)
    assert set(ids) == {f"conv_{number}" for number in range(16, 31)}


def test_a_note_of_unknown_fate_is_looked_for_with_documented_parameters(desk):
    for number in range(150):
        desk.say(minutes(number - 200))
    made = desk.say(START, type="note", internal=True, content_text="Called her.")
    draft = Draft("message", {"ticket_id": "tkt_1", "content": "Called her."}, "m-1")
    (found,) = connect(desk).find(Intent(draft, START))
    assert found.ref.id == made
    assert all(query.keys() <= DOCUMENTED for query in desk.asked)
